//! Starting the application processors, and the rings between all cores.

use core::sync::atomic::Ordering;

use heapless::Vec;
use umbra_hw::acpi::Processor;
use umbra_sched::{Roles, initial_roles};
use umbra_x86_64::apic;
use umbra_x86_64::cpu::{self, Protection};
use umbra_x86_64::smp::Trampoline;

use crate::cores::{self, Core, MAX_CORES};
use crate::memory::{self, MemoryError};
use crate::schedule::{self, Mailbox};
use crate::{hardware, log_line, time};

/// What an application processor needs on its way up.
static PROTECTION: spin::Once<Protection> = spin::Once::new();

/// Starts every processor the platform names but this one; those that do not
/// answer are reported and left out. Returns how many run, this one included.
pub(crate) fn start(processors: &[Processor], protection: Protection) -> u8 {
    PROTECTION.call_once(|| protection);
    let mut running = 1u8;
    let me = cores::this().apic_id();
    let others = || processors.iter().filter(move |processor| processor.apic_id != me);
    if others().next().is_none() {
        return running;
    }
    let trampoline = memory::take_low_page().and_then(|(page, root)| {
        // SAFETY: the page was taken from usable memory and mapped for this.
        let trampoline = unsafe { Trampoline::install(page, memory::window(page) as *mut u8, root) };
        trampoline.map(|trampoline| (trampoline, page))
    });
    let Some((trampoline, page)) = trampoline else {
        log_line!(Warn, "cores: no usable page below 1 MiB, or page tables above 4 GiB: running on one core");
        return running;
    };
    // First one thread of every core: so the first-class core shares its core
    // with the control core only where there is no other.
    let place = |processor: &Processor| hardware::the().inventory.topology.place(processor.apic_id);
    let mut order: Vec<&Processor, MAX_CORES> = others().collect();
    order.sort_unstable_by_key(|processor| (place(processor).thread, processor.apic_id));
    for processor in order {
        if usize::from(running) >= MAX_CORES {
            log_line!(Warn, "cores: APIC id {} left out: {MAX_CORES} cores are supported", processor.apic_id);
            continue;
        }
        if !apic::can_reach(processor.apic_id) {
            log_line!(Warn, "cores: APIC id {} left out: it takes an x2APIC", processor.apic_id);
            continue;
        }
        match start_one(&trampoline, running, processor.apic_id) {
            Ok(true) => running += 1,
            Ok(false) => {
                log_line!(Warn, "cores: APIC id {} did not answer and is left out", processor.apic_id);
                cores::forget(running);
            }
            Err(error) => log_line!(Warn, "cores: APIC id {} left out: {error}", processor.apic_id),
        }
    }
    memory::give_up_low_page(page);
    running
}

fn start_one(trampoline: &Trampoline, number: u8, apic_id: u32) -> Result<bool, MemoryError> {
    let (core, stack_top) = cores::create(number, apic_id)?;
    let argument = core::ptr::from_ref(core) as u64;
    // SAFETY: the stack was just mapped for this core; `enter` sets up the rest.
    Ok(unsafe { trampoline.start(apic_id, stack_top, enter, argument, &core.online, &time::pause_us) })
}

/// Where an application processor arrives from the trampoline.
extern "sysv64" fn enter(argument: u64) -> ! {
    // SAFETY: `start_one` passed a reference to a `Core` that is never freed.
    let core = unsafe { &*(argument as *const Core) };
    cores::enter(core);
    if let Some(protection) = PROTECTION.get() {
        cpu::protect(*protection);
    }
    // SAFETY: the boot core has chosen the mode; the interrupt table is loaded.
    unsafe { apic::enable() };
    apic::mask_timer();
    hardware::arrive(core.number);
    core.online.store(1, Ordering::Release);
    super::bandwidth::take_part(core.number);
    while !cores::are_running() {
        cpu::relax();
    }
    schedule::run()
}

/// Makes a ring for each pair of cores and gives each core its ends and its
/// first roles. Before scheduling begins.
pub(crate) fn connect(count: u8) -> Result<(), MemoryError> {
    cores::set_count(count);
    let side = usize::from(count);
    let room = memory::object::<Mailbox>(side * side)?;
    let mesh: &'static [Mailbox] = {
        room.iter_mut().for_each(|place| {
            place.write(Mailbox::new());
        });
        // SAFETY: every element was just written, and the room is never freed.
        unsafe { core::slice::from_raw_parts(room.as_ptr().cast(), side * side) }
    };
    for (number, core) in cores::all().enumerate() {
        let mut outgoing = Vec::new();
        let mut incoming = Vec::new();
        for other in 0..side {
            // Each end is claimed once; there are at most MAX_CORES of them.
            if let Some(producer) = mesh[number * side + other].producer() {
                let _ = outgoing.push(producer);
            }
            if let Some(consumer) = mesh[other * side + number].consumer() {
                let _ = incoming.push(consumer);
            }
        }
        let roles: Roles = initial_roles(core.number, count);
        core.confirm(roles);
        // SAFETY: scheduling has not begun, so the core does not look at its
        // state yet.
        unsafe { &mut *core.owned.get() }.configure(roles, outgoing, incoming);
    }
    Ok(())
}
