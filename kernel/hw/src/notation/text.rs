use super::NotationError;

/// A line and how far it has been read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Text<'t> {
    line: &'t str,
    position: usize,
}

impl<'t> Text<'t> {
    pub(super) fn new(line: &'t str) -> Self {
        Self { line, position: 0 }
    }

    fn rest(&self) -> &'t str {
        self.line.get(self.position..).unwrap_or_default()
    }

    pub(super) fn is_at_end(&self) -> bool {
        self.rest().is_empty()
    }

    /// An error at this place.
    pub(super) fn error(&self, expected: &'static str) -> NotationError {
        NotationError { position: self.position, expected }
    }

    /// Passes `wanted` if it comes next.
    pub(super) fn take(&mut self, wanted: &str) -> bool {
        let found = self.rest().starts_with(wanted);
        self.position += if found { wanted.len() } else { 0 };
        found
    }

    pub(super) fn expect(&mut self, wanted: &str, expected: &'static str) -> Result<(), NotationError> {
        if self.take(wanted) { Ok(()) } else { Err(self.error(expected)) }
    }

    /// Passes blanks.
    pub(super) fn skip_blanks(&mut self) {
        let blanks = self.rest().len() - self.rest().trim_start_matches(' ').len();
        self.position += blanks;
    }

    /// A decimal number, or with `0x` before it a hexadecimal one.
    pub(super) fn number(&mut self, expected: &'static str) -> Result<u64, NotationError> {
        if self.take("0x") || self.take("0X") {
            return self.hexadecimal(expected);
        }
        self.digits(10, expected)
    }

    /// A hexadecimal number without `0x`.
    pub(super) fn hexadecimal(&mut self, expected: &'static str) -> Result<u64, NotationError> {
        self.digits(16, expected)
    }

    fn digits(&mut self, radix: u32, expected: &'static str) -> Result<u64, NotationError> {
        let rest = self.rest();
        let length = rest.bytes().take_while(|byte| char::from(*byte).is_digit(radix)).count();
        let number = rest.get(..length).and_then(|digits| u64::from_str_radix(digits, radix).ok());
        let number = number.ok_or(self.error(expected))?;
        self.position += length;
        Ok(number)
    }
}
