//! CPUID dumps in the formats people have.
//!
//! A line counts if it names a leaf and four registers in one of the known
//! ways, whatever stands around it; other lines are text for people. A leaf that
//! is listed again without a subleaf number is the next subleaf (InstLatx64);
//! leaf 0 again is the next processor.

use std::collections::BTreeMap;

use umbra_hw::cpuid::Leaf;

/// What one logical processor answers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Dump(BTreeMap<(u32, u32), [u32; 4]>);

impl Leaf for Dump {
    /// What is not in the dump reads as zeros: "nothing here".
    fn cpuid(&self, leaf: u32, subleaf: u32) -> [u32; 4] {
        self.0.get(&(leaf, subleaf)).copied().unwrap_or_default()
    }
}

impl Dump {
    /// The dump of a processor that can be asked.
    pub(crate) fn ask(leaf: &dyn Leaf) -> Self {
        let mut dump = Self::default();
        for start in [0, 0x4000_0000, 0x8000_0000u32] {
            let [max, ..] = leaf.cpuid(start, 0);
            let max = if max >= start && max - start < 0x100 { max } else { start };
            for number in start..=max {
                for subleaf in 0..SUBLEAVES {
                    dump.0.insert((number, subleaf), leaf.cpuid(number, subleaf));
                }
            }
        }
        dump
    }

    /// Whether the dump has this subleaf.
    pub(crate) fn has(&self, leaf: u32, subleaf: u32) -> bool {
        self.0.contains_key(&(leaf, subleaf))
    }

    pub(crate) fn set(&mut self, leaf: u32, subleaf: u32, registers: [u32; 4]) {
        self.0.insert((leaf, subleaf), registers);
    }
}

/// Subleaves that are asked for; no leaf that is used has more.
const SUBLEAVES: u32 = 16;

/// A line's leaf, its subleaf if it names one, and the registers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Line {
    leaf: u32,
    subleaf: Option<u32>,
    registers: [u32; 4],
}

/// Reads a dump: one entry for each logical processor in it.
///
/// # Errors
/// No line of it is in a known format.
pub(crate) fn parse(text: &str) -> Result<Vec<Dump>, String> {
    let mut processors: Vec<Dump> = Vec::new();
    for line in text.lines().filter_map(parse_line) {
        let again = processors.last().is_none_or(|dump| line.leaf == 0 && dump.0.contains_key(&(0, 0)));
        if again && line.subleaf.unwrap_or(0) == 0 {
            processors.push(Dump::default());
        }
        let Some(dump) = processors.last_mut() else { continue };
        let subleaf = line.subleaf.unwrap_or_else(|| dump.next_subleaf(line.leaf));
        dump.set(line.leaf, subleaf, line.registers);
    }
    let known = processors.iter().any(|dump| dump.0.contains_key(&(0, 0)));
    if known {
        Ok(processors)
    } else {
        Err("no CPUID leaf 0 in it; expected InstLatx64, cpuid -r or libcpuid raw".into())
    }
}

impl Dump {
    /// Subleaves count up, but for those that the first one names by bits: of leaf
    /// 10H in EBX, of 23H in EAX (where bit 0 stands for itself), of 80000020H in
    /// EBX.
    fn next_subleaf(&self, leaf: u32) -> u32 {
        let listed = self.0.range((leaf, 0)..=(leaf, u32::MAX)).count();
        let [eax, ebx, ..] = self.cpuid(leaf, 0);
        let named = match leaf {
            0x10 | 0x8000_0020 => ebx,
            0x23 => eax,
            _ => 0,
        };
        let bit = (1..32).filter(|bit| named >> bit & 1 == 1).nth(listed.saturating_sub(1));
        let by_bit = bit.filter(|_| listed > 0);
        by_bit.unwrap_or_else(|| u32::try_from(listed).unwrap_or(u32::MAX))
    }
}

fn parse_line(line: &str) -> Option<Line> {
    inst_lat(line).or_else(|| raw(line)).or_else(|| libcpuid(line)).or_else(|| columns(line))
}

fn hex(text: &str) -> Option<u32> {
    let digits = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")).unwrap_or(text);
    u32::from_str_radix(digits, 16).ok()
}

fn four<'t>(fields: impl Iterator<Item = &'t str>) -> Option<[u32; 4]> {
    let numbers: Vec<u32> = fields.take(4).map_while(hex).collect();
    numbers.try_into().ok()
}

/// `CPUID 00000004: 1C004121-01C0003F-0000003F-00000000 [SL 00]`
fn inst_lat(line: &str) -> Option<Line> {
    let rest = line.split_once("CPUID ")?.1;
    let (leaf, rest) = rest.split_once(':')?;
    let mut fields = rest.split_whitespace();
    let registers = four(fields.next()?.split('-'))?;
    let subleaf = rest.split_once("[SL ").and_then(|(_, rest)| hex(rest.split(']').next()?.trim()));
    Some(Line { leaf: hex(leaf.trim())?, subleaf, registers })
}

/// `0x00000004 0x00: eax=0x1c004121 ebx=0x01c0003f ecx=0x0000003f edx=0x00000000`
fn raw(line: &str) -> Option<Line> {
    let (before, after) = line.split_once(": eax=")?;
    let mut numbers = before.split_whitespace().rev();
    let subleaf = hex(numbers.next()?)?;
    let leaf = hex(numbers.next()?)?;
    let registers = four(after.split_whitespace().map(|field| field.split('=').next_back().unwrap_or("")))?;
    Some(Line { leaf, subleaf: Some(subleaf), registers })
}

/// `basic_cpuid[4]=1c004121 01c0003f 0000003f 00000000`; the arrays of subleaves
/// are called after their leaf, in libcpuid's own way.
fn libcpuid(line: &str) -> Option<Line> {
    let (array, rest) = line.trim().split_once('[')?;
    let (index, rest) = rest.split_once("]=")?;
    let index: u32 = index.parse().ok()?;
    let registers = four(rest.split_whitespace())?;
    let (leaf, subleaf) = match array {
        "basic_cpuid" => (index, 0),
        "ext_cpuid" => (0x8000_0000u32.checked_add(index)?, 0),
        "intel_fn4" => (4, index),
        "intel_fn11" => (0xb, index),
        named => (hex(named.split_once("_fn")?.1.trim_end_matches('h'))?, index),
    };
    Some(Line { leaf, subleaf: Some(subleaf), registers })
}

/// `00000004 00 1c004121 01c0003f 0000003f 00000000`
fn columns(line: &str) -> Option<Line> {
    let fields: Vec<&str> = line.split_whitespace().collect();
    let [leaf, subleaf, registers @ ..] = fields.as_slice() else { return None };
    if registers.len() != 4 || leaf.len() != 8 {
        return None;
    }
    let registers = four(registers.iter().copied())?;
    Some(Line { leaf: hex(leaf)?, subleaf: Some(hex(subleaf)?), registers })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use umbra_hw::cpuid::Inventory;

    fn fixture(name: &str) -> Dump {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/fixtures/").to_owned() + name;
        let text = std::fs::read_to_string(path).expect("fixture");
        parse(&text).expect("a dump").remove(0)
    }

    fn printed(dump: &Dump, line: impl Fn(u32, u32, [u32; 4]) -> String) -> String {
        dump.0.iter().map(|((leaf, subleaf), registers)| line(*leaf, *subleaf, *registers) + "\n").collect()
    }

    #[test]
    fn every_format_reads_as_the_same_dump() {
        let dump = fixture("cpuid_rustcpuid/xeon_gold_6252.cpu0.txt");
        let with_subleaf = printed(&dump, |leaf, subleaf, [a, b, c, d]| {
            format!("CPUID {leaf:08X}: {a:08X}-{b:08X}-{c:08X}-{d:08X} [SL {subleaf:02X}]")
        });
        let in_order = printed(&dump, |leaf, _, [a, b, c, d]| {
            format!("  CPUID {leaf:08X}: {a:08X}-{b:08X}-{c:08X}-{d:08X} [Genu]")
        });
        let raw = printed(&dump, |leaf, subleaf, [a, b, c, d]| {
            format!("   {leaf:#010x} {subleaf:#04x}: eax={a:#010x} ebx={b:#010x} ecx={c:#010x} edx={d:#010x}")
        });
        let libcpuid = printed(&dump, |leaf, subleaf, [a, b, c, d]| {
            let array = match leaf {
                4 => format!("intel_fn4[{subleaf}]"),
                0xb => format!("intel_fn11[{subleaf}]"),
                _ if subleaf > 0 => format!("intel_fn{leaf:x}h[{subleaf}]"),
                0x8000_0000.. => format!("ext_cpuid[{}]", leaf - 0x8000_0000),
                _ => format!("basic_cpuid[{leaf}]"),
            };
            format!("{array}={a:08x} {b:08x} {c:08x} {d:08x}")
        });
        for text in
            [with_subleaf, in_order, format!("CPU 0:\n{raw}"), format!("version=0.6.0\n{libcpuid}---\nx86")]
        {
            assert_eq!(parse(&text), Ok(vec![dump.clone()]), "{text}");
        }
    }

    #[test]
    fn subleaves_without_numbers_are_those_that_the_first_names() {
        let text = "CPUID 00000000: 00000023-00000000-00000000-00000000\n\
            CPUID 00000023: 0000000B-00000003-00000000-00000000\n\
            CPUID 00000023: 000000FF-00000007-00000000-00000000\n\
            CPUID 00000023: 00001FFF-00000000-00000000-00000000\n\
            CPUID 80000020: 00000000-00000022-00000000-00000000\n\
            CPUID 80000020: 0000000B-00000000-00000000-0000000F\n\
            CPUID 80000020: 00000000-0000001F-00000000-00000000\n";
        let dump = parse(text).expect("a dump").remove(0);
        assert_eq!(dump.cpuid(0x23, 3), [0x1fff, 0, 0, 0]);
        assert_eq!(dump.cpuid(0x8000_0020, 5), [0, 0x1f, 0, 0]);
        assert!(!dump.has(0x23, 2) && !dump.has(0x8000_0020, 2));
    }

    #[test]
    fn leaf_0_again_is_the_next_processor() {
        let one =
            "CPUID 00000000: 00000001-756E6547-6C65746E-49656E69\nCPUID 00000001: 000506E3-00000000-0-0\n";
        let text = format!("------[ Logical CPU #0 ]------\n{one}------[ Logical CPU #1 ]------\n{one}");
        let processors = parse(&text).expect("two");
        assert_eq!((processors.len(), &processors[0]), (2, &processors[1]));
        assert!(parse("hello\n").is_err() && parse("").is_err());
    }

    #[test]
    fn what_is_asked_of_a_dump_is_the_dump() {
        let dump = fixture("cpuid_rustcpuid/ryzen_matisse.cpu0.txt");
        let (asked, known) = (Inventory::read(&Dump::ask(&dump)), Inventory::read(&dump));
        assert_eq!(asked.caches, known.caches);
        assert_eq!(asked.features, known.features);
    }

    proptest! {
        #[test]
        fn any_text_is_survived(text in any::<String>(), line in "(CPUID |basic_cpuid\\[)?[0-9a-fx:= \\[\\]-]{0,60}") {
            let _ = (parse(&text), parse(&line));
        }
    }
}
