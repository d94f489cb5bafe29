//! Values of event select and control registers.

use umbra_hw::pmu::{ARCHITECTURAL, EventSelect, FixedControl};

use super::row::{Outcome, Row, same, same_hex};

/// Sets what a column's name asks for: `EN|OS|USR|INT|INV|CMASK=1`.
fn with_flags(mut select: EventSelect, flags: &str) -> Result<EventSelect, String> {
    for flag in flags.split('|') {
        match flag.split_once('=').unwrap_or((flag, "")) {
            ("EN", _) => select.enable = true,
            ("OS", _) => select.kernel = true,
            ("USR", _) => select.user = true,
            ("INT", _) => select.interrupt = true,
            ("EDGE", _) => select.edge = true,
            ("ANY", _) => select.any_thread = true,
            ("INV", _) => select.invert = true,
            ("CMASK", value) => select.counter_mask = value.parse().map_err(|_| "CMASK is not a number")?,
            (other, _) => return Err(format!("unknown flag {other}")),
        }
    }
    Ok(select)
}

/// `index name event umask FLAGS FLAGS …`
pub(super) fn architectural_select(row: &Row<'_>) -> Outcome {
    let index = usize::try_from(row.decimal(0)?).unwrap_or(usize::MAX);
    let event = ARCHITECTURAL.get(index).ok_or("no such event")?;
    same_hex(u64::from(event.event), row.hex(2)?)?;
    same_hex(u64::from(event.unit_mask), row.hex(3)?)?;
    same(event.name.to_lowercase(), row.text(1).to_lowercase())?;
    for column in 4..row.width() {
        let select = with_flags(EventSelect::new(u16::from(event.event), event.unit_mask), row.name(column))?;
        same_hex(select.bits(), row.hex(column)?)
            .map_err(|error| format!("{}: {error}", row.name(column)))?;
    }
    Ok(())
}

/// `name event_hex perfctl_value_FLAGS`
pub(super) fn amd_select(row: &Row<'_>) -> Outcome {
    let event = u16::try_from(row.hex(1)?).map_err(|_| "the event has more than 12 bits")?;
    let flags = row.name(2).rsplit('_').next().unwrap_or("");
    let select = with_flags(EventSelect::new(event, 0), flags)?;
    same_hex(select.bits(), row.hex(2)?)
}

/// `counters nr_fixed mode expected_IA32_FIXED_CTR_CTRL_hex
/// expected_IA32_PERF_GLOBAL_CTRL_hex(nr_gp 4)`
pub(super) fn fixed_control(row: &Row<'_>) -> Outcome {
    let mode = row.text(2);
    let control = FixedControl {
        kernel: mode.split('|').any(|flag| flag == "OS"),
        user: mode.split('|').any(|flag| flag == "USR"),
        any_thread: mode.split('|').any(|flag| flag == "ANY" || flag == "AnyThread"),
        interrupt: mode.split('|').any(|flag| flag == "PMI"),
    };
    let mut fixed = 0;
    // Four general counters run as well.
    let mut global = 0xf;
    for counter in row.text(0).split(',') {
        let index: u8 = counter.parse().map_err(|_| "counters are not numbers")?;
        if u64::from(index) >= row.decimal(1)? {
            return Err(format!("there is no fixed counter {index}"));
        }
        fixed |= control.bits(index);
        global |= 1u64.checked_shl(32 + u32::from(index)).unwrap_or(0);
    }
    same_hex(fixed, row.hex(3)?)?;
    same_hex(global, row.hex(4)?)
}
