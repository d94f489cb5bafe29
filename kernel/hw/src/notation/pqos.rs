use super::{Domains, NotationError, Setting, Settings, What, text::Text};
use crate::rdt::Part;
use core::fmt;

/// Reads what `pqos -e` takes: settings separated by `;`, each
/// `llc|l2|mba|smba[@ids]:class[c|d]=value`. Ids are numbers and ranges
/// separated by commas. Without `@` a setting is for all of them. A bandwidth
/// may be absolute: `mba:1=4000MBps`.
///
/// # Errors
/// The first place where something else was expected.
pub fn parse_pqos(line: &str) -> Result<Settings, NotationError> {
    let mut text = Text::new(line);
    let mut settings = Settings::new();
    loop {
        text.skip_blanks();
        let setting = setting(&mut text)?;
        settings.push(setting).map_err(|_| text.error("the end: 32 settings are the most"))?;
        text.skip_blanks();
        let more = text.take(";");
        text.skip_blanks();
        if text.is_at_end() {
            return Ok(settings);
        }
        if !more {
            return Err(text.error("; or the end"));
        }
    }
}

fn setting(text: &mut Text<'_>) -> Result<Setting, NotationError> {
    let kind = kind(text)?;
    let domains = if text.take("@") { domains(text)? } else { Domains::ALL };
    text.expect(":", ": and a class")?;
    let before = *text;
    let class = text.number("the number of a class")?;
    let class = u32::try_from(class).map_err(|_| before.error("the number of a class"))?;
    let part = if text.take("c") || text.take("C") {
        Part::Code
    } else if text.take("d") || text.take("D") {
        Part::Data
    } else {
        Part::Both
    };
    let what = match kind {
        What::L3(_) => What::L3(part),
        What::L2(_) => What::L2(part),
        What::Bandwidth | What::SlowBandwidth if part != Part::Both => {
            return Err(text.error("=; bandwidth has no code and data"));
        }
        bandwidth => bandwidth,
    };
    text.expect("=", "=")?;
    let expected =
        if matches!(what, What::L3(_) | What::L2(_)) { "a mask such as 0xf" } else { "a bandwidth" };
    let value = text.number(expected)?;
    Ok(Setting { what: absolute(text, what), domains, class: Some(class), value })
}

/// What is set when the unit after the number says that it is absolute.
pub(super) fn absolute(text: &mut Text<'_>, what: What) -> What {
    if what == What::Bandwidth && text.take("MBps") { What::BandwidthMbps } else { what }
}

fn kind(text: &mut Text<'_>) -> Result<What, NotationError> {
    let names = [
        ("llc", What::L3(Part::Both)),
        ("l3", What::L3(Part::Both)),
        ("l2", What::L2(Part::Both)),
        ("smba", What::SlowBandwidth),
        ("mba", What::Bandwidth),
    ];
    names
        .into_iter()
        .find_map(|(name, what)| text.take(name).then_some(what))
        .ok_or(text.error("llc, l2, mba or smba"))
}

fn domains(text: &mut Text<'_>) -> Result<Domains, NotationError> {
    let mut set = 0;
    loop {
        let first = domain(text)?;
        let last = if text.take("-") { domain(text)? } else { first };
        if last < first {
            return Err(text.error("a range that ascends"));
        }
        set |= (u64::MAX >> (63 - (last - first))) << first;
        if !text.take(",") {
            return Ok(Domains(set));
        }
    }
}

/// The number of a cache, 0 to 63.
pub(super) fn domain(text: &mut Text<'_>) -> Result<u32, NotationError> {
    let before = *text;
    let number = text.number("the number of a cache")?;
    u32::try_from(number).ok().filter(|number| *number < 64).ok_or(before.error("a number from 0 to 63"))
}

/// Prints settings as `pqos -e` takes them.
#[derive(Clone, Copy, Debug)]
pub struct Pqos<'s>(pub &'s [Setting]);

impl fmt::Display for Pqos<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, setting) in self.0.iter().enumerate() {
            if position > 0 {
                out.write_str(";")?;
            }
            print(setting, out)?;
        }
        Ok(())
    }
}

fn print(setting: &Setting, out: &mut fmt::Formatter<'_>) -> fmt::Result {
    let (name, part) = match setting.what {
        What::L3(part) => ("llc", part),
        What::L2(part) => ("l2", part),
        What::Bandwidth | What::BandwidthMbps => ("mba", Part::Both),
        What::SlowBandwidth => ("smba", Part::Both),
    };
    out.write_str(name)?;
    if setting.domains != Domains::ALL {
        print_domains(setting.domains, out)?;
    }
    let suffix = match part {
        Part::Both => "",
        Part::Code => "c",
        Part::Data => "d",
    };
    write!(out, ":{}{suffix}=", setting.class.unwrap_or(0))?;
    match setting.what {
        What::L3(_) | What::L2(_) => write!(out, "{:#x}", setting.value),
        What::Bandwidth | What::SlowBandwidth => write!(out, "{}", setting.value),
        What::BandwidthMbps => write!(out, "{}MBps", setting.value),
    }
}

fn print_domains(domains: Domains, out: &mut fmt::Formatter<'_>) -> fmt::Result {
    let mut separator = "@";
    for domain in (0..64u32).filter(|domain| domains.0 >> domain & 1 == 1) {
        write!(out, "{separator}{domain}")?;
        separator = ",";
    }
    Ok(())
}
