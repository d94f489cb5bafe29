//! temp
pub(crate) fn tick(now: u64) -> u64 {
    now + 1_000_000
}
pub(crate) fn start(_: &umbra_hw::cpuid::Inventory) -> Result<(), crate::spawn::SpawnError> {
    crate::spawn::control(main)
}
extern "sysv64" fn main(_: u64) -> ! {
    crate::spawn::begin();
    crate::println!("control task runs");
    let mut n = 0;
    loop {
        crate::schedule::sleep_until(crate::time::tsc_at(crate::time::now_ns() + 100_000_000));
        n += 1;
        crate::println!("beat {n}");
        for core in crate::cores::all() {
            crate::print!(
                " cpu{} irq {} sw {}",
                core.number,
                core.interrupts.load(core::sync::atomic::Ordering::Relaxed),
                core.switches.load(core::sync::atomic::Ordering::Relaxed)
            );
        }
        crate::println!();
        if n == 5 {
            crate::exit::end(crate::exit::Code::Success)
        }
    }
}
