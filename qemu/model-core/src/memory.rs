//! Memory behind the shared level: latency that rises with utilisation, and
//! buffers for lines on their way out.
//!
//! Utilisation is the bytes of closed windows, smoothed with weight 1/8, so
//! every core sees the same latency inside a window whatever order the cores
//! are emulated in. The weight is what keeps the loop of latency and demand
//! stable up to about 95 % (its gain there is about 13, and 1/8 * 14 < 2).

use crate::description::Description;

/// One in the fixed point of a utilisation.
const ONE: u64 = 1 << 16;
/// Highest utilisation that a latency is computed for: 98 %.
const CEILING: u64 = ONE * 98 / 100;
/// The smoothing weight is one in two to this.
const SMOOTHING_SHIFT: u32 = 3;

/// The memory and its controller.
#[derive(Clone, Debug)]
pub(crate) struct Memory {
    idle_cycles_q16: u64,
    queue_cycles_q16: u64,
    bytes_per_kilocycle: u64,
    writeback_buffers: u64,
    window_cycles: u64,
    window_end: u64,
    window_bytes: u64,
    window_writebacks: u64,
    utilisation_q16: u64,
    writeback_q16: u64,
    latency: u64,
}

impl Memory {
    pub(crate) fn new(machine: &Description, window_cycles: u64) -> Self {
        let cycles_q16 = |tenths_ns: u64| tenths_ns * machine.clock_mhz * ONE / 10_000;
        let mut memory = Self {
            idle_cycles_q16: cycles_q16(machine.memory.idle_tenths_ns),
            queue_cycles_q16: cycles_q16(machine.memory.queue_tenths_ns),
            bytes_per_kilocycle: (machine.memory.mb_per_s * 1000 / machine.clock_mhz).max(1),
            writeback_buffers: machine.writeback_buffers,
            window_cycles: window_cycles.max(1),
            window_end: window_cycles.max(1),
            window_bytes: 0,
            window_writebacks: 0,
            utilisation_q16: 0,
            writeback_q16: 0,
            latency: 0,
        };
        memory.latency = memory.latency_now();
        memory
    }

    /// Cycles that a read takes now, queueing included.
    #[inline]
    pub(crate) fn latency(&self) -> u64 {
        self.latency
    }

    /// Cycles of a read in an idle memory.
    pub(crate) fn idle_latency(&self) -> u64 {
        self.idle_cycles_q16 / ONE
    }

    /// Smoothed share of the bandwidth in use, in 1/65536.
    pub(crate) fn utilisation_q16(&self) -> u64 {
        self.utilisation_q16
    }

    pub(crate) fn read_line(&mut self) {
        self.window_bytes += crate::LINE_BYTES;
    }

    pub(crate) fn write_line(&mut self) {
        self.window_bytes += crate::LINE_BYTES;
        self.window_writebacks += 1;
    }

    /// Closes every window that ends at or before `now`.
    pub(crate) fn advance(&mut self, now: u64) {
        // After 512 empty windows nothing is left of the old ones.
        let behind = now.saturating_sub(self.window_end) / self.window_cycles;
        if behind > 512 {
            self.close_window();
            self.utilisation_q16 = 0;
            self.writeback_q16 = 0;
            self.window_end += (behind - 1) * self.window_cycles;
        }
        while now >= self.window_end {
            self.close_window();
        }
        self.latency = self.latency_now();
    }

    fn close_window(&mut self) {
        let capacity = self.bytes_per_kilocycle * self.window_cycles / 1000;
        let used = self.window_bytes * ONE / capacity.max(1);
        let slots = self.writeback_buffers * self.window_cycles;
        let filled = self.window_writebacks * self.idle_cycles_q16 / slots.max(1);
        smooth(&mut self.utilisation_q16, used);
        smooth(&mut self.writeback_q16, filled);
        self.window_bytes = 0;
        self.window_writebacks = 0;
        self.window_end += self.window_cycles;
    }

    /// The fit, plus the wait for a buffer when lines on their way out hold
    /// most of them: a miss that pushes a dirty line out needs one.
    fn latency_now(&self) -> u64 {
        let queueing = self.queue_cycles_q16 * odds_q16(self.utilisation_q16) / ONE;
        let buffers = self.idle_cycles_q16 / self.writeback_buffers * odds_q16(self.writeback_q16) / ONE;
        (self.idle_cycles_q16 + queueing + buffers) / ONE
    }
}

/// u / (1 - u), up to the ceiling.
fn odds_q16(utilisation_q16: u64) -> u64 {
    let u = utilisation_q16.min(CEILING);
    u * ONE / (ONE - u)
}

fn smooth(average: &mut u64, sample: u64) {
    let weight = 1 << SMOOTHING_SHIFT;
    *average = (*average * (weight - 1) + sample + weight / 2) / weight;
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Feeds `permille` of the bandwidth for long enough to settle.
    #[expect(clippy::cast_precision_loss, reason = "small test figures")]
    fn settled(permille: u64) -> (f64, u64) {
        let machine = Description::named("xeon4").expect("built in");
        let mut memory = Memory::new(&machine, 4000);
        let mut bytes = 0u64;
        for window in 1..=400u64 {
            // 11.35 bytes a cycle, 4000 cycles: 45400 bytes are all of it.
            while bytes < window * 45_400 * permille / 1000 {
                memory.read_line();
                bytes += 64;
            }
            memory.advance(window * 4000);
        }
        (memory.utilisation_q16() as f64 / 65_536.0, memory.latency())
    }

    #[test]
    #[expect(clippy::cast_precision_loss, reason = "small test figures")]
    fn latency_follows_the_measured_fit() {
        for permille in [0, 100, 250, 500, 700, 800, 900, 950] {
            let (u, latency) = settled(permille);
            let offered = permille as f64 / 1000.0;
            assert!((u - offered).abs() < 0.002, "utilisation {u} at {offered}");
            // 69.1 ns + 13.9 ns * u / (1 - u), two cycles a nanosecond.
            let expected = 2.0 * (69.1 + 13.9 * u / (1.0 - u));
            assert!((latency as f64 - expected).abs() < 1.5, "{latency} cycles at {u}, fit {expected}");
        }
    }

    #[test]
    fn latency_rises_with_load_and_is_bounded_above_all_of_it() {
        let latencies: Vec<u64> = [100, 500, 900, 1000, 2000, 4000].map(|load| settled(load).1).to_vec();
        assert!(latencies.is_sorted(), "{latencies:?}");
        // At the ceiling of 98 %: 2 * (69.1 + 13.9 * 49) = 1500.4.
        assert_eq!(latencies.last(), latencies.get(latencies.len() - 2));
        assert!((1498..=1501).contains(latencies.last().expect("some")), "{latencies:?}");
    }

    #[test]
    fn lines_on_their_way_out_delay_every_miss() {
        let machine = Description::named("xeon4").expect("built in");
        let mut read = Memory::new(&machine, 4000);
        let mut write = read.clone();
        for window in 1..=100u64 {
            for _ in 0..250 {
                read.read_line();
                write.write_line();
            }
            read.advance(window * 4000);
            write.advance(window * 4000);
        }
        assert_eq!(read.utilisation_q16(), write.utilisation_q16());
        assert!(write.latency() > read.latency() + 20, "{} and {}", write.latency(), read.latency());
    }

    #[test]
    fn a_long_silence_empties_the_queue_at_once() {
        let machine = Description::named("tiny").expect("built in");
        let mut memory = Memory::new(&machine, 1000);
        for _ in 0..100 {
            memory.read_line();
        }
        memory.advance(1000);
        assert!(memory.latency() > memory.idle_latency());
        memory.advance(10_000_000_000);
        assert_eq!(memory.latency(), memory.idle_latency());
    }
}
