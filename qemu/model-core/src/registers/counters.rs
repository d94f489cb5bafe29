//! The performance counters of one thread.
//!
//! Events: cycles (also as reference cycles: the clock never changes),
//! instructions, references to and misses of the shared level (on AMD's core
//! counters the former alone, as misses of the second level). An event that
//! the model does not have counts nothing, as on a machine where it never
//! happens; so does one with a counter mask, inversion or edge detection.
//! Privilege is not told apart: a counter counts when it is on for either.

use super::{Outcome, Raw, numbers as msr};
use crate::description::{Counters, Vendor};
use crate::narrow::low;

const ABSENT: &str = "the machine has no such counter";
const RESERVED: &str = "a reserved bit is set";
const READ_ONLY: &str = "the register is read only";

const USER: u64 = 1 << 16;
const SYSTEM: u64 = 1 << 17;
const EDGE: u64 = 1 << 18;
const INTERRUPT: u64 = 1 << 20;
const ANY_THREAD: u64 = 1 << 21;
const ENABLE: u64 = 1 << 22;
const INVERT: u64 = 1 << 23;
const COUNTER_MASK: u64 = 0xFF << 24;
/// Bits of an AMD control that must be zero.
const AMD_RESERVED: u64 = 0xFFFF_FCF0_0028_0000;
/// PERF_CAPABILITIES: counters may be written in full width.
const FULL_WIDTH_WRITES: u64 = 1 << 13;
/// Status bits beside the counters' own that may be cleared or set: trace,
/// frozen records, frozen counters, uncore, buffer, condition changed.
const STATUS_EXTRAS: u64 = 1 << 55 | 1 << 58 | 1 << 59 | 1 << 61 | 1 << 62 | 1 << 63;

/// What a counter counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Event {
    None,
    Cycles,
    Instructions,
    References,
    Misses,
}

impl Event {
    fn of(self, raw: &Raw) -> u64 {
        match self {
            Self::None => 0,
            Self::Cycles => raw.cycles,
            Self::Instructions => raw.instructions,
            Self::References => raw.shared_references,
            Self::Misses => raw.shared_misses,
        }
    }
}

#[derive(Clone, Copy, Debug, Default)]
struct Counter {
    control: u64,
    value: u64,
}

/// One thread's counters and their controls.
#[derive(Clone, Debug)]
pub(super) struct CounterBank {
    vendor: Vendor,
    shape: Counters,
    general: Vec<Counter>,
    fixed: Vec<Counter>,
    /// AMD's counters of the shared level.
    shared: Vec<Counter>,
    fixed_control: u64,
    global_control: u64,
    status: u64,
    interrupt: bool,
    /// What had happened when the counters were brought up to date last.
    seen: Raw,
}

impl CounterBank {
    pub(super) fn new(vendor: Vendor, shape: Counters) -> Self {
        let counters = |count: u32| vec![Counter::default(); usize::try_from(count).unwrap_or(0)];
        Self {
            vendor,
            shape,
            general: counters(shape.general),
            fixed: counters(shape.fixed),
            shared: counters(if vendor == Vendor::Amd { 6 } else { 0 }),
            fixed_control: 0,
            global_control: (1 << shape.general) - 1,
            status: 0,
            interrupt: false,
            seen: Raw::default(),
        }
    }

    /// Adds what happened since the last call.
    pub(super) fn settle(&mut self, raw: &Raw) {
        let limit = 1u64 << self.shape.width;
        let since = core::mem::replace(&mut self.seen, *raw);
        let happened = |event: Event| event.of(raw).saturating_sub(event.of(&since));
        let mut overflowed = 0;
        for at in 0..self.general.len() {
            let event = self.general_event(at);
            let asks = self.general[at].control & INTERRUPT != 0;
            if advance(&mut self.general[at], happened(event), limit) {
                overflowed |= 1 << at;
                self.interrupt |= asks;
            }
        }
        for at in 0..self.fixed.len() {
            let event = self.fixed_event(at);
            let asks = self.fixed_control >> (at * 4) & 8 != 0;
            if advance(&mut self.fixed[at], happened(event), limit) {
                overflowed |= 1 << (32 + at);
                self.interrupt |= asks;
            }
        }
        for counter in &mut self.shared {
            let event = amd_shared_event(counter.control);
            advance(counter, happened(event), limit);
        }
        if self.vendor == Vendor::Intel {
            self.status |= overflowed;
        }
    }

    pub(super) fn take_interrupt(&mut self) -> bool {
        core::mem::take(&mut self.interrupt)
    }

    /// An instruction takes at least a cycle, so neither counter can be faster
    /// than the clock.
    pub(super) fn cycles_to_interrupt(&self) -> Option<u64> {
        let limit = 1u64 << self.shape.width;
        let timed = |event| matches!(event, Event::Cycles | Event::Instructions);
        let general = (0..self.general.len())
            .filter(|at| self.general[*at].control & INTERRUPT != 0 && timed(self.general_event(*at)))
            .map(|at| limit - self.general[at].value);
        let fixed = (0..self.fixed.len())
            .filter(|at| self.fixed_control >> (at * 4) & 8 != 0 && timed(self.fixed_event(*at)))
            .map(|at| limit - self.fixed[at].value);
        general.chain(fixed).min()
    }

    /// What a general counter counts now.
    fn general_event(&self, at: usize) -> Event {
        let control = self.general[at].control;
        let shaped = control & (EDGE | INVERT | COUNTER_MASK) != 0;
        if control & ENABLE == 0 || control & (USER | SYSTEM) == 0 || shaped {
            return Event::None;
        }
        let (select, unit) = (control & 0xFF | control >> 24 & 0xF00, control >> 8 & 0xFF);
        match self.vendor {
            Vendor::Intel if self.global_control >> at & 1 == 0 => Event::None,
            Vendor::Intel => match (select, unit) {
                (0x3C, 0 | 1) => Event::Cycles,
                (0xC0, 0) => Event::Instructions,
                (0x2E, 0x4F) => Event::References,
                (0x2E, 0x41) => Event::Misses,
                _ => Event::None,
            },
            // Fills from memory; data requests that missed the second level.
            Vendor::Amd => match (select, unit) {
                (0x76, _) => Event::Cycles,
                (0xC0, _) => Event::Instructions,
                (0x43, 0x48) => Event::Misses,
                (0x64, unit) if unit & 8 != 0 => Event::References,
                _ => Event::None,
            },
        }
    }

    fn fixed_event(&self, at: usize) -> Event {
        let on = self.fixed_control >> (at * 4) & 3 != 0 && self.global_control >> (32 + at) & 1 != 0;
        match (on, at) {
            (true, 0) => Event::Instructions,
            (true, 1 | 2) => Event::Cycles,
            _ => Event::None,
        }
    }

    pub(super) fn read(&self, register: u32) -> Outcome<u64> {
        match self.vendor {
            Vendor::Intel => self.read_intel(register),
            Vendor::Amd => self.read_amd(register),
        }
    }

    pub(super) fn write(&mut self, register: u32, value: u64) -> Outcome<()> {
        match self.vendor {
            Vendor::Intel => self.write_intel(register, value),
            Vendor::Amd => self.write_amd(register, value),
        }
    }

    pub(super) fn read_counter(&self, index: u32) -> Outcome<u64> {
        let counter = match (self.vendor, index >> 30) {
            (Vendor::Intel, 1) => at(&self.fixed, index & !(1 << 30)),
            (Vendor::Amd, 0) if index >= 10 => at(&self.shared, index - 10),
            (_, 0) => at(&self.general, index),
            _ => None,
        };
        counter.map_or(Outcome::Fault(ABSENT), |counter| Outcome::Done(counter.value))
    }

    fn read_intel(&self, register: u32) -> Outcome<u64> {
        if let Some((row, index)) = intel_row(register) {
            let counter = match row {
                Row::Fixed => self.fixed.get(index),
                Row::Counter | Row::FullWidth | Row::Select => self.general.get(index),
            };
            return counter.map_or(Outcome::Fault(ABSENT), |counter| {
                Outcome::Done(if row == Row::Select { counter.control } else { counter.value })
            });
        }
        match register {
            msr::PERF_CAPABILITIES => Outcome::Done(FULL_WIDTH_WRITES),
            msr::FIXED_CTR_CTRL => Outcome::Done(self.fixed_control),
            msr::PERF_GLOBAL_STATUS => Outcome::Done(self.status),
            msr::PERF_GLOBAL_CTRL => Outcome::Done(self.global_control),
            msr::PERF_GLOBAL_STATUS_RESET | msr::PERF_GLOBAL_STATUS_SET => Outcome::Done(0),
            msr::PERF_GLOBAL_INUSE if self.shape.version >= 4 => Outcome::Done(self.in_use()),
            amd if amd >> 16 == 0xC001 && amd_row(amd).is_some() => Outcome::Fault(ABSENT),
            _ => Outcome::NotModelled,
        }
    }

    fn write_intel(&mut self, register: u32, value: u64) -> Outcome<()> {
        if let Some((row, index)) = intel_row(register) {
            return self.write_intel_row(row, index, value);
        }
        let all = self.global_bits();
        match register {
            msr::FIXED_CTR_CTRL => guarded(value, self.fixed_control_bits(), || self.fixed_control = value),
            msr::PERF_GLOBAL_CTRL => guarded(value, all, || self.global_control = value),
            msr::PERF_GLOBAL_STATUS_RESET => guarded(value, all | STATUS_EXTRAS, || self.status &= !value),
            msr::PERF_GLOBAL_STATUS_SET if self.shape.version >= 4 => {
                guarded(value, all | STATUS_EXTRAS, || self.status |= value)
            }
            msr::PERF_GLOBAL_STATUS | msr::PERF_CAPABILITIES | msr::PERF_GLOBAL_INUSE => {
                Outcome::Fault(READ_ONLY)
            }
            amd if amd >> 16 == 0xC001 && amd_row(amd).is_some() => Outcome::Fault(ABSENT),
            _ => Outcome::NotModelled,
        }
    }

    fn write_intel_row(&mut self, row: Row, index: usize, value: u64) -> Outcome<()> {
        let width = self.shape.width;
        let counters = if row == Row::Fixed { &mut self.fixed } else { &mut self.general };
        let Some(counter) = counters.get_mut(index) else { return Outcome::Fault(ABSENT) };
        match row {
            // 32 bits, sign-extended to the width.
            Row::Counter => {
                let extended = u64::from(low(value)) | if value >> 31 & 1 != 0 { !0 << 32 } else { 0 };
                counter.value = extended & ((1 << width) - 1);
                Outcome::Done(())
            }
            Row::FullWidth | Row::Fixed => guarded(value, (1 << width) - 1, || counter.value = value),
            Row::Select => {
                let any_thread = if self.shape.version >= 5 { ANY_THREAD } else { 0 };
                guarded(value, u64::from(u32::MAX) & !any_thread, || counter.control = value)
            }
        }
    }

    fn read_amd(&self, register: u32) -> Outcome<u64> {
        match amd_row(register) {
            Some((bank, index, control)) => {
                let counters = if bank == AmdBank::Shared { &self.shared } else { &self.general };
                counters.get(index).map_or(Outcome::Fault(ABSENT), |counter| {
                    Outcome::Done(if control { counter.control } else { counter.value })
                })
            }
            None if intel_only(register) => Outcome::Fault(ABSENT),
            None => Outcome::NotModelled,
        }
    }

    fn write_amd(&mut self, register: u32, value: u64) -> Outcome<()> {
        let Some((bank, index, control)) = amd_row(register) else {
            return if intel_only(register) { Outcome::Fault(ABSENT) } else { Outcome::NotModelled };
        };
        let shared = bank == AmdBank::Shared;
        let width = self.shape.width;
        let counters = if shared { &mut self.shared } else { &mut self.general };
        let Some(counter) = counters.get_mut(index) else { return Outcome::Fault(ABSENT) };
        match (control, shared) {
            (true, false) => guarded(value, !AMD_RESERVED, || counter.control = value),
            (true, true) => guarded(value, !0, || counter.control = value),
            (false, _) => guarded(value, !0, || counter.value = value & ((1 << width) - 1)),
        }
    }

    fn global_bits(&self) -> u64 {
        ((1u64 << self.shape.general) - 1) | ((1u64 << self.shape.fixed) - 1) << 32
    }

    /// Four bits a counter; the one for any thread is reserved from version 5.
    fn fixed_control_bits(&self) -> u64 {
        let one = if self.shape.version >= 5 { 0b1011 } else { 0b1111 };
        (0..self.shape.fixed).fold(0, |bits, at| bits | one << (at * 4))
    }

    /// Counters whose control selects or enables something, and the interrupt.
    fn in_use(&self) -> u64 {
        let general =
            self.general.iter().enumerate().map(|(at, one)| u64::from(one.control & 0xFF != 0) << at);
        let fixed =
            (0..self.fixed.len()).map(|at| u64::from(self.fixed_control >> (at * 4) & 3 != 0) << (32 + at));
        let interrupts =
            self.general.iter().any(|one| one.control & INTERRUPT != 0) || self.fixed_control & 0x8888 != 0;
        general.chain(fixed).fold(u64::from(interrupts) << 63, |bits, bit| bits | bit)
    }
}

/// True when the counter wrapped.
fn advance(counter: &mut Counter, happened: u64, limit: u64) -> bool {
    counter.value += happened;
    let wrapped = counter.value >= limit;
    counter.value %= limit;
    wrapped
}

/// Runs the write when only allowed bits are set.
fn guarded(value: u64, allowed: u64, write: impl FnOnce()) -> Outcome<()> {
    if value & !allowed != 0 {
        return Outcome::Fault(RESERVED);
    }
    write();
    Outcome::Done(())
}

fn at(counters: &[Counter], index: u32) -> Option<&Counter> {
    counters.get(usize::try_from(index).ok()?)
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Row {
    Counter,
    FullWidth,
    Select,
    Fixed,
}

fn intel_row(register: u32) -> Option<(Row, usize)> {
    [
        (Row::Counter, msr::PMC_BASE, msr::GENERAL_NUMBERS),
        (Row::FullWidth, msr::FULL_WIDTH_PMC_BASE, msr::GENERAL_NUMBERS),
        (Row::Select, msr::PERFEVTSEL_BASE, msr::GENERAL_NUMBERS),
        (Row::Fixed, msr::FIXED_CTR_BASE, 4),
    ]
    .into_iter()
    .find_map(|(row, base, count)| Some((row, msr::index_in(register, base, count, 1)?)))
}

fn intel_only(register: u32) -> bool {
    matches!(register, msr::FIXED_CTR_CTRL..=msr::PERF_GLOBAL_INUSE | msr::PERF_CAPABILITIES)
        || intel_row(register).is_some()
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum AmdBank {
    Core,
    Shared,
}

/// Bank, index and whether it is the control.
fn amd_row(register: u32) -> Option<(AmdBank, usize, bool)> {
    let row = |base, count, step, bank, control| {
        msr::index_in(register, base, count, step).map(|index| (bank, index, control))
    };
    row(msr::AMD_CTL_BASE, 6, 2, AmdBank::Core, true)
        .or_else(|| row(msr::AMD_CTL_BASE + 1, 6, 2, AmdBank::Core, false))
        .or_else(|| row(msr::AMD_L3_CTL_BASE, 6, 2, AmdBank::Shared, true))
        .or_else(|| row(msr::AMD_L3_CTL_BASE + 1, 6, 2, AmdBank::Shared, false))
        .or_else(|| row(msr::AMD_LEGACY_CTL_BASE, 4, 1, AmdBank::Core, true))
        .or_else(|| row(msr::AMD_LEGACY_CTR_BASE, 4, 1, AmdBank::Core, false))
}

/// Event 04H of the L3 counters: unit bit 0 misses, all bits references. They
/// count for the thread that reads them.
fn amd_shared_event(control: u64) -> Event {
    match (control & ENABLE != 0 && control & 0xFF == 4, control >> 8 & 0xFF) {
        (true, 0x01) => Event::Misses,
        (true, 0xFF) => Event::References,
        _ => Event::None,
    }
}
