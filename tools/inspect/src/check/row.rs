/// Whether a row holds, or why not.
pub(super) type Outcome = Result<(), String>;

/// A row and the names of its columns.
#[derive(Debug)]
pub(super) struct Row<'l> {
    columns: Vec<&'l str>,
    fields: Vec<&'l str>,
}

impl<'l> Row<'l> {
    pub(super) fn new(columns: &'l str, line: &'l str) -> Self {
        Self { columns: columns.split('\t').collect(), fields: line.split('\t').collect() }
    }

    /// The text in a column, empty if the row ends before it.
    pub(super) fn text(&self, column: usize) -> &'l str {
        self.fields.get(column).copied().unwrap_or_default()
    }

    /// The name of a column.
    pub(super) fn name(&self, column: usize) -> &'l str {
        self.columns.get(column).copied().unwrap_or_default()
    }

    /// How many columns there are.
    pub(super) fn width(&self) -> usize {
        self.columns.len()
    }

    /// A decimal number.
    pub(super) fn decimal(&self, column: usize) -> Result<u64, String> {
        let text = self.text(column);
        text.trim().parse().map_err(|_| format!("{} is not a number: {text:?}", self.name(column)))
    }

    /// A hexadecimal number, `0x` or not, words after it left out.
    pub(super) fn hex(&self, column: usize) -> Result<u64, String> {
        let text = self.text(column);
        hex(text).ok_or_else(|| format!("{} is not a hexadecimal number: {text:?}", self.name(column)))
    }

    /// A decimal number of at most 32 bits.
    pub(super) fn decimal32(&self, column: usize) -> Result<u32, String> {
        self.decimal(column).and_then(narrow)
    }

    /// A hexadecimal number of at most 32 bits.
    pub(super) fn hex32(&self, column: usize) -> Result<u32, String> {
        self.hex(column).and_then(narrow)
    }

    /// A decimal number of at most 8 bits.
    pub(super) fn decimal8(&self, column: usize) -> Result<u8, String> {
        self.decimal(column)
            .and_then(|number| u8::try_from(number).map_err(|_| format!("{number} is too large")))
    }
}

fn narrow(number: u64) -> Result<u32, String> {
    u32::try_from(number).map_err(|_| format!("{number} is too large"))
}

/// The hexadecimal number that a text begins with.
pub(super) fn hex(text: &str) -> Option<u64> {
    let text = text.trim();
    let digits = text.strip_prefix("0x").unwrap_or(text);
    let end = digits.find(|letter: char| !letter.is_ascii_hexdigit()).unwrap_or(digits.len());
    u64::from_str_radix(digits.get(..end)?, 16).ok()
}

/// Compares what came out with what was expected.
pub(super) fn same<T: PartialEq + std::fmt::Display>(found: T, expected: T) -> Outcome {
    if found == expected { Ok(()) } else { Err(format!("got {found}")) }
}

/// The same for numbers that are written in hexadecimal.
pub(super) fn same_hex(found: u64, expected: u64) -> Outcome {
    if found == expected { Ok(()) } else { Err(format!("got {found:x}")) }
}

/// Whether being refused is what the row expects.
pub(super) fn refused<T>(result: &Result<T, impl std::fmt::Display>, expected: &str) -> Result<bool, String> {
    let wants_refusal =
        expected.starts_with("reject") || expected.starts_with("#GP") || expected.starts_with("refuse");
    match (result, wants_refusal) {
        (Err(_), true) => Ok(true),
        (Ok(_), false) => Ok(false),
        (Err(reason), false) => Err(format!("refused: {reason}")),
        (Ok(_), true) => Err("accepted".into()),
    }
}
