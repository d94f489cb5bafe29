//! Text tables with aligned columns.
//!
//! Without a heap the rows cannot be kept, so widths are either given, or found
//! by going over the rows twice: once with [`Table::measure`], once with
//! [`Table::row`]. A cell that is wider than its column is printed in full;
//! losing digits would be worse than a crooked line.

use core::fmt::{Display, Result, Write};

/// A column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Column {
    /// The heading, with the unit where cells show none.
    pub heading: &'static str,
    /// Least width, in characters; the heading's is the least anyway.
    pub width: usize,
    /// Where cells stand.
    pub align: Align,
}

/// Where a cell stands in its column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Align {
    /// Names.
    Left,
    /// Numbers.
    Right,
}

impl Column {
    /// A column of names.
    #[must_use]
    pub const fn left(heading: &'static str, width: usize) -> Self {
        Self { heading, width, align: Align::Left }
    }

    /// A column of numbers.
    #[must_use]
    pub const fn right(heading: &'static str, width: usize) -> Self {
        Self { heading, width, align: Align::Right }
    }
}

/// A table of `N` columns.
#[derive(Clone, Debug)]
pub struct Table<const N: usize> {
    columns: [Column; N],
}

impl<const N: usize> Table<N> {
    /// A table with these columns.
    #[must_use]
    pub fn new(columns: [Column; N]) -> Self {
        let wide_enough =
            |column: Column| Column { width: column.width.max(characters(&column.heading)), ..column };
        Self { columns: columns.map(wide_enough) }
    }

    /// Widens the columns so that these cells fit.
    pub fn measure(&mut self, cells: [&dyn Display; N]) {
        for (column, cell) in self.columns.iter_mut().zip(cells) {
            column.width = column.width.max(characters(cell));
        }
    }

    /// Writes the headings.
    ///
    /// # Errors
    /// Those of the sink.
    pub fn heading(&self, sink: &mut dyn Write) -> Result {
        let headings = self.columns.each_ref().map(|column| &column.heading as &dyn Display);
        self.row(sink, headings)
    }

    /// Writes a row: two spaces between columns, none at the end.
    ///
    /// # Errors
    /// Those of the sink.
    pub fn row(&self, sink: &mut dyn Write, cells: [&dyn Display; N]) -> Result {
        let mut owed = 0;
        for (column, cell) in self.columns.iter().zip(cells) {
            let length = characters(cell);
            let padding = column.width.saturating_sub(length);
            let (before, after) = match column.align {
                Align::Left => (0, padding),
                Align::Right => (padding, 0),
            };
            if length == 0 {
                owed += padding + 2;
                continue;
            }
            spaces(sink, owed + before)?;
            write!(sink, "{cell}")?;
            owed = after + 2;
        }
        sink.write_char('\n')
    }
}

fn spaces(sink: &mut dyn Write, count: usize) -> Result {
    (0..count).try_for_each(|_| sink.write_char(' '))
}

/// Characters that `cell` prints, counted without keeping them.
fn characters(cell: &dyn Display) -> usize {
    struct Counter(usize);
    impl Write for Counter {
        fn write_str(&mut self, text: &str) -> Result {
            self.0 += text.chars().count();
            Ok(())
        }
    }
    let mut counter = Counter(0);
    // A counter takes everything; a cell that fails to print counts as far as it got.
    let _ = write!(counter, "{cell}");
    counter.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::{Ns, Permille};
    use proptest::prelude::*;
    use std::string::String;

    #[test]
    fn columns_are_aligned() {
        let mut table =
            Table::new([Column::right("ID", 3), Column::left("NAME", 0), Column::right("SHARE", 0)]);
        let rows: [[&dyn Display; 3]; 3] =
            [[&1, &"compress", &Permille(1000)], [&12, &"", &Permille(5)], [&1234, &"é", &Ns(1)]];
        rows.iter().for_each(|row| table.measure(*row));
        let mut out = String::new();
        table.heading(&mut out).expect("fits");
        rows.iter().for_each(|row| table.row(&mut out, *row).expect("fits"));
        assert_eq!(
            out,
            "  ID  NAME        SHARE\n   1  compress  100.0 %\n  12              0.5 %\n1234  é            1 ns\n"
        );
    }

    #[test]
    fn a_wide_cell_is_kept_whole_and_no_line_ends_in_space() {
        let table = Table::new([Column::left("A", 2), Column::left("B", 9)]);
        let mut out = String::new();
        table.row(&mut out, [&"longer", &"x"]).expect("fits");
        table.row(&mut out, [&"", &""]).expect("fits");
        assert_eq!(out, "longer  x\n\n");
    }

    proptest! {
        #[test]
        fn measured_rows_are_equally_wide(cells in prop::collection::vec(("[a-zé]{1,9}", any::<u32>()), 1..9)) {
            let mut table = Table::new([Column::left("NAME", 0), Column::right("COUNT", 0)]);
            cells.iter().for_each(|(name, count)| table.measure([name, count]));
            let mut out = String::new();
            table.heading(&mut out).expect("fits");
            cells.iter().for_each(|(name, count)| table.row(&mut out, [name, count]).expect("fits"));
            let widths: std::vec::Vec<_> = out.lines().map(|line| line.chars().count()).collect();
            prop_assert!(widths.iter().all(|width| *width == widths[0]), "{out}");
        }
    }
}
