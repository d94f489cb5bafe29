//! The eviction experiment of [`umbra_memory::Timings`], on this machine.

use core::hint::black_box;
use core::sync::atomic::{AtomicU32, Ordering};

use alloc::vec::Vec;
use umbra_memory::{Class, ColourSet, Finding, Frame, Owner, TRIALS, Timings};
use umbra_x86_64::cpu;

use super::{Memory, colours, window, with};

/// Frames that are touched for each way of the last-level cache: as many slices
/// as there may be, twice, so that a hash that is uneven suffices.
const FRAMES_PER_WAY: usize = 32;
/// Bytes from one line of a page to a far one.
const HALF_PAGE: u64 = 2_048;
/// Ways there are at most, for the experiment's size.
const MOST_WAYS: u32 = 64;
/// Ways where CPUID does not say.
const UNKNOWN_WAYS: u32 = 16;

/// 0: not tried; 1: no signal; 2: not apart; 3 and above: apart, and confidence.
static FOUND: AtomicU32 = AtomicU32::new(0);

/// What the experiment found; none where it could not be made.
pub(crate) fn finding() -> Option<Finding> {
    match FOUND.load(Ordering::Relaxed) {
        0 => None,
        1 => Some(Finding::NoSignal),
        2 => Some(Finding::NotApart),
        more => Some(Finding::Apart { confidence_permille: more - 3 }),
    }
}

/// Makes the experiment, once, with interrupts off: some milliseconds at most.
/// The control task's heap is there and no task uses memory yet.
pub(crate) fn gather(ways: Option<u32>) -> Option<Finding> {
    let count = FRAMES_PER_WAY * usize::try_from(ways.unwrap_or(UNKNOWN_WAYS).min(MOST_WAYS)).ok()?;
    let all = colours::division().of(Class::Second);
    let mine = all.iter().next().map(ColourSet::only)?;
    let others = all.without(mine);
    if others.is_empty() {
        return None;
    }
    let timings = with(|memory| {
        let same = memory.borrow_frames(mine, count + 1);
        let other = memory.borrow_frames(others, count);
        let timings = same.split_first().filter(|(_, same)| same.len() == count && other.len() == count);
        let timings = timings.map(|(victim, same)| cpu::without_interrupts(|| time(*victim, same, &other)));
        memory.give_back(&same);
        memory.give_back(&other);
        timings
    })??;
    let finding = timings.finding(crate::machine::is_emulated());
    let code = match finding {
        Finding::NoSignal => 1,
        Finding::NotApart => 2,
        Finding::Apart { confidence_permille } => confidence_permille + 3,
    };
    FOUND.store(code, Ordering::Relaxed);
    Some(finding)
}

fn time(victim: Frame, same: &[Frame], other: &[Frame]) -> Timings {
    let mut timings = Timings::default();
    for trial in 0..TRIALS {
        for (set, into) in
            [(&[][..], &mut timings.near), (same, &mut timings.same), (other, &mut timings.other)]
        {
            load(victim, 0);
            // Twice: a cache that keeps what is used often must see use.
            set.iter().chain(set).for_each(|frame| load(*frame, 0));
            // Another line of its page: the translation is at hand in every
            // case, so that only caches make a difference.
            load(victim, HALF_PAGE);
            let begun = cpu::ordered_timestamp();
            load(victim, 0);
            let took = cpu::ordered_timestamp().wrapping_sub(begun);
            if let Some(place) = into.get_mut(trial) {
                *place = took;
            }
        }
    }
    timings
}

fn load(frame: Frame, offset: u64) {
    // SAFETY: the window shows the frame, which was allocated for this; the
    // offset lies inside it.
    black_box(unsafe { core::ptr::read_volatile(window(frame.address() + offset) as *const u64) });
}

impl Memory {
    /// As many frames as there are, up to `count`.
    fn borrow_frames(&mut self, colours: ColourSet, count: usize) -> Vec<Frame> {
        (0..count).map_while(|_| self.frames.allocate(colours, Owner::KERNEL).ok()).collect()
    }

    fn give_back(&mut self, frames: &[Frame]) {
        for frame in frames {
            if let Err(error) = self.frames.free(*frame, Owner::KERNEL) {
                crate::log_line!(Error, "memory: {error}");
            }
        }
    }
}
