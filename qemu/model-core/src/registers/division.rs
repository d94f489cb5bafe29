//! Allocation and monitoring: masks, throttles, association, QM counts.

use super::{Effect, Monitored, Outcome, numbers as msr};
use crate::description::{Allocation, Description, Vendor};
use crate::hierarchy::Throttle;
use crate::narrow::{index, low};

const ABSENT: &str = "the machine has no such register";
const CLASS: &str = "the class does not exist";
const RESERVED: &str = "a reserved bit is set";
const RESOURCE_ID: &str = "the resource id is above the largest";
const READ_ONLY: &str = "the register is read only";

/// The value of AMD's limit that means none.
const AMD_UNLIMITED: u64 = 0x800;
/// QM_CTR: no such event or identity.
const QM_ERROR: u64 = 1 << 63;

/// State of all threads.
#[derive(Clone, Debug)]
pub(super) struct Division {
    vendor: Vendor,
    allocation: Allocation,
    ways: u32,
    masks: Vec<u64>,
    second_ways: u32,
    second_masks: Vec<u64>,
    /// IA32_L3_QOS_CFG and IA32_L2_QOS_CFG.
    code_and_data: [u64; 2],
    throttles: Vec<u64>,
    associations: Vec<u64>,
    selections: Vec<u64>,
}

impl Division {
    pub(super) fn new(machine: &Description, allocation: Allocation) -> Self {
        let ways = u32::try_from(machine.shared_level.ways).unwrap_or(1);
        let second_ways = u32::try_from(machine.second_level.ways).unwrap_or(1);
        let unlimited = if machine.vendor == Vendor::Amd { AMD_UNLIMITED } else { 0 };
        Self {
            vendor: machine.vendor,
            allocation,
            ways,
            masks: vec![(1 << ways) - 1; index(allocation.mask_classes.into())],
            second_ways,
            second_masks: vec![(1 << second_ways) - 1; index(allocation.second_mask_classes.into())],
            code_and_data: [0; 2],
            throttles: vec![unlimited; index(allocation.throttle_classes.into())],
            associations: vec![0; machine.threads()],
            selections: vec![0; machine.threads()],
        }
    }

    pub(super) fn read(&self, thread: usize, register: u32, monitored: &impl Monitored) -> Outcome<u64> {
        if let Some(class) = msr::index_in(register, msr::L3_MASK_BASE, msr::CLASS_NUMBERS, 1) {
            return self.masks.get(class).map_or(Outcome::Fault(CLASS), |mask| Outcome::Done(*mask));
        }
        if let Some(class) = self.second_mask_class(register) {
            return self.second_masks.get(class).map_or(Outcome::Fault(CLASS), |mask| Outcome::Done(*mask));
        }
        if let Some(level) = self.code_and_data_level(register) {
            return Outcome::Done(self.code_and_data[level]);
        }
        if let Some(class) = self.throttle_class(register) {
            return self.throttles.get(class).map_or(Outcome::Fault(CLASS), |value| Outcome::Done(*value));
        }
        match register {
            msr::PQR_ASSOC => Outcome::Done(self.associations[thread]),
            msr::QM_EVTSEL => Outcome::Done(self.selections[thread]),
            msr::QM_CTR => Outcome::Done(self.count(self.selections[thread], monitored)),
            absent if msr::divides(self.vendor, absent) => Outcome::Fault(ABSENT),
            _ => Outcome::NotModelled,
        }
    }

    pub(super) fn write(&mut self, thread: usize, register: u32, value: u64) -> Outcome<Effect> {
        if let Some(class) = msr::index_in(register, msr::L3_MASK_BASE, msr::CLASS_NUMBERS, 1) {
            return match self.checked_mask(self.masks.get(class), self.ways, value) {
                Ok(mask) => {
                    self.masks[class] = value;
                    Outcome::Done(Effect::Mask { class, mask })
                }
                Err(why) => Outcome::Fault(why),
            };
        }
        if let Some(class) = self.second_mask_class(register) {
            return match self.checked_mask(self.second_masks.get(class), self.second_ways, value) {
                Ok(mask) => {
                    self.second_masks[class] = value;
                    Outcome::Done(Effect::SecondMask { class, mask })
                }
                Err(why) => Outcome::Fault(why),
            };
        }
        if let Some(level) = self.code_and_data_level(register) {
            return self.write_code_and_data(level, value);
        }
        if let Some(class) = self.throttle_class(register) {
            return self.write_throttle(class, value);
        }
        match register {
            msr::PQR_ASSOC => self.write_association(thread, value),
            msr::QM_EVTSEL => self.write_selection(thread, value),
            msr::QM_CTR => Outcome::Fault(READ_ONLY),
            absent if msr::divides(self.vendor, absent) => Outcome::Fault(ABSENT),
            _ => Outcome::NotModelled,
        }
    }

    fn throttle_class(&self, register: u32) -> Option<usize> {
        let base = match self.vendor {
            Vendor::Intel => msr::THROTTLE_BASE,
            Vendor::Amd => msr::AMD_BANDWIDTH_BASE,
        };
        msr::index_in(register, base, msr::CLASS_NUMBERS, 1)
    }

    /// Masks of the second level, where it has any.
    fn second_mask_class(&self, register: u32) -> Option<usize> {
        msr::index_in(register, msr::L2_MASK_BASE, msr::CLASS_NUMBERS, 1)
            .filter(|_| !self.second_masks.is_empty())
    }

    /// 0 for the shared level's register, 1 for the second level's, where they
    /// exist.
    fn code_and_data_level(&self, register: u32) -> Option<usize> {
        match register {
            msr::L3_QOS_CFG if self.allocation.code_and_data => Some(0),
            msr::L2_QOS_CFG if self.allocation.code_and_data && !self.second_masks.is_empty() => Some(1),
            _ => None,
        }
    }

    fn write_code_and_data(&mut self, level: usize, value: u64) -> Outcome<Effect> {
        if value > 1 {
            return Outcome::Fault(RESERVED);
        }
        self.code_and_data[level] = value;
        Outcome::Done(Effect::CodeAndData { second: level == 1, apart: value == 1 })
    }

    fn checked_mask(&self, present: Option<&u64>, ways: u32, value: u64) -> Result<u32, &'static str> {
        if present.is_none() {
            return Err(CLASS);
        }
        if value >> ways != 0 {
            return Err("the mask has a bit above the last way");
        }
        if value == 0 {
            return Err("the mask is empty");
        }
        let run = value >> value.trailing_zeros();
        if self.vendor == Vendor::Intel && run & (run + 1) != 0 {
            return Err("the mask is not contiguous");
        }
        Ok(low(value))
    }

    fn write_throttle(&mut self, class: usize, value: u64) -> Outcome<Effect> {
        let Some(stored) = self.throttles.get_mut(class) else { return Outcome::Fault(CLASS) };
        let throttle = match self.vendor {
            Vendor::Intel if value > u64::from(self.allocation.throttle_max) => {
                return Outcome::Fault("the throttle value is above the largest");
            }
            // Values between the steps are rounded down to one.
            Vendor::Intel => {
                let step = u64::from(100u32.saturating_sub(self.allocation.throttle_max).max(1));
                Throttle::Percent(low(value / step * step))
            }
            Vendor::Amd if value > AMD_UNLIMITED => return Outcome::Fault(RESERVED),
            Vendor::Amd if value == AMD_UNLIMITED => Throttle::None,
            Vendor::Amd => Throttle::EighthsOfGigabyte(low(value)),
        };
        *stored = value;
        Outcome::Done(Effect::Throttle { class, throttle })
    }

    fn write_association(&mut self, thread: usize, value: u64) -> Outcome<Effect> {
        let (class, resource_id, between) = (value >> 32, value & 0x3FF, value & 0xFFFF_FC00);
        if between != 0 {
            return Outcome::Fault(RESERVED);
        }
        let Allocation { mask_classes, throttle_classes, second_mask_classes, .. } = self.allocation;
        if class >= u64::from(mask_classes.max(throttle_classes).max(second_mask_classes)) {
            return Outcome::Fault(CLASS);
        }
        let Some(resource_id) = self.resource_id(resource_id) else { return Outcome::Fault(RESOURCE_ID) };
        self.associations[thread] = value;
        Outcome::Done(Effect::Associate { class: index(class), resource_id })
    }

    fn write_selection(&mut self, thread: usize, value: u64) -> Outcome<Effect> {
        let (event, resource_id) = (value & 0xFF, value >> 32);
        if value != event | (resource_id & 0x3FF) << 32 {
            return Outcome::Fault(RESERVED);
        }
        if self.resource_id(resource_id).is_none() {
            return Outcome::Fault(RESOURCE_ID);
        }
        self.selections[thread] = value;
        Outcome::Done(Effect::None)
    }

    fn resource_id(&self, value: u64) -> Option<u8> {
        (value < u64::from(self.allocation.resource_ids)).then(|| u8::try_from(value).ok()).flatten()
    }

    /// Occupancy, total and local bandwidth; memory is local to the machine.
    fn count(&self, selection: u64, monitored: &impl Monitored) -> u64 {
        let Some(resource_id) = self.resource_id(selection >> 32) else { return QM_ERROR };
        let scale = u64::from(self.allocation.scale_bytes);
        let width = if self.vendor == Vendor::Amd { 44 } else { 24 };
        match selection & 0xFF {
            1 => monitored.occupancy_bytes(resource_id) / scale,
            2 | 3 => (monitored.memory_bytes(resource_id) / scale) & ((1 << width) - 1),
            _ => QM_ERROR,
        }
    }
}
