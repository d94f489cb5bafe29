//! Tests that need the machine: booted in an emulator, run by the control
//! task, reported as libtest does.

mod bench;
mod bench_hardware;
mod colours;
mod confine;
mod faults;
mod forbidden;
mod frames;
pub(crate) mod harness;
mod isolation;
mod line;
mod memory;
mod tasks;

use harness::{Case, Outcome};

use crate::exit::{self, Code};
use crate::{log, println};

/// Every case, in the order they run. A name's part before the colon is its
/// group, which the boot configuration may choose.
const CASES: &[Case] = &[
    Case { name: "boot: every processor of the MADT runs", run: tasks::every_processor_runs },
    Case { name: "boot: no page is writable and executable", run: memory::write_xor_execute },
    Case { name: "boot: guards below stacks are not mapped", run: memory::guards_are_unmapped },
    Case { name: "memory: the heap gives back what it gave", run: memory::heap_round_trip },
    Case { name: "memory: task memory is zeroed, coloured and given back", run: memory::tasks_leave_nothing },
    Case { name: "memory: a task's frames are of its core's node", run: memory::near_frames_first },
    Case { name: "tasks: sleep ends at its deadline, not before", run: tasks::sleep_is_not_short },
    Case { name: "tasks: each core runs second-class work", run: tasks::every_core_works },
    Case { name: "tasks: tasks of one core share it fairly", run: tasks::sharing_is_fair },
    Case { name: "tasks: pause stops and resume goes on", run: tasks::pause_and_resume },
    Case { name: "tasks: migration loses no work", run: tasks::migration },
    Case { name: "tasks: stop ends a paused task", run: tasks::stop_paused },
    Case { name: "tasks: a dedicated core is left alone", run: tasks::dedicate_and_share },
    Case { name: "tasks: messages about tasks that are gone do nothing", run: tasks::stale_messages },
    Case { name: "workloads: a unit gives the same checksum on every core", run: tasks::same_checksum },
    Case { name: "colours: timing does not contradict them", run: colours::evidence_is_told },
    Case { name: "colours: every mapping is sound", run: colours::mappings_are_sound },
    Case {
        name: "colours: a running task is moved and its sum holds",
        run: colours::recoloured_while_running,
    },
    Case { name: "colours: a paused task is moved and stays paused", run: colours::recoloured_while_paused },
    Case { name: "colours: a task ended in a move leaves nothing", run: colours::moves_leave_nothing },
    Case { name: "colours: the first-class task is moved at rest", run: colours::first_class_moves },
    Case {
        name: "colours: a plan sets the classes apart, and its undoing gives all back",
        run: colours::set_apart_and_reunited,
    },
    Case { name: "isolation: colours alone keep misses as when alone", run: isolation::by_colours },
    Case {
        name: "isolation: colours and ways keep misses as when alone",
        run: isolation::by_colours_and_ways,
    },
    Case { name: "confine: registers read back and are given back exactly", run: confine::exact_undo },
    Case { name: "confine: occupancy and bandwidth follow", run: confine::occupancy_follows },
    Case { name: "confine: a share of bandwidth is kept and given back", run: confine::bandwidth_follows },
    Case { name: "budget: throttle values are calibrated", run: confine::calibration },
    Case { name: "budget: streams are held by the closed loop", run: confine::held_by_loop },
    Case { name: "budget: streams are held by a limit set once", run: confine::held_by_limit },
    Case { name: "budget: streams are held by rations of misses", run: confine::held_by_ration },
    Case { name: "budget: rations leave a first-class core alone", run: confine::first_class_is_left_alone },
    Case { name: "line: search is prepared and answers", run: line::search_answers },
    Case { name: "line: a burst on a dedicated core is not interrupted", run: line::burst_undisturbed },
    Case { name: "line: a profile is recorded and a shadow made from it", run: line::profile_and_shadow },
    Case {
        name: "line: concept quarantines before the release and undoes it",
        run: line::concept_quarantine,
    },
    Case { name: "line: an echo runs real requests aside", run: line::echo },
    Case { name: "line: patent remembers an incompatible pair", run: line::patent_remembers },
    Case { name: "faults: panic is the task's own", run: faults::panic },
    Case { name: "faults: stack overflow is the task's own", run: faults::overflow },
    Case { name: "faults: checked division by zero is the task's own", run: faults::divide },
    Case { name: "faults: the processor's divide error is the task's own", run: faults::hardware },
    Case { name: "faults: a task that never yields is held", run: faults::spin },
    Case { name: "faults: exhausted memory is the task's own", run: faults::exhaust },
];

/// Measures what hot paths cost, or only a group of them, and ends the machine.
pub(crate) fn bench(group: Option<&str>) -> ! {
    bench::run(group)
}

/// Runs the cases of `group`, or all, and ends the machine.
pub(crate) fn run(group: Option<&str>) -> ! {
    if group == Some(forbidden::GROUP) {
        forbidden::write_mask();
    }
    let chosen = |case: &&Case| group.is_none_or(|group| case.name.starts_with(group));
    println!("\nrunning {} tests", CASES.iter().filter(chosen).count());
    let (mut passed, mut failed, mut ignored) = (0u32, 0u32, 0u32);
    for case in CASES.iter().filter(chosen) {
        let outcome = (case.run)();
        harness::clear();
        match outcome {
            Ok(Outcome::Passed) => {
                passed += 1;
                println!("test {} ... ok", case.name);
            }
            Ok(Outcome::Needs(what)) => {
                ignored += 1;
                println!("test {} ... ignored, needs {what}", case.name);
            }
            Err(reason) => {
                failed += 1;
                println!("test {} ... FAILED: {reason}", case.name);
            }
        }
    }
    log::collect(&mut |record| println!("{record}"));
    let verdict = if failed == 0 { "ok" } else { "FAILED" };
    println!("\ntest result: {verdict}. {passed} passed; {failed} failed; {ignored} ignored");
    exit::end(if failed == 0 { Code::Success } else { Code::Failure })
}
