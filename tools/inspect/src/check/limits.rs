//! Capacity masks, throttles, limits and counters that wrap.

use umbra_hw::rdt::{AbsoluteLimit, MaskRules, Mba, Rounding, chunks_between};

use super::row::{Outcome, Row, hex, refused, same, same_hex};

/// `cbm_len mask_hex noncontiguous_supported min_cbm_bits expected reason`
pub(super) fn capacity_mask(row: &Row<'_>) -> Outcome {
    let rules = MaskRules {
        length: row.decimal8(0)?,
        non_contiguous: row.decimal(2)? == 1,
        min_bits: row.decimal8(3)?,
    };
    refused(&rules.check(row.hex(1)?), row.text(4)).map(drop)
}

/// `cpuid80000020_1_eax edx input_units_of_1_8_GBps expected`
pub(super) fn amd_limit(row: &Row<'_>) -> Outcome {
    let limit = AbsoluteLimit::decode(row.hex32(0)?, row.hex32(1)?).map_err(|error| error.to_string())?;
    let value = limit.value_for(row.decimal32(2)?);
    let expected = row.text(3);
    if refused(&value, expected)? {
        return Ok(());
    }
    let wanted = expected.strip_prefix("accept").and_then(hex);
    same_hex(value.unwrap_or(0), wanted.ok_or("expected accept and a value, or reject")?)
}

/// `cpuid10_3_eax ecx edx linear max_throttle step_or_precision min_bw_percent clos_count origin`
pub(super) fn throttle_leaf(row: &Row<'_>) -> Outcome {
    let decoded = Mba::decode(row.hex32(0)?, row.hex32(1)?, row.hex32(2)?);
    if refused(&decoded, row.text(5))? {
        return Ok(());
    }
    let mba = decoded.map_err(|error| error.to_string())?;
    same(u64::from(mba.linear), row.decimal(3)?)?;
    same(mba.max_throttle, row.decimal32(4)?)?;
    same(mba.classes, row.decimal32(7)?)?;
    for (found, column) in [(mba.step_percent(), 5), (mba.least_percent(), 6)] {
        match (found, row.decimal32(column)) {
            (Some(found), Ok(expected)) => same(found, expected)?,
            (None, Err(_)) => {}
            (found, _) => return Err(format!("{}: got {found:?}", row.name(column))),
        }
    }
    Ok(())
}

/// `rule linear max_throttle input expected_msr_throttle expected_actual_bw_percent`
pub(super) fn throttle_rounding(row: &Row<'_>) -> Outcome {
    let mba =
        Mba { linear: row.decimal(1)? == 1, max_throttle: row.decimal32(2)?, classes: 8, per_thread: false };
    let asked = row.decimal32(3)?;
    let set = match row.text(0) {
        rule if rule.starts_with("pqos_nearest") => mba.throttle_for(asked, Rounding::PqosNearest),
        rule if rule.starts_with("linux_roundup") => mba.throttle_for(asked, Rounding::LinuxUp),
        rule if rule.starts_with("sdm_xen_rounddown") => mba.round_throttle(asked),
        rule => return Err(format!("no such rule: {rule}")),
    };
    if refused(&set, row.text(4))? {
        return Ok(());
    }
    let throttle = set.map_err(|error| error.to_string())?;
    same(throttle, row.decimal32(4)?)?;
    match (mba.percent_of(throttle), row.decimal32(5)) {
        (Some(found), Ok(expected)) => same(found, expected),
        (None, Err(_)) => Ok(()),
        (found, _) => Err(format!("bandwidth: got {found:?}")),
    }
}

/// `width_bits prev_hex cur_hex expected_delta_chunks`
pub(super) fn counter_wrap(row: &Row<'_>) -> Outcome {
    same(chunks_between(row.hex(1)?, row.hex(2)?, row.decimal8(0)?), row.decimal(3)?)
}
