//! How much all cores together can read from memory, measured once: the whole
//! that bandwidth shares are taken of.

use core::hint::black_box;
use core::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use umbra_x86_64::cpu;

use crate::{cores, memory, time};

/// Bytes each core reads. Long enough to leave the caches of one core, short
/// enough for boot.
const BYTES_PER_CORE: u64 = 4 << 20;
/// Where the first core begins; the frames there belong to the allocator.
const FIRST_BYTE: u64 = 16 << 20;
/// How long the boot core waits for the others, in microseconds.
const PATIENCE_US: u64 = 2_000_000;

static GO: AtomicBool = AtomicBool::new(false);
static FINISHED: AtomicU32 = AtomicU32::new(0);

/// Lets every core read its stretch at the same time and returns bytes per
/// second; none when a core did not finish.
pub(crate) fn measure() -> Option<u64> {
    let count = u64::from(cores::count());
    if memory::usage()
        .is_none_or(|usage| u64::from(usage.managed) * 4096 < FIRST_BYTE + count * BYTES_PER_CORE)
    {
        return None;
    }
    let begun = cpu::timestamp();
    GO.store(true, Ordering::Release);
    read_stretch(0);
    let everybody = u32::from(cores::count()) - 1;
    let limit = begun.wrapping_add(time::ns_to_cycles(PATIENCE_US * 1_000));
    while FINISHED.load(Ordering::Acquire) < everybody {
        if cpu::timestamp() >= limit {
            return None;
        }
        cpu::relax();
    }
    let ns = time::cycles_to_ns(cpu::timestamp() - begun).max(1);
    u64::try_from(u128::from(count * BYTES_PER_CORE) * 1_000_000_000 / u128::from(ns)).ok()
}

/// An application processor's part: wait for the start, read, say so.
pub(crate) fn take_part(number: u8) {
    while !GO.load(Ordering::Acquire) {
        if cores::are_running() {
            return;
        }
        cpu::relax();
    }
    read_stretch(number);
    FINISHED.fetch_add(1, Ordering::Release);
}

fn read_stretch(number: u8) {
    let start = memory::window(FIRST_BYTE + u64::from(number) * BYTES_PER_CORE) as *const u64;
    let words = usize::try_from(BYTES_PER_CORE / 8).unwrap_or(0);
    let mut sum = 0u64;
    for index in 0..words {
        // SAFETY: the stretch is RAM that the window shows; the volatile read
        // takes whatever is there and nothing is concluded from it.
        sum = sum.wrapping_add(unsafe { start.add(index).read_volatile() });
    }
    black_box(sum);
}
