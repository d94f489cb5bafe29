//! Whatever a guest or a file says, the model answers.

use proptest::prelude::*;
use umbra_model::registers::{Effect, Outcome, Raw};
use umbra_model::{Description, Hierarchy, Registers};

fn register() -> impl Strategy<Value = u32> {
    prop_oneof![
        0xC0u32..0xD0,
        0x180u32..0x190,
        0x300u32..0x400,
        0xC80u32..0xD98,
        0xC81u32..0xC83,
        0xC001_0000u32..0xC001_0240,
        any::<u32>()
    ]
}

fn value() -> impl Strategy<Value = u64> {
    prop_oneof![
        0u64..0x1000,
        any::<u64>(),
        (0u32..64).prop_map(|bit| 1 << bit),
        any::<u32>().prop_map(u64::from)
    ]
}

proptest! {
    #[test]
    fn any_sequence_of_register_accesses_and_their_effects_is_survived(
        name in prop::sample::select(Description::names()),
        steps in prop::collection::vec((register(), value(), 0usize..10, any::<u32>()), 1..60),
    ) {
        let machine = Description::named(&name).expect("built in");
        let mut registers = Registers::new(&machine);
        let mut hierarchy = Hierarchy::new(&machine, 1000);
        let mut raw = Raw::default();
        for (register, value, thread, step) in steps {
            raw.cycles += u64::from(step);
            raw.instructions += u64::from(step) / 2;
            let thread = thread % machine.threads();
            match registers.write(thread, register, value, &raw) {
                Outcome::Done(Effect::Associate { class, resource_id }) => hierarchy.associate(thread, class, resource_id),
                Outcome::Done(Effect::Mask { class, mask }) => hierarchy.set_mask(class, mask),
                Outcome::Done(Effect::SecondMask { class, mask }) => hierarchy.set_second_mask(class, mask),
                Outcome::Done(Effect::CodeAndData { second, apart }) => hierarchy.set_code_and_data(second, apart),
                Outcome::Done(Effect::Throttle { class, throttle }) => hierarchy.set_throttle(class, throttle),
                _ => {}
            }
            if let Outcome::Done(read) = registers.read_counter(thread, register, &raw) {
                prop_assert!(read < 1 << 48);
            }
            let _ = registers.read(thread, register, &raw, &hierarchy);
            let _ = registers.cpuid(thread, register, step, [step; 4]);
            let address = value % hierarchy.address_limit();
            hierarchy.access(thread, address, step & 1 == 0, raw.cycles);
            hierarchy.advance(raw.cycles);
        }
    }

    #[test]
    fn latency_never_falls_below_idle_nor_rises_above_the_ceiling(
        loads in prop::collection::vec((0u64..5_000, 0u64..100_000), 1..100),
    ) {
        let machine = Description::named("xeon4").expect("built in");
        let mut hierarchy = Hierarchy::new(&machine, 4000);
        let mut now = 0;
        for (lines, pause) in loads {
            for line in 0..lines {
                hierarchy.access(0, (now + line) * 64, line % 2 == 0, now);
            }
            now += pause;
            hierarchy.advance(now);
            // 138.2 idle; at the ceiling 2 * (69.1 + 13.9 * 49) and 11.5 * 49 more for the buffers.
            prop_assert!((138..=2070).contains(&hierarchy.memory_latency()), "{}", hierarchy.memory_latency());
        }
    }

    #[test]
    fn any_machine_file_is_read_or_refused_in_one_line(text in ".{0,200}", name in "[a-z0-9]{0,8}") {
        if let Err(error) = Description::from_file(&text, &name) {
            prop_assert!(!error.contains('\n'), "{error}");
        }
    }
}
