//! Keeping second-class tasks to a share of cache and bandwidth while a
//! quarantine holds.
//!
//! What is wanted is one word. A core next to each cache is told by message
//! that it changed, brings its registers to it, reads them back, and says what
//! holds now; nobody waits. Each such core remembers what its registers held
//! before and gives back exactly that.

use core::sync::atomic::{AtomicU32, Ordering};

use alloc::boxed::Box;
use umbra_control::machine::{Refusal, Share, Shares};
use umbra_hw::rdt::Confinement;

use super::bus::MsrBus;
use super::division::SECOND_CLASS;
use super::{places, the};
use crate::cells::Handed;
use crate::cores::{Core, MAX_CORES};
use crate::schedule::{self, Message};

/// Nothing is confined.
const OPEN: u32 = 0;
/// The registers would not take it; they hold what they held at first.
const FAILED: u32 = u32::MAX;

static WANTED: AtomicU32 = AtomicU32::new(OPEN);
static HELD: [AtomicU32; MAX_CORES] = [const { AtomicU32::new(OPEN) }; MAX_CORES];
static CONFINEMENTS: [Handed<Option<Box<Confinement<'static>>>>; MAX_CORES] =
    [const { Handed::new(None) }; MAX_CORES];

/// Makes the state of the cores next to the caches, before scheduling begins.
pub(crate) fn prepare() {
    if shares() == Shares::default() {
        return;
    }
    for leader in places::leaders(3) {
        let made = Box::new(Confinement::new(&the().rdt, SECOND_CLASS));
        if let Some(place) = CONFINEMENTS.get(usize::from(leader)) {
            // SAFETY: scheduling has not begun, so no core looks at it yet.
            *unsafe { place.get() } = Some(made);
        }
    }
}

/// What can be kept from second-class tasks.
pub(crate) fn shares() -> Shares {
    let rdt = &the().rdt;
    let Some(l3) = rdt.l3.filter(|_| rdt.common_classes(false) > SECOND_CLASS) else {
        return Shares::default();
    };
    let least = rdt.mba.and_then(|mba| mba.least_percent());
    Shares {
        ways: l3.rules.length,
        least_percent: least.and_then(|percent| u8::try_from(percent).ok()).unwrap_or(0),
    }
}

/// Tells every cache's core what is wanted; none to give everything back.
/// When one cannot be told, those that were are told of what was before.
pub(crate) fn want(share: Option<Share>) -> Result<(), Refusal> {
    if shares() == Shares::default() {
        return Err(Refusal::Absent);
    }
    let before = WANTED.swap(share.map_or(OPEN, packed), Ordering::AcqRel);
    let Some(deaf) = places::leaders(3).find(|leader| !schedule::send(*leader, Message::Confine)) else {
        return Ok(());
    };
    WANTED.store(before, Ordering::Release);
    for told in places::leaders(3).take_while(|leader| *leader != deaf) {
        // It took a message just now; if not this one, it finds the old wish
        // whenever it is told of the next.
        let _ = schedule::send(told, Message::Confine);
    }
    Err(Refusal::Busy)
}

/// Whether every cache is divided so, as read back; none for everything given
/// back.
pub(crate) fn holds(share: Option<Share>) -> bool {
    let wanted = share.map_or(OPEN, packed);
    let held = |leader: u8| HELD.get(usize::from(leader)).map(|held| held.load(Ordering::Acquire));
    places::leaders(3).all(|leader| match held(leader) {
        // Nothing is changed there either.
        Some(FAILED) => wanted == OPEN,
        held => held == Some(wanted),
    })
}

/// Brings this core's cache to what is wanted. Interrupts are off. Bound: two
/// registers set and two given back.
pub(crate) fn follow(core: &Core) {
    let number = usize::from(core.number);
    let (Some(place), Some(held)) = (CONFINEMENTS.get(number), HELD.get(number)) else { return };
    // SAFETY: after `prepare` the state is this core's own; interrupts are off.
    let Some(confinement) = (unsafe { place.get() }) else { return };
    let wanted = WANTED.load(Ordering::Acquire);
    if held.load(Ordering::Relaxed) == wanted {
        return;
    }
    let [percent, ways, ..] = wanted.to_le_bytes();
    let result = match wanted {
        OPEN => confinement.lift(&mut MsrBus),
        _ => confinement.set(&mut MsrBus, ways, percent),
    };
    if let Err(refusal) = &result {
        crate::log_line!(Warn, "hardware: core {}: {refusal}", core.number);
    }
    held.store(if result.is_ok() { wanted } else { FAILED }, Ordering::Release);
}

fn packed(share: Share) -> u32 {
    u32::from_le_bytes([share.percent, share.ways, 0, 0])
}
