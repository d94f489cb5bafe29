use super::{Domains, NotationError, Setting, Settings, What, pqos::domain, text::Text};
use crate::rdt::Part;
use core::fmt;

/// Reads a line of a resctrl schemata file: `L3:0=f;1=f`, `L3CODE:0=f`, `MB:0=50`.
/// Masks are hexadecimal without `0x`, bandwidths decimal.
///
/// # Errors
/// The first place where something else was expected.
pub fn parse_schemata(line: &str) -> Result<Settings, NotationError> {
    let mut text = Text::new(line);
    let mut settings = Settings::new();
    text.skip_blanks();
    let what = resource(&mut text)?;
    text.skip_blanks();
    text.expect(":", ":")?;
    loop {
        text.skip_blanks();
        let before = text;
        let domains = Domains(1 << domain(&mut text)?);
        text.expect("=", "=")?;
        let value = if matches!(what, What::L3(_) | What::L2(_)) {
            text.hexadecimal("a mask in hexadecimal, without 0x")?
        } else {
            text.number("a bandwidth")?
        };
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
        let name = NAMES.iter().find(|(_, known)| *known == what).map_or("", |(name, _)| name);
        let mut separator = ":";
        out.write_str(name)?;
        for setting in self.0.iter().filter(|setting| setting.what == what) {
            for domain in (0..64u32).filter(|domain| setting.domains.0 >> domain & 1 == 1) {
                write!(out, "{separator}{domain}=")?;
                match what {
                    What::L3(_) | What::L2(_) => write!(out, "{:x}", setting.value)?,
                    What::Bandwidth | What::SlowBandwidth => write!(out, "{}", setting.value)?,
                }
                separator = ";";
            }
        }
        Ok(())
    }
}
