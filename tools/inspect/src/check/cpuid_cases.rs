//! CPUID answers described in words, and what is to be made of them.

use umbra_hw::{
    cpuid::{Features, Reader, Vendor},
    pmu::Pmu,
    rdt::Rdt,
};

use super::row::{Outcome, Row, hex};
use crate::dump::Dump;

/// `case input expected`
///
/// The input names leaves: `A = 07300404 0 0 603`, `CPUID(0xA) returns …`,
/// `80000022 = …`, `7.EBX = …`, and the largest leaf as `leaf0.eax=5` or `max
/// leaf 0xd`. The expectation is read for what it says of versions, counters and
/// their widths, events, and of there being no PMU or RDT.
pub(super) fn described(row: &Row<'_>) -> Outcome {
    let (input, expected) = (row.text(1), row.text(2));
    let (dump, vendor) = processor(input)?;
    let reader = Reader::new(&dump);
    let features = Features::read(&reader);
    let family = if vendor == Vendor::Amd { 0x19 } else { 6 };
    let pmu = Pmu::read(&reader, vendor, family, features);
    if expected.contains("no RDT") && Rdt::read(&reader, vendor, features, &mut |_| {}) != Rdt::default() {
        return Err("found RDT".into());
    }
    if expected.contains("no PMU") {
        return pmu.map_or(Ok(()), |pmu| Err(format!("found {pmu:?}")));
    }
    let pmu = pmu.ok_or("found no PMU")?;
    compare(&pmu, expected)
}

fn processor(input: &str) -> Result<(Dump, Vendor), String> {
    let mut dump = Dump::default();
    let stated = ["leaf0.eax=", "max leaf "].iter().find_map(|name| hex(input.split_once(name)?.1));
    let mut max_basic = stated.and_then(|max| u32::try_from(max).ok());
    let mut vendor = Vendor::Intel;
    for (leaf, subleaf, registers) in leaves(input) {
        dump.set(leaf, subleaf, registers);
        if leaf >= 0x8000_0000 {
            vendor = Vendor::Amd;
            dump.set(0x8000_0000, 0, [0x8000_0026, 0, 0, 0]);
            dump.set(0x8000_0001, 0, [0, 0, 1 << 23, 1 << 29]);
        } else if stated.is_none() {
            max_basic = max_basic.max(Some(leaf));
        }
        if leaf == 0x23 {
            dump.set(7, 0, [1, 0, 0, 0]);
            dump.set(7, 1, [1 << 8, 0, 0, 0]);
        }
    }
    if let Some(bits) = input.split_once("7.EBX = ").and_then(|(_, text)| hex(text)) {
        dump.set(7, 0, [0, u32::try_from(bits).unwrap_or(0), 0, 0]);
    }
    // A processor asked for a leaf it does not have answers with its last one.
    if input.contains("asking 0xF or 0x10 returns") {
        dump.set(0xf, 0, [0, 0x240, 0x240, 2]);
        dump.set(0xf, 1, [0, 0x240, 0x240, 7]);
        dump.set(0x10, 0, [0, 0x240, 0x240, 2]);
    }
    let max = max_basic.or((vendor == Vendor::Amd).then_some(0x10)).ok_or("the input names no leaf")?;
    dump.set(0, 0, [max, 0, 0, 0]);
    Ok((dump, vendor))
}

/// Every `LEAF[.SUBLEAF] = words` in a text, `CPUID(LEAF[, SUBLEAF]) returns
/// words` and `CPUID.LEAF: EAX=word …` among them.
fn leaves(input: &str) -> Vec<(u32, u32, [u32; 4])> {
    let text = named_registers(&called(input)).replace(['(', ')'], " ");
    let words: Vec<&str> = text.split([' ', ',', ';']).filter(|word| !word.is_empty()).collect();
    let mut found = Vec::new();
    for (position, equals) in words.iter().enumerate() {
        if *equals != "=" || position == 0 {
            continue;
        }
        let (leaf, subleaf) = words[position - 1].split_once('.').unwrap_or((words[position - 1], "0"));
        let leaf = leaf.trim_end_matches(['H', 'h']);
        let whole = |text: &str| u32::from_str_radix(text.trim_start_matches("0x"), 16).ok();
        let (Some(leaf), Some(subleaf)) = (whole(leaf), whole(subleaf)) else { continue };
        let mut registers = [0; 4];
        for (register, word) in registers.iter_mut().zip(words.iter().skip(position + 1)) {
            let Some(value) = whole(word) else { break };
            *register = value;
        }
        found.push((leaf, subleaf, registers));
    }
    found
}

/// `CPUID(0x23, 1) returns` as `0x23.1 =`.
fn called(input: &str) -> String {
    let mut parts = input.split("CPUID(");
    let mut text = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        match part.split_once(')') {
            Some((leaf, rest)) => {
                let leaf: String = leaf.chars().filter(|letter| !letter.is_whitespace()).collect();
                let rest = rest.trim_start();
                text += &leaf.replace(',', ".");
                text += &rest
                    .strip_prefix("returns")
                    .map_or_else(|| format!(" {rest}"), |rest| format!(" ={rest}"));
            }
            None => text += part,
        }
    }
    text
}

/// `CPUID.0AH: EAX=1 EBX=2` as `0AH = 1 2`.
fn named_registers(input: &str) -> String {
    let mut text = input.replace("CPUID.", " ");
    for register in ["EAX", "eax"] {
        for between in [":", ": ", ":  ", " "] {
            text = text.replace(&format!("{between}{register}="), " = ");
        }
    }
    for register in ["EBX=", "ECX=", "EDX=", "ebx=", "ecx=", "edx="] {
        text = text.replace(&format!(" {register}"), " ").replace(&format!(",{register}"), " ");
    }
    text
}

/// Holds if everything that is said is so, and something is said.
fn compare(pmu: &Pmu, expected: &str) -> Outcome {
    let words: Vec<&str> = expected
        .split(|letter: char| !letter.is_ascii_alphanumeric())
        .filter(|word| !word.is_empty())
        .collect();
    let mut said = 0;
    for pair in words.windows(2) {
        let number = |word: &str| word.parse::<u32>().ok();
        let (what, stated, found) = match (number(pair[0]), pair[0], pair[1]) {
            (Some(count), _, "GP" | "general" | "core" | "counters") => {
                ("general counters", count, pmu.general_count())
            }
            (Some(bits), _, "bit" | "bits") => ("bits", bits, u32::from(pmu.general_bits)),
            (Some(count), _, "fixed") => ("fixed counters", count, pmu.fixed_count()),
            (Some(count), _, "events") => ("events", count, pmu.architectural_events.count_ones()),
            (_, "version" | "PerfMonV" | "v", version) => {
                let Some(version) = number(version) else { continue };
                ("version", version, u32::from(pmu.version))
            }
            (_, "bitmap", bitmap) => ("fixed bitmap", whole_hex(bitmap)?, pmu.fixed),
            (_, "AnyThread", "deprecated") => ("any thread", 0, u32::from(pmu.any_thread)),
            _ => continue,
        };
        said += 1;
        if stated != found {
            return Err(format!("{what}: got {found}"));
        }
    }
    if said == 0 { Err("nothing in the expectation is understood".into()) } else { Ok(()) }
}

fn whole_hex(text: &str) -> Result<u32, String> {
    u32::from_str_radix(text, 16).map_err(|_| format!("not hexadecimal: {text}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn leaves_are_found_however_they_are_written() {
        let ten = vec![(0xa, 0, [0x0730_0404, 0, 0, 0x603])];
        for text in [
            "A = 07300404 0 0 603",
            "0xA = 07300404 00000000 00000000 00000603 (real)",
            "leaf0.eax=5 and CPUID(0xA) returns 07300404 0 0 603",
            "CPUID.0AH: EAX=07300404 EBX=0 ECX=0 EDX=603",
            "CPUID.0xA: eax=0x07300404 ebx=0 ecx=0 edx=0x603",
        ] {
            assert_eq!(leaves(text), ten, "{text}");
        }
        let main = (0x23, 1, [0xff, 0xf, 0, 0]);
        for text in
            ["23.1 = ff f 0 0", "CPUID(0x23, 1) returns ff f 0 0", "CPUID.23H.1: EAX=ff EBX=f ECX=0 EDX=0"]
        {
            assert_eq!(leaves(text), [main], "{text}");
        }
    }
}
