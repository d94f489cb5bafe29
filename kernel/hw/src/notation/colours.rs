use super::{NotationError, text::Text};
use core::fmt;
use heapless::Vec;

/// Ranges in one list at most.
const MAX_RANGES: usize = 64;

/// Page colours as people write them: ascending ranges.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ColourList {
    ranges: Vec<(u32, u32), MAX_RANGES>,
}

impl ColourList {
    /// The colours in ascending order.
    pub fn iter(&self) -> impl Iterator<Item = u32> + '_ {
        self.ranges.iter().flat_map(|(first, last)| *first..=*last)
    }

    /// How many colours.
    #[must_use]
    pub fn count(&self) -> u32 {
        self.ranges.iter().fold(0, |sum, (first, last)| sum.saturating_add(last - first + 1))
    }

    /// Whether `colour` is in it.
    #[must_use]
    pub fn has(&self, colour: u32) -> bool {
        self.ranges.iter().any(|(first, last)| (*first..=*last).contains(&colour))
    }
}

/// Reads colours below `limit`: Xen's list (`1-2,5-8`: numbers and ranges,
/// ascending, no blanks, nothing twice; docs/misc/cache-coloring.rst), or Bao's
/// bitmap (`0x1f0`).
///
/// # Errors
/// The first place where something else was expected.
pub fn parse_colours(line: &str, limit: u32) -> Result<ColourList, NotationError> {
    let mut text = Text::new(line);
    let mut list = ColourList::default();
    if text.take("0x") || text.take("0X") {
        return bitmap(text, limit);
    }
    loop {
        let before = text;
        let first = colour(&mut text, limit)?;
        let last = if text.take("-") { colour(&mut text, limit)? } else { first };
        let ascends = list.ranges.last().is_none_or(|(_, previous)| *previous < first);
        if !ascends || last < first {
            return Err(before.error("colours that ascend, none twice"));
        }
        list.ranges.push((first, last)).map_err(|_| before.error("at most 64 ranges"))?;
        if text.is_at_end() {
            return Ok(list);
        }
        text.expect(",", ", or the end")?;
    }
}

fn colour(text: &mut Text<'_>, limit: u32) -> Result<u32, NotationError> {
    let before = *text;
    let number = text.number("the number of a colour")?;
    let colour = u32::try_from(number).ok().filter(|colour| *colour < limit);
    colour.ok_or(before.error("a colour that this machine has"))
}

fn bitmap(mut text: Text<'_>, limit: u32) -> Result<ColourList, NotationError> {
    let before = text;
    let bits = text.hexadecimal("a bitmap in hexadecimal")?;
    if !text.is_at_end() {
        return Err(text.error("the end"));
    }
    let mut list = ColourList::default();
    for colour in (0..64u32).filter(|colour| bits >> colour & 1 == 1) {
        if colour >= limit {
            return Err(before.error("colours that this machine has"));
        }
        match list.ranges.last_mut() {
            Some((_, last)) if *last + 1 == colour => *last = colour,
            // 64 bits are at most 32 ranges.
            _ => drop(list.ranges.push((colour, colour))),
        }
    }
    if list.ranges.is_empty() { Err(before.error("at least one colour")) } else { Ok(list) }
}

impl fmt::Display for ColourList {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut separator = "";
        for (first, last) in &self.ranges {
            write!(out, "{separator}{first}")?;
            if last > first {
                write!(out, "-{last}")?;
            }
            separator = ",";
        }
        Ok(())
    }
}
