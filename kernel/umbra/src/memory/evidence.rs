//! The eviction experiments of [`umbra_memory::Timings`], on this machine, and
//! what follows from them.

use core::hint::black_box;

use alloc::vec::Vec;
use spin::Once;
use umbra_memory::{Class, Colour, ColourSet, Colours, Finding, Frame, Owner, Probe, Timings, Verdict};
use umbra_x86_64::cpu;

use super::{Memory, colours, window, with};

/// Frames that are touched for each way of the last-level cache: as many slices
/// as there may be, twice, so that a hash that is uneven suffices.
const FRAMES_PER_WAY: usize = 32;
/// Ways there are at most, for the experiment's size.
const MOST_WAYS: u32 = 64;
/// Ways where CPUID does not say.
const UNKNOWN_WAYS: u32 = 16;

static VERDICT: Once<Verdict> = Once::new();

/// What the experiments led to; none before they were made.
pub(crate) fn verdict() -> Option<Verdict> {
    VERDICT.get().copied()
}

/// Makes the experiments, once, each with interrupts off: some milliseconds at
/// most. Where they contradict colours, frames are sorted by fewer from now on.
/// The control task's heap is there and no task has memory yet.
pub(crate) fn gather(ways: Option<u32>, can_divide_ways: bool) -> Option<Verdict> {
    let promised = with(|memory| memory.frames.colours())?;
    let count = FRAMES_PER_WAY * usize::try_from(ways.unwrap_or(UNKNOWN_WAYS).min(MOST_WAYS)).ok()?;
    let mine = colours::division().of(Class::Second).iter().next()?;
    let verdict = Verdict::survey(promised, can_divide_ways, |bit| {
        with(|memory| memory.experiment(mine, Colour(mine.0 ^ 1 << bit), count)).flatten()
    });
    if verdict.colours != promised {
        fold(verdict.colours);
    }
    VERDICT.call_once(|| verdict);
    Some(verdict)
}

/// Sorts frames by fewer colours.
fn fold(colours: Colours) {
    let division = umbra_memory::Division::usual(colours);
    colours::init(division);
    with(|memory| {
        memory.resort(colours);
        memory.kernel = division.of(Class::Kernel);
    });
    crate::machine::learn_colours();
}

/// Loads through the window.
struct Loads;

impl Probe for Loads {
    fn load(&mut self, frame: Frame, offset: u64) {
        // SAFETY: the window shows the frame, which was allocated for this; the
        // offset lies inside it.
        black_box(unsafe { core::ptr::read_volatile(window(frame.address() + offset) as *const u64) });
    }

    fn timed_load(&mut self, frame: Frame) -> u64 {
        let begun = cpu::ordered_timestamp();
        self.load(frame, 0);
        cpu::ordered_timestamp().wrapping_sub(begun)
    }
}

impl Memory {
    /// Whether frames of `other` leave those of `mine` alone; none where there
    /// are too few of either.
    fn experiment(&mut self, mine: Colour, other: Colour, count: usize) -> Option<Finding> {
        let same = self.borrow_frames(ColourSet::only(mine), count + 1);
        let other = self.borrow_frames(ColourSet::only(other), count);
        let finding = same.split_first().filter(|(_, same)| same.len() == count && other.len() == count);
        let finding = finding.map(|(victim, same)| {
            let timings = cpu::without_interrupts(|| Timings::take(&mut Loads, *victim, same, &other));
            timings.finding(crate::machine::is_emulated())
        });
        self.give_back(&same);
        self.give_back(&other);
        finding
    }

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
