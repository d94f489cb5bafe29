//! Splits what the guest sends into text for people and records for programs.
//!
//! A record starts with the byte 0x1E (RFC 7464's record separator, which no
//! text contains) and ends with its line. Text is passed on at once, byte by
//! byte, because a person may be typing at the other end.

const RECORD_SEPARATOR: u8 = 0x1e;

/// Longest record that is kept. The rest of a longer one is dropped, which
/// makes it invalid and so is noticed.
const LONGEST_RECORD_BYTES: usize = 1 << 20;

/// State between two reads.
#[derive(Debug, Default)]
pub(crate) struct Splitter {
    record: Option<Vec<u8>>,
}

/// One read, split.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Split {
    /// Bytes of text.
    pub(crate) text: Vec<u8>,
    /// Complete records, without separator and line end.
    pub(crate) records: Vec<Vec<u8>>,
}

impl Splitter {
    /// Takes the next bytes.
    pub(crate) fn feed(&mut self, bytes: &[u8]) -> Split {
        let mut split = Split::default();
        for &byte in bytes {
            match &mut self.record {
                None if byte == RECORD_SEPARATOR => self.record = Some(Vec::new()),
                None => split.text.push(byte),
                Some(record) if byte == b'\n' => {
                    while record.last() == Some(&b'\r') {
                        record.pop();
                    }
                    split.records.push(std::mem::take(record));
                    self.record = None;
                }
                Some(record) if record.len() < LONGEST_RECORD_BYTES => record.push(byte),
                Some(_) => {}
            }
        }
        split
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn records_are_taken_out_of_the_text() {
        let split = Splitter::default().feed(b"umbra> x\r\n\x1e{\"a\":1}\r\numb");
        assert_eq!(split.text, b"umbra> x\r\numb");
        assert_eq!(split.records, [b"{\"a\":1}".to_vec()]);
    }

    #[test]
    fn a_record_may_come_in_pieces() {
        let mut splitter = Splitter::default();
        assert_eq!(splitter.feed(b"a\x1e{\"b"), Split { text: b"a".to_vec(), records: vec![] });
        assert_eq!(splitter.feed(b"\":2}"), Split::default());
        assert_eq!(
            splitter.feed(b"\nc"),
            Split { text: b"c".to_vec(), records: vec![b"{\"b\":2}".to_vec()] }
        );
    }

    proptest! {
        #[test]
        fn pieces_do_not_matter(bytes in proptest::collection::vec(prop_oneof![Just(0x1e), Just(b'\n'), any::<u8>()], 0..200), cut in 0usize..200) {
            let cut = cut.min(bytes.len());
            let whole = Splitter::default().feed(&bytes);
            let mut splitter = Splitter::default();
            let mut parts = splitter.feed(&bytes[..cut]);
            let rest = splitter.feed(&bytes[cut..]);
            parts.text.extend(rest.text);
            parts.records.extend(rest.records);
            prop_assert_eq!(whole, parts);
        }
    }
}
