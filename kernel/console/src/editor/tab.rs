//! The Tab key.

use super::{Editor, Last, bell, screen::COLUMNS};
use crate::complete::{Names, candidates, complete};
use core::fmt::Write;

impl Editor {
    /// The first Tab adds what is certain, the second lists what is possible.
    pub(super) fn complete(&mut self, last: Last, sink: &mut dyn Write, names: &dyn Names) {
        let completion = complete(self.line.before(), names);
        if completion.count > 1 && completion.addition.is_empty() && last == Last::Completed {
            self.leave_row(sink);
            list(self.line.before(), sink, names);
            return;
        }
        self.last = Last::Completed;
        let added = self.line.insert_all(&completion.addition)
            && (!completion.whole || self.line.after().starts_with(' ') || self.line.insert(' '));
        if !added || completion.count != 1 {
            bell(sink);
        }
    }
}

/// The candidates in columns.
fn list(text: &str, sink: &mut dyn Write, names: &dyn Names) {
    let mut widest = 0;
    candidates(text, names, &mut |name| widest = widest.max(name.chars().count()));
    let width = widest + 2;
    let a_row = (COLUMNS / width).max(1);
    let mut count = 0usize;
    candidates(text, names, &mut |name| {
        let _ = sink.write_str(match count {
            0 => "",
            _ if count.is_multiple_of(a_row) => "\r\n",
            _ => "  ",
        });
        let last_in_row = count % a_row + 1 == a_row;
        let _ = if last_in_row { sink.write_str(name) } else { write!(sink, "{name:widest$}") };
        count += 1;
    });
    let _ = sink.write_str("\r\n");
}
