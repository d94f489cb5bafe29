//! How long each step of the boot took. Before the clock is calibrated only
//! cycles are known, so the table is printed at the end.

use heapless::Vec;
use umbra_x86_64::cpu;

/// Steps there are at most.
const LIMIT: usize = 16;

/// A stop watch for boot.
pub(crate) struct Steps {
    begun: u64,
    last: u64,
    done: Vec<(&'static str, u64), LIMIT>,
}

impl Steps {
    pub(crate) fn begin() -> Self {
        let now = cpu::timestamp();
        Self { begun: now, last: now, done: Vec::new() }
    }

    /// Ends the step that was being timed.
    pub(crate) fn done(&mut self, name: &'static str) {
        let now = cpu::timestamp();
        // A step beyond the limit is not shown; there are fewer.
        let _ = self.done.push((name, now - self.last));
        self.last = now;
    }

    /// Total so far, in cycles.
    pub(crate) fn total(&self) -> u64 {
        self.last - self.begun
    }

    /// Prints every step in microseconds.
    pub(crate) fn print(&self) {
        for (name, cycles) in &self.done {
            crate::println!("  {name:<28} {:>9} us", crate::time::cycles_to_ns(*cycles) / 1_000);
        }
        crate::println!(
            "  {:<28} {:>9} us",
            "boot to console",
            crate::time::cycles_to_ns(self.total()) / 1_000
        );
    }
}
