//! Which registers there are, what they take, and what they say.

use umbra_hw::{
    bus::{Bus, Machine, StrictBus},
    msr,
    pmu::{Counter, Design, Pmu},
    rdt::{
        AbsoluteLimit, Allocation, Association, MaskRules, Mba, Monitoring, Part, QmEvent, QmReading, Rdt,
        Resource, bytes, mask_register, qm_event_select,
    },
};

use super::row::{Outcome, Row, hex, refused, same, same_hex};

/// An Intel PMU with as many counters as a row says.
fn pmu(version: u8, general: u32, fixed: u32) -> Pmu {
    let low_bits = |count: u32| 1u32.checked_shl(count).map_or(u32::MAX, |bit| bit - 1);
    Pmu {
        design: Design::Architectural,
        version,
        general: low_bits(general),
        general_bits: 48,
        fixed: low_bits(fixed) & 0xffff,
        fixed_bits: 48,
        architectural_events: 0x7f,
        any_thread: matches!(version, 3 | 4),
        has_unit_mask2: false,
        has_equal: false,
        l3: None,
    }
}

fn monitoring(max_rmid: u32) -> Monitoring {
    Monitoring {
        max_rmid,
        upscale: 1,
        counter_bits: 24,
        has_overflow_flag: false,
        occupancy: true,
        total: true,
        local: true,
        assignable_counters: None,
    }
}

/// A processor with what a row's last number names, and otherwise common limits.
fn sharing(limits: &str) -> Result<Rdt, String> {
    let number = |text: &str| text.trim().parse::<u32>().map_err(|_| format!("not a number in {limits:?}"));
    let (mut length, mut classes, mut max_throttle, mut max_rmid) = (20, 16, 90, 0xbf);
    let mut bandwidth_classes = 8;
    if let Some(text) = limits.strip_prefix("cbm_len ") {
        length = number(text)?;
    } else if let Some(text) = limits.strip_suffix(" CLOS") {
        classes = number(text)?;
        bandwidth_classes = classes;
    } else if let Some(text) = limits.strip_prefix("maxRMID ") {
        max_rmid = hex(text).and_then(|rmid| rmid.try_into().ok()).ok_or("maxRMID is not a number")?;
    } else if let Some(text) = limits.strip_prefix("max ") {
        max_throttle = number(text)?;
    }
    let rules = MaskRules { length: u8::try_from(length).unwrap_or(0), non_contiguous: false, min_bits: 1 };
    let allocation = Allocation { rules, classes, cdp: !limits.starts_with("CDP=0"), shareable: 0 };
    Ok(Rdt {
        monitoring: Some(monitoring(max_rmid)),
        l3: Some(allocation),
        l2: Some(Allocation { classes: classes.min(64), ..allocation }),
        mba: Some(Mba { linear: true, max_throttle, classes: bandwidth_classes, per_thread: false }),
        bandwidth: Some(AbsoluteLimit { bits: 11, classes }),
        ..Rdt::default()
    })
}

/// `msr value_hex pmu_version nr_gp nr_fixed expected`
pub(super) fn write(row: &Row<'_>) -> Outcome {
    let (register, value) = (row.hex32(0)?, row.hex(1)?);
    let pmu = match row.decimal8(2) {
        Ok(version) => Some(pmu(version, row.decimal32(3)?, row.decimal32(4)?)),
        Err(_) => None,
    };
    let rdt = if pmu.is_some() { Rdt::default() } else { sharing(row.text(4))? };
    let mut bus = StrictBus::new(Machine { pmu, full_width_writes: true, rdt });
    let written = bus.write(register, value);
    if refused(&written, row.text(5))? {
        return Ok(());
    }
    let shown = row.text(5).split_once("reads ").and_then(|(_, text)| hex(text));
    let found = bus.read(register).map_err(|fault| fault.to_string())?;
    shown.map_or(Ok(()), |expected| same_hex(found, expected))
}

/// A number after `name=` in a field.
fn named(fields: &str, name: &str) -> Result<u32, String> {
    let field = fields.split_whitespace().find_map(|field| field.strip_prefix(name)?.strip_prefix('='));
    field.and_then(|number| number.parse().ok()).ok_or_else(|| format!("no {name} in {fields:?}"))
}

/// `register fields max_rmid max_clos expected_value_hex_or_reject`
pub(super) fn association(row: &Row<'_>) -> Outcome {
    let (fields, max_rmid) = (row.text(1), row.decimal32(2)?);
    let rmid = named(fields, "rmid")?;
    let bits = if row.text(0).ends_with("PQR_ASSOC") {
        let classes = row.decimal32(3)?.saturating_add(1);
        Association { class: named(fields, "clos")?, rmid }.bits(classes, max_rmid)
    } else {
        let event = match named(fields, "event")? {
            1 => QmEvent::Occupancy,
            2 => QmEvent::TotalBandwidth,
            3 => QmEvent::LocalBandwidth,
            other => return refused(&Err::<(), _>(format!("no event {other}")), row.text(4)).map(drop),
        };
        qm_event_select(event, rmid, &monitoring(max_rmid))
    };
    if refused(&bits, row.text(4))? {
        return Ok(());
    }
    same_hex(bits.unwrap_or(0), row.hex(4)?)
}

/// `qm_ctr_value_hex upscale_ebx expected`
pub(super) fn monitoring_count(row: &Row<'_>) -> Outcome {
    let found = match QmReading::from_bits(row.hex(0)?, false) {
        QmReading::Count(count) => format!("ok bytes={}", bytes(count, row.hex32(1)?)),
        QmReading::Overflowed(_) => "overflow".into(),
        QmReading::Unavailable => "unavailable".into(),
        QmReading::Error => "error".into(),
    };
    let expected = row.text(2);
    if expected == found
        || expected.strip_prefix(found.as_str()).is_some_and(|rest| rest.starts_with([' ', ',', ';', '(']))
    {
        return Ok(());
    }
    Err(format!("got {found}"))
}

/// `ecx_hex nr_gp nr_fixed expected`
pub(super) fn rdpmc(row: &Row<'_>) -> Outcome {
    let pmu = pmu(5, row.decimal32(1)?, row.decimal32(2)?);
    let found = match Counter::from_rdpmc_index(row.hex32(0)?, &pmu) {
        Some(Counter::General(index)) => format!("ok PMC{index}"),
        Some(Counter::Fixed(index)) => format!("ok FIXED{index}"),
        Some(Counter::L3(index)) => format!("ok L3{index}"),
        None => "#GP".into(),
    };
    let expected = row.text(3).split(" (").next().unwrap_or("");
    same(found, expected.to_owned())
}

/// `what index expected_msr_hex`
pub(super) fn address(row: &Row<'_>) -> Outcome {
    let what = row.text(0).to_lowercase();
    let has = |word: &str| what.contains(word);
    let register = if has("qos_cfg") {
        Some(if has("l2") { msr::L2_QOS_CFG } else { msr::L3_QOS_CFG })
    } else if has("qm_evtsel") {
        Some(msr::QM_EVTSEL)
    } else if has("qm_ctr") {
        Some(msr::QM_CTR)
    } else if has("pqr_assoc") {
        Some(msr::PQR_ASSOC)
    } else if has("mba_cfg") {
        Some(msr::MBA_CFG)
    } else if has("snc_config") {
        Some(msr::RMID_SNC_CONFIG)
    } else {
        let part = if has("data") {
            Part::Data
        } else if has("code") {
            Part::Code
        } else {
            Part::Both
        };
        mask_register(resource(&what).ok_or("not a register that is known")?, part, row.decimal32(1)?)
    };
    same_hex(u64::from(register.ok_or("no such register")?), row.hex(2)?)
}

fn resource(what: &str) -> Option<Resource> {
    let has = |word: &str| what.contains(word);
    Some(match () {
        () if has("amd") && (has("slow") || has("smba")) => Resource::AmdSlowBandwidth,
        () if has("amd") => Resource::AmdBandwidth,
        () if has("thrtl") || has("mba") => Resource::Bandwidth,
        () if has("l3") => Resource::L3,
        () if has("l2") => Resource::L2,
        () => return None,
    })
}
