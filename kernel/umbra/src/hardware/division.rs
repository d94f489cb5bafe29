//! Dividing caches and bandwidth: which class and RMID a core works under, and
//! orders to the cores that own the registers.
//!
//! Mask and throttle registers belong to a cache, so a core next to it carries
//! an order out: the control core writes the order down, sends one message,
//! and reads the outcome. There is one order at a time and only the control
//! core gives any. What an order changes is checked, read back, and remembered
//! by a [`Session`] a cache, which can put everything back as it was.

use core::sync::atomic::{AtomicBool, Ordering};

use alloc::boxed::Box;
use heapless::Vec;
use umbra_hw::bus::Bus;
use umbra_hw::msr;
use umbra_hw::rdt::{Association, Part, QmEvent, QmReading, Refusal, Resource, Session};
use umbra_hw::rdt::{mask_register, qm_event_select};
use umbra_x86_64::cpu;

use super::bus::MsrBus;
use super::the;
use crate::cells::Handed;
use crate::cores::{Core, MAX_CORES};
use crate::schedule::{self, Message};
use crate::{tasks, time};

/// Registers of one kind that a cache has at most.
pub(crate) const REGISTERS: usize = 128;
/// RMIDs that are in use at most: those of the kernel and of each workload.
pub(crate) const RMIDS: u32 = 32;
/// How long the control core waits for another, in microseconds.
const PATIENCE_US: u64 = 200_000;
/// Times that a monitoring counter is asked before it counts as unavailable.
const ASKS: usize = 4;

/// The class that second-class tasks work under.
pub(crate) const SECOND_CLASS: u32 = 1;
/// The class of shadows and echoes.
const SHADOW: u32 = 2;

/// What a core is to do with registers that only it and its neighbours reach.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    Nothing,
    /// Set a capacity mask.
    Mask {
        resource: Resource,
        part: Part,
        class: u32,
        mask: u64,
    },
    /// Give a share of bandwidth.
    Percent {
        class: u32,
        percent: u32,
    },
    /// Limit bandwidth.
    Limit {
        resource: Resource,
        class: u32,
        eighths: u32,
    },
    /// Read what every class has.
    Read(Resource),
    /// Read what is monitored of the first RMIDs.
    Monitor(QmEvent),
}

/// An order and its outcome.
struct Desk {
    order: Order,
    refusal: Option<Refusal>,
    values: Vec<Option<u64>, REGISTERS>,
}

static DESK: Handed<Desk> = Handed::new(Desk { order: Order::Nothing, refusal: None, values: Vec::new() });
static DONE: AtomicBool = AtomicBool::new(true);
static SESSIONS: [Handed<Option<Box<Session<'static>>>>; MAX_CORES] =
    [const { Handed::new(None) }; MAX_CORES];

/// Why an order was not carried out.
#[derive(Clone, Copy, Debug)]
pub(crate) enum OrderError {
    Refused(Refusal),
    /// The core did not answer in time.
    NoAnswer(u8),
}

impl core::fmt::Display for OrderError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Refused(refusal) => refusal.fmt(f),
            Self::NoAnswer(core) => write!(f, "core {core} did not answer; ask again"),
        }
    }
}

/// Lets core `number` carry an order out and returns what it read. Control
/// core only; waits at most [`PATIENCE_US`].
pub(crate) fn give(number: u8, order: Order) -> Result<Vec<Option<u64>, REGISTERS>, OrderError> {
    let late = OrderError::NoAnswer(number);
    if !DONE.load(Ordering::Acquire) {
        return Err(late);
    }
    // SAFETY: no order is under way, so desk and sessions are the control
    // core's.
    let desk = unsafe { DESK.get() };
    if let Some(session) = SESSIONS.get(usize::from(number)) {
        // SAFETY: as above.
        unsafe { session.get() }.get_or_insert_with(|| Box::new(Session::new(&the().rdt)));
    }
    desk.order = order;
    desk.refusal = None;
    desk.values.clear();
    DONE.store(false, Ordering::Release);
    if !schedule::send(number, Message::Division) {
        DONE.store(true, Ordering::Release);
        return Err(late);
    }
    let limit = cpu::timestamp().wrapping_add(time::ns_to_cycles(PATIENCE_US * 1_000));
    while !DONE.load(Ordering::Acquire) {
        if cpu::timestamp() >= limit {
            return Err(late);
        }
        cpu::relax();
    }
    // SAFETY: the order is done, so the desk is the control core's again.
    let desk = unsafe { DESK.get() };
    match desk.refusal {
        Some(refusal) => Err(OrderError::Refused(refusal)),
        None => Ok(desk.values.clone()),
    }
}

/// Carries the order out: the core it was sent to, interrupts off. Bound:
/// [`REGISTERS`] registers.
pub(crate) fn carry_out(core: &Core) {
    if DONE.load(Ordering::Acquire) {
        return;
    }
    let Some(session) = SESSIONS.get(usize::from(core.number)) else { return };
    // SAFETY: the order is not done, so desk and session are this core's.
    let (desk, session) = unsafe { (DESK.get(), session.get()) };
    if let Some(session) = session {
        desk.refusal = desk.carry_out(session, &mut MsrBus).err();
    }
    DONE.store(true, Ordering::Release);
}

impl Desk {
    fn carry_out(&mut self, session: &mut Session<'_>, bus: &mut impl Bus) -> Result<(), Refusal> {
        match self.order {
            Order::Nothing => Ok(()),
            Order::Mask { resource, part, class, mask } => session.set_mask(bus, resource, part, class, mask),
            Order::Percent { class, percent } => {
                let throttle = session.set_bandwidth_percent(bus, class, percent)?;
                self.note(Some(u64::from(throttle)));
                Ok(())
            }
            Order::Limit { resource, class, eighths } => {
                session.set_bandwidth_limit(bus, resource, class, eighths)
            }
            Order::Read(resource) => {
                for class in 0..session.classes(resource) {
                    let register = mask_register(resource, Part::Both, class);
                    let value = register.and_then(|register| bus.read(register).ok());
                    self.note(value);
                }
                Ok(())
            }
            Order::Monitor(event) => {
                for rmid in 0..rmids() {
                    let count = monitor(bus, event, rmid)?;
                    self.note(count);
                }
                Ok(())
            }
        }
    }

    fn note(&mut self, value: Option<u64>) {
        // As many as the architecture has.
        let _ = self.values.push(value);
    }
}

/// What is counted for an RMID, in chunks; none while it is not available.
fn monitor(bus: &mut impl Bus, event: QmEvent, rmid: u32) -> Result<Option<u64>, Refusal> {
    let Some(monitoring) = &the().rdt.monitoring else { return Err(Refusal::Absent("monitoring")) };
    let select = qm_event_select(event, rmid, monitoring)?;
    for _ in 0..ASKS {
        bus.write(msr::QM_EVTSEL, select)?;
        match QmReading::from_bits(bus.read(msr::QM_CTR)?, monitoring.has_overflow_flag) {
            QmReading::Count(count) | QmReading::Overflowed(count) => return Ok(Some(count)),
            QmReading::Unavailable | QmReading::Error => {}
        }
    }
    Ok(None)
}

/// The first RMID of second-class workloads; those above are theirs too.
pub(crate) const FIRST_WORKLOAD: u32 = 4;

/// RMIDs in use, from 0.
pub(crate) fn rmids() -> u32 {
    let monitoring = the().rdt.monitoring;
    monitoring.map_or(0, |monitoring| monitoring.max_rmid.saturating_add(1).min(RMIDS))
}

/// The RMID that a task's accesses are counted under: one for each workload,
/// and 0, which is everybody else's, when there are not enough.
pub(crate) fn rmid_of(slot: u16, workload: u8) -> u32 {
    let rmid = match slot {
        tasks::CONTROL => 0,
        tasks::FIRST => 1,
        tasks::SHADOW => 2,
        tasks::ECHO => 3,
        _ => FIRST_WORKLOAD + u32::from(workload),
    };
    if rmid < rmids() { rmid } else { 0 }
}

/// The class that a task's accesses are limited by: 0 where there are none to
/// spare.
pub(crate) fn class_of(slot: u16) -> u32 {
    let class = match slot {
        tasks::CONTROL | tasks::FIRST => 0,
        tasks::SHADOW | tasks::ECHO => SHADOW,
        _ => SECOND_CLASS,
    };
    if class < the().rdt.common_classes(false) { class } else { 0 }
}

/// A core's association as last written. Its own, with interrupts off.
static ASSOCIATED: [Handed<u64>; MAX_CORES] = [const { Handed::new(0) }; MAX_CORES];
static ASSOCIATING: AtomicBool = AtomicBool::new(false);

/// Cores work under a class and RMID from here on, if there are any.
pub(super) fn begin() {
    let rdt = &the().rdt;
    let useful = rdt.common_classes(false) > 1 || rdt.monitoring.is_some();
    ASSOCIATING.store(useful, Ordering::Release);
}

/// Whether cores work under a class and RMID.
pub(crate) fn is_associating() -> bool {
    ASSOCIATING.load(Ordering::Relaxed)
}

/// Sets what the core holds back to class 0 and RMID 0, as after reset, and
/// tells code and data apart no longer where whoever ran before left it on:
/// each mask would be another class's.
pub(super) fn arrive(number: u8) {
    let rdt = &the().rdt;
    for (cache, register) in [(rdt.l3, msr::L3_QOS_CFG), (rdt.l2, msr::L2_QOS_CFG)] {
        if cache.is_some_and(|cache| cache.cdp) && MsrBus.read(register).is_ok_and(|bits| bits & 1 == 1) {
            crate::log_line!(Warn, "hardware: core {number}: code and data were told apart; no longer");
            // The register takes 0: it was announced.
            let _ = MsrBus.write(register, 0);
        }
    }
    if ASSOCIATING.load(Ordering::Relaxed)
        && let Err(fault) = MsrBus.write(msr::PQR_ASSOC, 0)
    {
        crate::log_line!(Warn, "hardware: core {number}: {fault}");
    }
}

/// The register's value for a task, computed once when the slot is filled.
pub(crate) fn association(slot: u16, workload: u8) -> u64 {
    if !is_associating() {
        return 0;
    }
    let rdt = &the().rdt;
    let association = Association { class: class_of(slot), rmid: rmid_of(slot, workload) };
    // Both were chosen below what there is.
    association.bits(rdt.association_classes(), rdt.max_rmid()).unwrap_or(0)
}

/// The core goes over to the task in `slot`: one write, none when nothing
/// changes. Interrupts are off.
#[inline]
pub(crate) fn enter(core: &Core, slot: u16) {
    if ASSOCIATING.load(Ordering::Relaxed) {
        associate(core, tasks::at(slot).association.load(Ordering::Relaxed));
    }
}

/// Runs `body` in the class of second-class tasks. Interrupts are off.
pub(super) fn in_second_class(core: &Core, body: impl FnOnce()) {
    let Some(last) = ASSOCIATED.get(usize::from(core.number)) else { return };
    // SAFETY: a core's association is its own, and interrupts are off.
    let before = unsafe { *last.get() };
    if ASSOCIATING.load(Ordering::Relaxed) {
        associate(core, association(tasks::SECOND, u8::MAX));
    }
    body();
    if ASSOCIATING.load(Ordering::Relaxed) {
        associate(core, before);
    }
}

fn associate(core: &Core, bits: u64) {
    let Some(last) = ASSOCIATED.get(usize::from(core.number)) else { return };
    // SAFETY: a core's association is its own, and interrupts are off.
    let last = unsafe { last.get() };
    if *last != bits {
        *last = bits;
        // SAFETY: the register was found, and `association` made the value of
        // a class and an RMID that exist.
        unsafe { cpu::write_msr(msr::PQR_ASSOC, bits) };
    }
}
