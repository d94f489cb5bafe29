//! `mem colours`, `mem show`, `mem move`, `mem verify`.

use core::fmt::Write;

use heapless::String;
use umbra_console::parse::Memory;
use umbra_memory::{Class, Colour, ColourSet};

use super::page::{Page, Value, name, number};
use super::reply::{Message, Reply, message};
use crate::memory::{colours, evidence, verify};
use crate::recolour::{self, Report};
use crate::{tasks, workloads};

/// Characters of a colour's picture.
const WIDTH: u32 = 32;

/// `mem` with an argument.
#[inline(never)]
pub(super) fn run(reply: Reply, what: Memory<'_>) {
    match what {
        Memory::Totals => super::system::show_memory(reply),
        Memory::Colours => show_colours(reply),
        Memory::Show { task } => show_task(reply, task),
        Memory::Move { task, colours } => begin_move(reply, task, colours),
        Memory::Verify => check(reply),
    }
}

struct Row {
    counts: colours::Row,
    classes: String<48>,
    picture: String<{ WIDTH as usize }>,
    tasks: String<64>,
}

fn show_colours(reply: Reply) {
    let division = colours::division();
    let held: alloc::vec::Vec<_> =
        (0..tasks::SLOTS).filter_map(|slot| Some((slot, colours::of(slot)?))).collect();
    let row = |counts: colours::Row| {
        let colour = Colour(counts.colour);
        let (mut classes, mut holders) = (String::new(), String::new());
        for class in division.classes_of(colour) {
            let separator = if classes.is_empty() { "" } else { "," };
            // The names of all classes fit.
            let _ = write!(classes, "{separator}{}", class.name());
        }
        // Only those who hold fewer than all colours of their class tell
        // something; a list that is too long is cut.
        let own = |holding: &umbra_memory::Holding| holding.colours != division.of(holding.class);
        for (slot, _) in held.iter().filter(|(_, holding)| own(holding) && holding.colours.has(colour)) {
            let separator = if holders.is_empty() { "" } else { "," };
            let _ = write!(holders, "{separator}{slot}");
        }
        Row { counts, classes, picture: picture(counts), tasks: holders }
    };
    let rows: alloc::vec::Vec<Row> = colours::rows().into_iter().map(row).collect();
    reply.show(|page| {
        let fields = [
            number("colour", "COLOUR"),
            name("classes", "CLASSES"),
            name("picture", "FRAMES"),
            number("kernel", "KERNEL"),
            number("first_class", "FIRST"),
            number("shadow", "SHADOW"),
            number("second_class", "SECOND"),
            number("free", "FREE"),
            name("tasks", "TASKS"),
        ];
        page.line(format_args!("k kernel  f first-class  s shadow and echo  2 second-class  . free"))?;
        page.table("colours", fields, &rows, |row| {
            [
                Value::Number(u64::from(row.counts.colour)),
                Value::Text(&row.classes),
                Value::Text(&row.picture),
                Value::Number(u64::from(row.counts.kernel)),
                Value::Number(u64::from(row.counts.first)),
                Value::Number(u64::from(row.counts.shadow)),
                Value::Number(u64::from(row.counts.second)),
                Value::Number(u64::from(row.counts.free)),
                Value::Text(&row.tasks),
            ]
        })?;
        let found = evidence::verdict();
        let text = found.map_or(message(format_args!("not tried")), |found| message(format_args!("{found}")));
        page.note(format_args!("colours: {text}"), "evidence", Value::Text(&text))?;
        page.line(format_args!("TASKS: those that hold fewer than all colours of their class"))
    });
}

/// The frames of a colour as a bar; who has any has at least one character.
fn picture(row: colours::Row) -> String<{ WIDTH as usize }> {
    let parts = [(row.kernel, 'k'), (row.first, 'f'), (row.shadow, 's'), (row.second, '2')];
    let total = parts.iter().map(|(count, _)| count).sum::<u32>() + row.free;
    let mut bar = String::new();
    for (count, letter) in parts {
        let width = (u64::from(count) * u64::from(WIDTH)).div_ceil(u64::from(total.max(1)));
        // A bar that is full by rounding up ends there.
        (0..width).for_each(|_| drop(bar.push(letter)));
    }
    while bar.push('.').is_ok() {}
    bar
}

fn show_task(reply: Reply, task: u16) {
    let (Some(placed), Some(held)) = (verify::of(task), colours::of(task)) else {
        return reply.fail(&no_memory(task));
    };
    let (wanted, has) = (listed(held.colours), listed(placed.colours));
    let current = recolour::current().or_else(recolour::last).filter(|report| report.slot == task);
    let frames = |pages: u32| u64::from(pages);
    reply.show(|page| {
        page.facts(&[
            ("task", "task", Value::Number(u64::from(task))),
            ("name", "name", Value::Text(workloads::name_of(task))),
            ("class", "class", Value::Text(held.class.name())),
            ("colours it holds", "colours", Value::Text(&wanted)),
            ("colours of its pages", "colours_of_pages", Value::Text(&has)),
            ("pages", "pages", Value::Number(frames(placed.pages))),
            ("pages of other colours", "pages_outside", Value::Number(frames(placed.outside))),
            ("pages marked accessed", "pages_accessed", Value::Number(frames(placed.accessed))),
            ("pages are to move", "pending", Value::Flag(held.pending)),
        ])?;
        current.map_or(Ok(()), |report| show_move(page, &report))
    });
}

fn show_move(page: &mut Page<'_, '_>, report: &Report) -> core::fmt::Result {
    let colours = listed(report.wanted);
    let rate = report.pages_per_s();
    let per_ms = message(format_args!("{}.{:03}", rate / 1_000, rate % 1_000));
    page.facts(&[
        (if report.over { "last move: to" } else { "move under way: to" }, "move_to", Value::Text(&colours)),
        ("pages moved", "move_moved", Value::Number(u64::from(report.tally.moved))),
        ("of those in use, first", "move_hot", Value::Number(u64::from(report.tally.hot))),
        ("pages without a frame", "move_short", Value::Number(u64::from(report.tally.short))),
        ("took", "move_took_ns", Value::Ns(report.took_ns)),
        ("pages per millisecond", "move_pages_per_ms", Value::Text(&per_ms)),
        ("copy and remap, each", "move_page_ns", Value::Ns(report.ns_per_page())),
        ("cores asked again", "move_asked_again", Value::Number(u64::from(report.repeated))),
    ])
}

fn begin_move(reply: Reply, task: u16, list: &str) {
    let count = colours::division().all().count();
    let set = match ColourSet::parse(list, count) {
        Ok(set) => set,
        Err(error) => return reply.fail(&error),
    };
    match colours::change(task, set) {
        Ok(()) => {
            reply.done(format_args!("task {task} moves to colours {set}; the log tells when it is done"))
        }
        Err(umbra_memory::Refusal::NoTask(_)) => reply.fail(&no_memory(task)),
        Err(refusal) => reply.fail(&refusal),
    }
}

fn check(reply: Reply) {
    let verdict = verify::run();
    if !verdict.is_sound() {
        return reply.fail(&format_args!(
            "{} pages in foreign frames, {} not mapped, {} owners whose frames are not those mapped",
            verdict.foreign, verdict.missing, verdict.unequal
        ));
    }
    let division = colours::division();
    let apart = division.shared(Class::First, Class::Second).is_empty();
    reply.show(|page| {
        page.facts(&[
            ("tasks", "tasks", Value::Number(u64::from(verdict.tasks))),
            ("pages", "pages", Value::Number(u64::from(verdict.pages))),
            ("in frames of their own", "sound", Value::Flag(true)),
            ("of colours not held", "pages_outside", Value::Number(u64::from(verdict.outside))),
            ("first and second apart", "classes_apart", Value::Flag(apart)),
        ])
    });
}

fn no_memory(task: u16) -> Message {
    message(format_args!("no task {task} holds colours; expected a task's number (see 'ps')"))
}

/// How many colours, and which.
pub(super) fn listed(set: ColourSet) -> Message {
    message(format_args!("{} ({set})", set.count()))
}
