//! Accesses a second of the model alone, by where they hit.

use std::time::Instant;

use umbra_model::{Description, Hierarchy};

fn main() {
    let machine = Description::named("xeon4").expect("built in");
    for (what, bytes, step) in [
        ("first level, same line", 16u64 << 10, 8u64),
        ("first level, next line", 16 << 10, 64),
        ("second level", 128 << 10, 64),
        ("shared level", 3 << 20, 64),
        ("memory", 256 << 20, 64),
    ] {
        let mut model = Hierarchy::new(&machine, 4000);
        let (mut now, mut address) = (0, 0);
        let accesses = 20_000_000u64;
        let begin = Instant::now();
        for _ in 0..accesses {
            address += step;
            if address >= bytes {
                address = 0;
            }
            now += 1 + model.access(0, address, false, now);
        }
        let nanoseconds = begin.elapsed().as_nanos();
        println!("{what:24} {} ps an access", nanoseconds * 1000 / u128::from(accesses));
    }
}
