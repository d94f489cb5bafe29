//! Umbra: a scheduling runtime that keeps one latency-critical workload fast
//! while everything else uses what it leaves.
//!
//! This crate is the wiring. Policy is in `umbra-control`, the meaning of
//! registers in `umbra-hw`, privileged instructions in `umbra-x86_64`.
#![no_std]
#![no_main]

extern crate alloc;

mod aside;
mod boot;
mod cells;
mod control;
mod cores;
mod epitaph;
mod events;
mod exit;
mod faults;
mod first_class;
mod hardware;
mod heap;
mod job;
mod log;
mod machine;
mod memory;
mod recolour;
mod records;
mod retired;
mod schedule;
mod selftest;
mod serial;
mod shell;
mod spawn;
mod stop;
mod tasks;
mod time;
mod timeline;
mod trace;
mod watch;
mod workloads;

use bootloader_api::config::{BootloaderConfig, Mapping};
use bootloader_api::{BootInfo, entry_point};
use umbra_x86_64::cpu;
use umbra_x86_64::interrupts::{self, Handlers};

use boot::{clock, processor, ramdisk, start_cores, steps::Steps, tables};

static LOADER: BootloaderConfig = {
    let mut config = BootloaderConfig::new_default();
    config.kernel_stack_size = 128 << 10;
    config.mappings.physical_memory = Some(Mapping::Dynamic);
    // Ours are the two level-4 entries of `umbra-memory`'s layout, above these.
    config.mappings.dynamic_range_start = Some(0xFFFF_8000_0000_0000);
    config.mappings.dynamic_range_end = Some(0xFFFF_CFFF_FFFF_FFFF);
    config
};

entry_point!(kernel_main, config = &LOADER);

/// The boot, top to bottom.
fn kernel_main(info: &'static mut BootInfo) -> ! {
    time::begin();
    let mut steps = Steps::begin();
    serial::init();
    println!("\nUmbra {}", env!("CARGO_PKG_VERSION"));
    steps.done("serial port");

    let inventory = processor::inventory();
    let protection = cpu::protect(processor::protections(&inventory));
    steps.done("processor features");

    let window = info.physical_memory_offset.into_option().expect("the boot loader maps physical memory");
    let image = (info.kernel_image_offset, info.kernel_len);
    memory::init(&info.memory_regions, window, image, processor::colours(&inventory));
    steps.done("memory map");

    let audit = memory::enforce_write_xor_execute();
    steps.done("page tables");

    let (core, _) = cores::create(cores::CONTROL, 0).expect("memory for the boot core's state");
    // SAFETY: no other core runs, and this one has no table yet.
    unsafe {
        interrupts::install(Handlers {
            exception: faults::on_exception,
            timer: schedule::on_timer,
            doorbell: schedule::on_doorbell,
            counters: schedule::on_counters,
        });
    }
    cores::enter(core);
    steps.done("descriptor tables");

    let platform = tables::read(info);
    steps.done("ACPI tables");

    let apic_mode = boot::local_apic::enable(&inventory, &platform);
    steps.done("local APIC");

    let clock = clock::calibrate(&inventory, &platform);
    steps.done("clock calibration");

    hardware::detect(&inventory, &platform.nodes);
    memory::learn_nodes(&platform.nodes);
    hardware::arrive(cores::CONTROL);
    steps.done("counters and division");

    let count = start_cores::start(&platform.processors, protection);
    start_cores::connect(count).expect("memory for the rings between cores");
    steps.done("application processors");

    heap::init();
    steps.done("heap");

    ramdisk::read(info);
    steps.done("ramdisk");

    control::start(&inventory).expect("memory for the control task");
    steps.done("console");
    boot::note(&platform, &steps);
    boot::report::print(&inventory, protection, audit, apic_mode, clock, &steps);
    cores::begin_running();
    schedule::run()
}
