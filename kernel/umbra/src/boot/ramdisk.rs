//! The archive that the boot loader brings: configuration and corpus.

use bootloader_api::BootInfo;
use spin::Once;
use umbra_ramdisk::{Archive, CONFIG_FILE, CORPUS_INDEX_FILE, CORPUS_TEXT_FILE, Config};
use workload_api::Corpus;

use crate::{log_line, memory};

static CONFIG: Once<Config<'static>> = Once::new();
static CORPUS: Once<Corpus<'static>> = Once::new();

/// Reads the ramdisk. What is missing or wrong is reported and replaced by
/// defaults: the console works without either.
pub(crate) fn read(info: &BootInfo) {
    let Some(address) = info.ramdisk_addr.into_option() else {
        log_line!(Warn, "ramdisk: none: defaults, no corpus");
        return;
    };
    let length = usize::try_from(info.ramdisk_len).unwrap_or(0);
    // The loader maps the ramdisk; an address in the lower half would be a
    // physical one.
    let start = if address >> 63 == 0 { memory::window(address) } else { address };
    // SAFETY: the boot loader loaded so many bytes there and marks them as its
    // own in the memory map, so nobody writes them.
    let bytes = unsafe { core::slice::from_raw_parts(start as *const u8, length) };
    match Archive::new(bytes) {
        Ok(archive) => {
            config(&archive);
            corpus(&archive);
        }
        Err(error) => log_line!(Error, "ramdisk: {error}"),
    }
}

fn config(archive: &Archive<'static>) {
    let Some(text) = archive.file(CONFIG_FILE) else {
        log_line!(Warn, "ramdisk: no {CONFIG_FILE}: defaults");
        return;
    };
    let parsed = match core::str::from_utf8(text) {
        Ok(text) => Config::parse(text),
        Err(_) => return log_line!(Error, "{CONFIG_FILE}: not UTF-8 text"),
    };
    match parsed {
        Ok(config) => {
            CONFIG.call_once(|| config);
        }
        Err(error) => log_line!(Error, "{CONFIG_FILE}: {error}"),
    }
}

fn corpus(archive: &Archive<'static>) {
    let (Some(text), Some(index)) = (archive.file(CORPUS_TEXT_FILE), archive.file(CORPUS_INDEX_FILE)) else {
        log_line!(Warn, "ramdisk: no corpus: search has nothing to search");
        return;
    };
    let Ok(index) = core::str::from_utf8(index) else {
        return log_line!(Error, "{CORPUS_INDEX_FILE}: not UTF-8 text");
    };
    match Corpus::new(text, index) {
        Ok(corpus) => {
            CORPUS.call_once(|| corpus);
        }
        Err(error) => log_line!(Error, "{error}"),
    }
}

/// The boot configuration, or the default one.
pub(crate) fn the_config() -> Config<'static> {
    CONFIG.get().copied().unwrap_or_default()
}

/// The corpus, or an empty one.
pub(crate) fn the_corpus() -> Corpus<'static> {
    CORPUS.get().copied().unwrap_or(Corpus::EMPTY)
}
