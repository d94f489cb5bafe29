use super::field::u8_at;

/// The values for the sleep-type fields of PM1a and PM1b control.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SleepType {
    /// For PM1a control, bits 10 to 12.
    pub pm1a: u8,
    /// For PM1b control.
    pub pm1b: u8,
}

/// Finds `Name (_S5_, Package {a, b, …})` in AML code: what to write to turn
/// the machine off (sections 7.4.2 and 20.2). An interpreter is not needed for
/// this one constant; code that computes it is not understood, and gives none.
/// Looks at each byte a bounded number of times.
#[must_use]
pub fn soft_off(aml: &[u8]) -> Option<SleepType> {
    aml.windows(4)
        .enumerate()
        .filter(|(_, name)| *name == b"_S5_")
        .find_map(|(position, _)| package(aml.get(..position)?, aml.get(position.checked_add(4)?..)?))
}

const NAME_OP: u8 = 0x08;
const PACKAGE_OP: u8 = 0x12;

fn package(before: &[u8], after: &[u8]) -> Option<SleepType> {
    let is_name = matches!(before, [.., NAME_OP] | [.., NAME_OP, b'\\']);
    if !is_name || u8_at(after, 0)? != PACKAGE_OP {
        return None;
    }
    // The first length byte says in its top bits how many more there are.
    let more_length_bytes = usize::from(u8_at(after, 1)? >> 6);
    let elements = after.get(2 + more_length_bytes..)?;
    let (&count, values) = elements.split_first()?;
    let (pm1a, rest) = small_integer(values)?;
    let pm1b = if count > 1 { small_integer(rest)?.0 } else { 0 };
    (count > 0).then_some(SleepType { pm1a, pm1b })
}

/// ZeroOp, OneOp or a byte constant that fits the three-bit field.
fn small_integer(code: &[u8]) -> Option<(u8, &[u8])> {
    let (value, rest) = match *code {
        [value @ (0 | 1), ref rest @ ..] | [0x0a, value, ref rest @ ..] => (value, rest),
        _ => return None,
    };
    (value < 8).then_some((value, rest))
}
