//! Keeping second-class tasks to a share of cache and bandwidth.
//!
//! What is wanted is two words, one for ways and one for the limit of bandwidth.
//! A core next to each cache is told by message that they changed, brings its
//! registers to them, reads them back, and says what holds now; nobody waits.
//! Each such core remembers what its registers held before and gives back exactly
//! that. Which limit a share of bandwidth takes, and whether it takes registers
//! at all, is for [`hold`] to say.

use core::sync::atomic::{AtomicU32, Ordering};

use alloc::boxed::Box;
use umbra_control::machine::{Refusal, Share, Shares};
use umbra_hw::rdt::{Confinement, Limit};

use super::bus::MsrBus;
use super::division::SECOND_CLASS;
use super::{hold, places, the};
use crate::cells::Handed;
use crate::cores::{Core, MAX_CORES};
use crate::schedule::{self, Message};

/// As it was found.
const OPEN: u32 = 0;
/// The register would not take it; it holds what it held at first.
const FAILED: u32 = u32::MAX;
/// Marks of a limit that is packed with its kind.
const LIMITED: u32 = 1 << 31;
const EIGHTHS: u32 = 1 << 30;

/// One word for each of the two.
struct Words {
    ways: AtomicU32,
    limit: AtomicU32,
}

impl Words {
    const fn new() -> Self {
        Self { ways: AtomicU32::new(OPEN), limit: AtomicU32::new(OPEN) }
    }
}

static WANTED: Words = Words::new();
static HELD: [Words; MAX_CORES] = [const { Words::new() }; MAX_CORES];
static CONFINEMENTS: [Handed<Option<Box<Confinement<'static>>>>; MAX_CORES] =
    [const { Handed::new(None) }; MAX_CORES];

/// Makes the state of the cores next to the caches, before scheduling begins.
pub(crate) fn prepare() {
    if !has_registers() {
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

/// Whether second-class tasks have a class of their own.
pub(crate) fn has_registers() -> bool {
    the().rdt.common_classes(false) > SECOND_CLASS
}

/// What can be kept from second-class tasks.
pub(crate) fn shares() -> Shares {
    let l3 = the().rdt.l3.filter(|_| has_registers());
    let ways = l3.map_or(0, |l3| l3.rules.length);
    // A cache of one way cannot be divided.
    Shares { ways: if ways > 1 { ways } else { 0 }, least_percent: hold::least_percent() }
}

/// Confines second-class tasks to a share; none gives everything back. When a
/// core cannot be told, everything is as before. Control core only.
pub(crate) fn want(share: Option<Share>) -> Result<(), Refusal> {
    if shares() == Shares::default() {
        return Err(Refusal::Absent);
    }
    let ways = share.map_or(OPEN, |share| u32::from(share.ways));
    let before = WANTED.ways.swap(ways, Ordering::AcqRel);
    let held_before = hold::quarantine(share.map(|share| share.percent).filter(|percent| *percent < 100));
    if tell() {
        return Ok(());
    }
    WANTED.ways.store(before, Ordering::Release);
    hold::quarantine(held_before);
    // Those that were told find what was before; who does not hear of it now
    // finds it whenever it is told of the next.
    let _ = tell();
    Err(Refusal::Busy)
}

/// Sets the limit, none for what was found; false when a core could not be told:
/// ask again.
pub(super) fn want_limit(limit: Option<Limit>) -> bool {
    WANTED.limit.store(limit.map_or(OPEN, packed), Ordering::Release);
    tell()
}

/// Whether every cache has the limit that is wanted.
pub(super) fn has_limit() -> bool {
    let wanted = WANTED.limit.load(Ordering::Acquire);
    held().all(|held| held.limit.load(Ordering::Acquire) == wanted)
}

/// Whether a register would not take its limit.
pub(super) fn limit_failed() -> bool {
    held().any(|held| held.limit.load(Ordering::Acquire) == FAILED)
}

/// Whether the class has other than what was found.
pub(crate) fn is_in_effect() -> bool {
    [&WANTED.ways, &WANTED.limit].into_iter().any(|word| word.load(Ordering::Acquire) != OPEN)
}

/// Whether a share is in effect, as read back; none for everything given back.
/// A limit may be on its way from one value to the next.
pub(crate) fn holds(share: Option<Share>) -> bool {
    let ways = share.map_or(OPEN, |share| u32::from(share.ways));
    let limit = WANTED.limit.load(Ordering::Acquire);
    let registers = held().all(|held| {
        let same_ways = match held.ways.load(Ordering::Acquire) {
            // Nothing is changed there either.
            FAILED => ways == OPEN,
            held => held == ways,
        };
        same_ways
            && match held.limit.load(Ordering::Acquire) {
                FAILED => limit == OPEN,
                held => (held == OPEN) == (limit == OPEN),
            }
    });
    registers && hold::is_followed()
}

/// Tells every cache's core that something changed.
fn tell() -> bool {
    let deaf = |leader: &u8| !schedule::send(*leader, Message::Confine);
    !has_registers() || places::leaders(3).filter(deaf).count() == 0
}

fn held() -> impl Iterator<Item = &'static Words> {
    let there = has_registers();
    places::leaders(3).filter(move |_| there).filter_map(|leader| HELD.get(usize::from(leader)))
}

/// Brings this core's cache to what is wanted. Interrupts are off. Bound: two
/// registers written and read back.
pub(crate) fn follow(core: &Core) {
    let number = usize::from(core.number);
    let (Some(place), Some(held)) = (CONFINEMENTS.get(number), HELD.get(number)) else { return };
    // SAFETY: after `prepare` the state is this core's own; interrupts are off.
    let Some(confinement) = (unsafe { place.get() }) else { return };
    let bring = |wanted: &AtomicU32, held: &AtomicU32, set: &mut dyn FnMut(u32) -> Result<(), _>| {
        let wanted = wanted.load(Ordering::Acquire);
        if held.load(Ordering::Relaxed) == wanted {
            return;
        }
        let result: Result<(), umbra_hw::rdt::Refusal> = set(wanted);
        if let Err(refusal) = &result {
            crate::log_line!(Warn, "hardware: core {}: {refusal}", core.number);
        }
        held.store(if result.is_ok() { wanted } else { FAILED }, Ordering::Release);
    };
    bring(&WANTED.ways, &held.ways, &mut |ways| {
        confinement.set_ways(&mut MsrBus, u8::try_from(ways).ok().filter(|ways| *ways > 0))
    });
    bring(&WANTED.limit, &held.limit, &mut |limit| confinement.set_limit(&mut MsrBus, unpacked(limit)));
}

const fn packed(limit: Limit) -> u32 {
    match limit {
        Limit::Throttle(value) => LIMITED | value & (EIGHTHS - 1),
        Limit::Eighths(eighths) => LIMITED | EIGHTHS | eighths & (EIGHTHS - 1),
    }
}

const fn unpacked(word: u32) -> Option<Limit> {
    let value = word & (EIGHTHS - 1);
    match (word & LIMITED != 0, word & EIGHTHS != 0) {
        (false, _) => None,
        (true, false) => Some(Limit::Throttle(value)),
        (true, true) => Some(Limit::Eighths(value)),
    }
}
