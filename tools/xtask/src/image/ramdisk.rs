//! The ramdisk archive, in the format that `umbra-ramdisk` reads.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;

use anyhow::{Context, Result};
use umbra_ramdisk::{CONFIG_FILE, CORPUS_INDEX_FILE, CORPUS_TEXT_FILE};

use super::corpus;

/// Writes the archive with the configuration and the corpus.
pub(super) fn write(path: &Path, configuration: &str, corpus: &corpus::Files) -> Result<()> {
    let text = std::fs::read(&corpus.text).context("cannot read the corpus")?;
    let index = std::fs::read(&corpus.index).context("cannot read the corpus")?;
    let files = [
        (CONFIG_FILE, configuration.as_bytes()),
        (CORPUS_INDEX_FILE, index.as_slice()),
        (CORPUS_TEXT_FILE, text.as_slice()),
    ];
    let write = || pack(&files, BufWriter::new(File::create(path)?))?.flush();
    write().with_context(|| format!("cannot write {}", path.display()))
}

fn pack<W: Write>(files: &[(&str, &[u8])], sink: W) -> io::Result<W> {
    let mut archive = tar::Builder::new(sink);
    for (name, bytes) in files {
        let mut header = tar::Header::new_ustar();
        header.set_size(u64::try_from(bytes.len()).unwrap_or(u64::MAX));
        header.set_mode(0o644);
        archive.append_data(&mut header, name, *bytes)?;
    }
    archive.into_inner()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernel_reads_what_is_packed() {
        let bytes = pack(&[(CONFIG_FILE, b"mode test\n"), (CORPUS_TEXT_FILE, b"fn main() {}")], Vec::new())
            .expect("memory");
        let archive = umbra_ramdisk::Archive::new(&bytes).expect("valid");
        assert_eq!(archive.file(CONFIG_FILE), Some(&b"mode test\n"[..]));
        assert_eq!(archive.file(CORPUS_TEXT_FILE), Some(&b"fn main() {}"[..]));
    }
}
