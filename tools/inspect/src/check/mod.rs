//! Applies files of test vectors to the kernel's own decoders and encoders.
//!
//! A file is tab-separated: comments with `#`, a line that names the columns,
//! then rows. The columns say what kind of file it is; its name does not matter.
//! A row holds if what the code does is what its last columns expect.

mod caches;
mod cpuid_cases;
mod encodings;
mod limits;
mod registers;
mod row;

use std::{fs, io::Write, path::PathBuf};

use row::{Outcome, Row};

/// Applies one row.
type Rule = fn(&Row<'_>) -> Outcome;

/// The kinds of files by how their line of columns begins.
const KINDS: [(&str, Rule); 16] = [
    ("cbm_len\t", limits::capacity_mask),
    ("cpuid80000020_1_eax\t", limits::amd_limit),
    ("name\tevent_hex\t", encodings::amd_select),
    ("dump\tleaf\tsubleaf\tregs\t", caches::geometry),
    ("input\tmax_colours\t", caches::colour_list),
    ("case\tinput\t", cpuid_cases::described),
    ("counters\tnr_fixed\t", encodings::fixed_control),
    ("cpuid10_3_eax\t", limits::throttle_leaf),
    ("rule\tlinear\t", limits::throttle_rounding),
    ("width_bits\t", limits::counter_wrap),
    ("msr\tvalue_hex\t", registers::write),
    ("index\tname\t", encodings::architectural_select),
    ("register\tfields\t", registers::association),
    ("qm_ctr_value_hex\t", registers::monitoring_count),
    ("ecx_hex\t", registers::rdpmc),
    ("what\tindex\t", registers::address),
];

/// Applies every file; whether all rows hold. Prints each row that does not and
/// how many do.
///
/// # Errors
/// A file cannot be read, or its columns are of no known kind.
pub(crate) fn files(paths: &[PathBuf], out: &mut impl Write) -> Result<bool, String> {
    let (mut passed, mut failed) = (0, 0);
    for path in paths {
        let text =
            fs::read_to_string(path).map_err(|error| format!("cannot read {}: {error}", path.display()))?;
        let (good, bad) = vectors(&text).map_err(|error| format!("{}: {error}", path.display()))?;
        passed += good;
        failed += bad.len();
        for failure in bad {
            writeln!(out, "{}: {failure}", path.display())
                .map_err(|error| format!("cannot print: {error}"))?;
        }
    }
    writeln!(out, "{passed} passed, {failed} failed").map_err(|error| format!("cannot print: {error}"))?;
    Ok(failed == 0)
}

/// Applies the rows of one file: how many hold, and what is wrong with the
/// others.
fn vectors(text: &str) -> Result<(usize, Vec<String>), String> {
    let mut lines = text.lines().enumerate().filter(|(_, line)| !line.starts_with('#') && !line.is_empty());
    let (_, columns) = lines.next().ok_or("no line of columns")?;
    let (_, rule) = KINDS
        .iter()
        .find(|(start, _)| columns.starts_with(start))
        .ok_or_else(|| format!("columns of no known kind: {columns}"))?;
    let mut passed = 0;
    let mut failures = Vec::new();
    for (number, line) in lines {
        match rule(&Row::new(columns, line)) {
            Ok(()) => passed += 1,
            Err(reason) => failures.push(format!("line {}: {reason}: {line}", number + 1)),
        }
    }
    Ok((passed, failures))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn fixtures() -> Vec<PathBuf> {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/fixtures/rdt_pmu");
        fs::read_dir(folder).expect("fixtures").map(|entry| entry.expect("file").path()).collect()
    }

    #[test]
    fn every_row_of_every_fixture_holds() {
        let mut out = Vec::new();
        let paths = fixtures();
        assert_eq!(paths.len(), KINDS.len());
        let all = files(&paths, &mut out).expect("known files");
        assert!(all, "{}", String::from_utf8_lossy(&out));
    }

    #[test]
    fn a_row_that_does_not_hold_is_shown() {
        let text = "width_bits\tprev_hex\tcur_hex\texpected_delta_chunks\n24\t5\ta\t6\n24\tfffffe\t3\t5\n";
        let (passed, failures) = vectors(text).expect("a known kind");
        assert_eq!(passed, 1);
        assert_eq!(failures, ["line 2: got 5: 24\t5\ta\t6"]);
        assert!(vectors("a\tb\n").is_err() && vectors("# nothing\n").is_err());
    }

    /// Changing what a row expects makes it fail: nothing passes by itself.
    #[test]
    fn expectations_matter() {
        for path in fixtures() {
            let text = fs::read_to_string(&path).expect("text");
            let mut lines = text.lines().filter(|line| !line.starts_with('#'));
            let columns = lines.next().expect("columns");
            let wrong: String = lines.map(|row| spoil(columns, row) + "\n").collect();
            let (passed, _) = vectors(&format!("{columns}\n{wrong}")).expect("a known kind");
            assert_eq!(passed, 0, "{}", path.display());
        }
    }

    /// Turns what a row expects into something else.
    fn spoil(columns: &str, row: &str) -> String {
        const SWAPPED: [(&str, &str); 8] = [
            ("accept", "§"),
            ("reject", "accept 77"),
            ("§", "reject"),
            ("#GP", "ok PMC77"),
            ("ok ", "error "),
            ("hashed", "§"),
            ("linear", "hashed"),
            ("§", "linear"),
        ];
        let remarks = columns.ends_with("origin") || columns.ends_with("reason");
        let last = columns.split('\t').count() - 1 - usize::from(remarks);
        let mut fields: Vec<String> = row.split('\t').map(String::from).collect();
        let before = fields.clone();
        for field in fields.iter_mut().skip(1) {
            *field = SWAPPED.iter().fold(field.clone(), |field, (from, to)| field.replace(from, to));
        }
        if fields == before {
            fields[last] = if fields[last].starts_with(|letter: char| letter.is_ascii_digit()) {
                format!("7{}", fields[last])
            } else {
                "7".into()
            };
        }
        fields.join("\t")
    }

    proptest! {
        #[test]
        fn any_row_is_survived(kind in 0..KINDS.len(), row in "[0-9a-fA-F,|=# \t-]{0,80}", other in any::<String>()) {
            let _ = vectors(&format!("{}x\n{row}\n", KINDS[kind].0));
            let _ = vectors(&other);
        }
    }
}
