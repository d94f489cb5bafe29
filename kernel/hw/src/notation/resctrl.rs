use super::pqos::{absolute, domain};
use super::{Domains, NotationError, Setting, Settings, What, text::Text};
use crate::rdt::Part;
use core::fmt;

/// Reads a line of a resctrl schemata file: `L3:0=f;1=f`, `L3CODE:0=f`, `MB:0=50`.
/// Masks are hexadecimal without `0x`, bandwidths decimal. resctrl takes MBps
/// when it was mounted with `mba_MBps`; there is nothing to mount here, so the
/// unit is written: `MB:0=4000MBps`. All bandwidths of a line have the same.
///
/// # Errors
/// The first place where something else was expected.
pub fn parse_schemata(line: &str) -> Result<Settings, NotationError> {
    let mut text = Text::new(line);
    let mut settings = Settings::new();
    text.skip_blanks();
    let named = resource(&mut text)?;
    text.skip_blanks();
    text.expect(":", ":")?;
    loop {
        text.skip_blanks();
        let before = text;
        let domains = Domains(1 << domain(&mut text)?);
        text.expect("=", "=")?;
        let value = if matches!(named, What::L3(_) | What::L2(_)) {
            text.hexadecimal("a mask in hexadecimal, without 0x")?
        } else {
            text.number("a bandwidth")?
        };
        let what = absolute(&mut text, named);
        if settings.first().is_some_and(|first: &Setting| first.what != what) {
            return Err(text.error("the same unit everywhere"));
        }
        if settings.iter().any(|known: &Setting| known.domains == domains) {
            return Err(before.error("each cache once"));
        }
        let setting = Setting { what, domains, class: None, value };
        settings.push(setting).map_err(|_| text.error("the end: 32 settings are the most"))?;
        text.skip_blanks();
        if text.is_at_end() {
            return Ok(settings);
        }
        text.expect(";", "; or the end")?;
    }
}

const NAMES: [(&str, What); 8] = [
    ("L3CODE", What::L3(Part::Code)),
    ("L3DATA", What::L3(Part::Data)),
    ("L3", What::L3(Part::Both)),
    ("L2CODE", What::L2(Part::Code)),
    ("L2DATA", What::L2(Part::Data)),
    ("L2", What::L2(Part::Both)),
    ("SMBA", What::SlowBandwidth),
    ("MB", What::Bandwidth),
];

fn resource(text: &mut Text<'_>) -> Result<What, NotationError> {
    NAMES
        .into_iter()
        .find_map(|(name, what)| text.take(name).then_some(what))
        .ok_or(text.error("L3, L2, L3CODE, L3DATA, L2CODE, L2DATA, MB or SMBA"))
}

/// Prints settings of one kind as a line of a schemata file: a setting for
/// several caches once for each.
#[derive(Clone, Copy, Debug)]
pub struct Schemata<'s>(pub &'s [Setting]);

impl fmt::Display for Schemata<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(what) = self.0.first().map(|setting| setting.what) else { return Ok(()) };
        let kind = if what == What::BandwidthMbps { What::Bandwidth } else { what };
        let name = NAMES.iter().find(|(_, known)| *known == kind).map_or("", |(name, _)| name);
        let mut separator = ":";
        out.write_str(name)?;
        for setting in self.0.iter().filter(|setting| setting.what == what) {
            for domain in (0..64u32).filter(|domain| setting.domains.0 >> domain & 1 == 1) {
                write!(out, "{separator}{domain}=")?;
                match what {
                    What::L3(_) | What::L2(_) => write!(out, "{:x}", setting.value)?,
                    What::Bandwidth | What::SlowBandwidth => write!(out, "{}", setting.value)?,
                    What::BandwidthMbps => write!(out, "{}MBps", setting.value)?,
                }
                separator = ";";
            }
        }
        Ok(())
    }
}
