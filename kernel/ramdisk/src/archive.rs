//! POSIX `ustar` archives (IEEE Std 1003.1-2017, `pax`, "ustar Interchange
//! Format"), read in place.
//!
//! [`Archive::new`] walks all headers once and refuses anything it does not
//! understand; after that the accessors cannot fail. The walk takes at most
//! one step for each 512 bytes, because every entry is at least one header
//! long. Only regular files and directories are accepted: links and GNU or
//! pax extensions would need rules that nothing here uses.

const BLOCK_BYTES: usize = 512;

const NAME: core::ops::Range<usize> = 0..100;
const SIZE: core::ops::Range<usize> = 124..136;
const CHECKSUM: core::ops::Range<usize> = 148..156;
const KIND: usize = 156;
const MAGIC: core::ops::Range<usize> = 257..263;
const PREFIX: core::ops::Range<usize> = 345..500;

/// A checked archive.
#[derive(Clone, Copy, Debug)]
pub struct Archive<'a> {
    bytes: &'a [u8],
}

/// One regular file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct File<'a> {
    /// Its path as stored, without a leading `./`.
    pub name: &'a str,
    /// Its bytes.
    pub bytes: &'a [u8],
}

/// The bytes are not an archive that this crate reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ArchiveError {
    /// Byte offset of the header at fault.
    pub offset: usize,
    /// What was expected there.
    pub expected: &'static str,
}

impl core::fmt::Display for ArchiveError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "ramdisk byte {}: expected {}", self.offset, self.expected)
    }
}

impl core::error::Error for ArchiveError {}

impl<'a> Archive<'a> {
    /// Checks every header up to the end mark (two zero blocks; a single one
    /// at the very end is accepted too).
    ///
    /// # Errors
    /// The first header that is not a `ustar` file or directory, or whose
    /// data does not lie inside `bytes`.
    pub fn new(bytes: &'a [u8]) -> Result<Self, ArchiveError> {
        let mut walk = Walk { bytes, offset: 0 };
        while walk.step()?.is_some() {}
        Ok(Self { bytes })
    }

    /// The bytes of the file called `name`; of the last one if there are
    /// several, as `tar` extracts it.
    #[must_use]
    pub fn file(&self, name: &str) -> Option<&'a [u8]> {
        self.files().filter(|file| file.name == name).last().map(|file| file.bytes)
    }

    /// The regular files in order.
    #[must_use]
    pub const fn files(&self) -> Files<'a> {
        Files { walk: Walk { bytes: self.bytes, offset: 0 } }
    }
}

/// Iterator over an archive's regular files.
#[derive(Clone, Debug)]
pub struct Files<'a> {
    walk: Walk<'a>,
}

impl<'a> Iterator for Files<'a> {
    type Item = File<'a>;

    fn next(&mut self) -> Option<File<'a>> {
        loop {
            if let Entry::File(file) = self.walk.step().ok()?? {
                return Some(file);
            }
        }
    }
}

enum Entry<'a> {
    File(File<'a>),
    Directory,
}

#[derive(Clone, Debug)]
struct Walk<'a> {
    bytes: &'a [u8],
    offset: usize,
}

impl<'a> Walk<'a> {
    /// Reads one entry and moves past it; `None` at the end mark.
    fn step(&mut self) -> Result<Option<Entry<'a>>, ArchiveError> {
        let at = self.offset;
        let fail = |expected| ArchiveError { offset: at, expected };
        let rest = self.bytes.get(at..).unwrap_or_default();
        let Some((header, data)) = rest.split_first_chunk::<BLOCK_BYTES>() else {
            return Err(fail("a 512-byte header or the end mark"));
        };
        if header.iter().all(|&byte| byte == 0) {
            return Ok(None);
        }
        check(header).map_err(fail)?;
        let size = octal(&header[SIZE]).ok_or_else(|| fail("a size in octal digits"))?;
        let bytes = data.get(..size).ok_or_else(|| fail("a size inside the ramdisk"))?;
        let entry = match header[KIND] {
            b'0' | 0 => Entry::File(File { name: name_of(rest).map_err(fail)?, bytes }),
            b'5' => Entry::Directory,
            _ => return Err(fail("a regular file or a directory")),
        };
        // `size` lies inside a slice, so it is far from overflowing here.
        self.offset = at + BLOCK_BYTES + size.next_multiple_of(BLOCK_BYTES);
        Ok(Some(entry))
    }
}

fn check(header: &[u8; BLOCK_BYTES]) -> Result<(), &'static str> {
    if header[MAGIC] != *b"ustar\0" {
        return Err("a ustar header");
    }
    let stored = octal(&header[CHECKSUM]).ok_or("a checksum in octal digits")?;
    let outside: usize = header
        .iter()
        .enumerate()
        .filter(|(at, _)| !CHECKSUM.contains(at))
        .map(|(_, &byte)| usize::from(byte))
        .sum();
    // The field itself counts as eight spaces.
    if stored == outside + CHECKSUM.len() * usize::from(b' ') {
        Ok(())
    } else {
        Err("a header that matches its checksum")
    }
}

fn name_of(entry: &[u8]) -> Result<&str, &'static str> {
    if entry.get(PREFIX.start) != Some(&0) {
        return Err("a name of at most 100 bytes");
    }
    let field = entry.get(NAME).unwrap_or_default();
    let name = field.split(|&byte| byte == 0).next().unwrap_or_default();
    let name = core::str::from_utf8(name).map_err(|_| "a name in UTF-8")?;
    let name = name.strip_prefix("./").unwrap_or(name);
    if name.is_empty() { Err("a name") } else { Ok(name) }
}

/// A number field: octal digits between spaces or zeros.
fn octal(field: &[u8]) -> Option<usize> {
    let digits = field.split(|&byte| byte == 0 || byte == b' ').find(|part| !part.is_empty())?;
    digits.iter().try_fold(0usize, |value, &digit| {
        let digit = usize::from(digit).checked_sub(usize::from(b'0')).filter(|&digit| digit < 8)?;
        value.checked_mul(8)?.checked_add(digit)
    })
}

#[cfg(test)]
mod tests {
    use std::vec::Vec;

    use proptest::prelude::*;

    use super::*;

    fn pack(files: &[(&str, &[u8])]) -> Vec<u8> {
        let mut builder = tar::Builder::new(Vec::new());
        for (name, bytes) in files {
            let mut header = tar::Header::new_ustar();
            header.set_size(u64::try_from(bytes.len()).expect("small"));
            header.set_mode(0o644);
            builder.append_data(&mut header, name, *bytes).expect("a name that fits");
        }
        builder.into_inner().expect("in memory")
    }

    #[test]
    fn reads_what_tar_writes() {
        let long = [b'x'; 1025];
        let bytes = pack(&[("umbra.conf", b"mode test\n"), ("empty", b""), ("corpus/text", &long)]);
        let archive = Archive::new(&bytes).expect("valid");
        let names: Vec<_> = archive.files().map(|file| file.name).collect();
        assert_eq!(names, ["umbra.conf", "empty", "corpus/text"]);
        assert_eq!(archive.file("umbra.conf"), Some(&b"mode test\n"[..]));
        assert_eq!(archive.file("empty"), Some(&b""[..]));
        assert_eq!(archive.file("corpus/text"), Some(&long[..]));
        assert_eq!(archive.file("corpus"), None);
    }

    #[test]
    fn the_last_of_two_namesakes_wins_and_dot_slash_is_dropped() {
        let bytes = pack(&[("a", b"old"), ("./a", b"new")]);
        assert_eq!(Archive::new(&bytes).expect("valid").file("a"), Some(&b"new"[..]));
    }

    #[test]
    fn skips_directories() {
        let mut builder = tar::Builder::new(Vec::new());
        let mut header = tar::Header::new_ustar();
        header.set_entry_type(tar::EntryType::Directory);
        header.set_size(0);
        builder.append_data(&mut header, "corpus/", &[][..]).expect("fits");
        let bytes = builder.into_inner().expect("in memory");
        assert_eq!(Archive::new(&bytes).expect("valid").files().count(), 0);
    }

    #[test]
    fn says_where_and_what_was_wrong() {
        let good = pack(&[("a", b"text"), ("b", b"more")]);
        let fail = |bytes: &[u8]| std::format!("{}", Archive::new(bytes).expect_err("bad"));
        assert_eq!(fail(b""), "ramdisk byte 0: expected a 512-byte header or the end mark");
        assert_eq!(fail(&good[..1024]), "ramdisk byte 1024: expected a 512-byte header or the end mark");
        assert_eq!(fail(&good[..1536]), "ramdisk byte 1024: expected a size inside the ramdisk");
        let mut flipped = good.clone();
        flipped[1024] = b'c';
        assert_eq!(fail(&flipped), "ramdisk byte 1024: expected a header that matches its checksum");
        flipped[257] = b'U';
        assert_eq!(fail(&flipped), "ramdisk byte 0: expected a ustar header");
    }

    #[test]
    fn refuses_links() {
        let mut header = tar::Header::new_ustar();
        header.set_path("link").expect("fits");
        header.set_entry_type(tar::EntryType::Symlink);
        header.set_size(0);
        header.set_cksum();
        let mut bytes = header.as_bytes().to_vec();
        bytes.extend([0; 1024]);
        assert_eq!(Archive::new(&bytes).expect_err("link").expected, "a regular file or a directory");
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..4096)) {
            if let Ok(archive) = Archive::new(&bytes) {
                prop_assert!(archive.files().count() <= bytes.len() / BLOCK_BYTES);
            }
        }

        #[test]
        fn any_damage_is_read_or_refused(at in 0usize..3072, byte: u8, length in 0usize..3072) {
            let mut bytes = pack(&[("umbra.conf", b"mode test\n"), ("corpus/text", b"abc")]);
            bytes[at] = byte;
            if let Ok(archive) = Archive::new(&bytes[..length]) {
                let _ = archive.file("corpus/text");
            }
        }

        #[test]
        fn octal_agrees_with_the_standard_library(value in 0usize..0o7777_7777) {
            let text = std::format!("{value:011o}\0");
            prop_assert_eq!(octal(text.as_bytes()), Some(value));
            prop_assert_eq!(octal(std::format!(" {value:o} ").as_bytes()), Some(value));
        }
    }
}
