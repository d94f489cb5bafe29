//! How much slower search is beside each mix: one row a load under a policy,
//! one column a mix, coloured by the p99's multiple of running alone.

use super::super::cell::Cell;
use super::super::table::{multiple, shown};
use super::svg::{Anchor, Svg};

const LEFT: f64 = 150.0;
const TOP: f64 = 22.0;
const BOX: (f64, f64) = (86.0, 20.0);

/// The map.
pub(super) fn map(cells: &[Cell], policies: &[&str]) -> String {
    let mixes = distinct(cells.iter().map(|cell| cell.key.mix.name.as_str()));
    let loads = distinct(cells.iter().map(|cell| cell.key.knee_percent));
    let mut svg =
        Svg::new(LEFT + BOX.0 * float(mixes.len()), TOP + BOX.1 * float(policies.len() * loads.len()));
    for (column, mix) in mixes.iter().enumerate() {
        svg.text((LEFT + BOX.0 * (float(column) + 0.5), 14.0), Anchor::Middle, "#222222", mix);
    }
    let rows = policies.iter().flat_map(|policy| loads.iter().map(move |load| (*policy, *load)));
    for (row, (policy, load)) in rows.enumerate() {
        let y = TOP + BOX.1 * float(row);
        svg.text((LEFT - 6.0, y + 14.0), Anchor::End, "#222222", &format!("{policy} at {load} %"));
        for (column, mix) in mixes.iter().enumerate() {
            let here =
                cells.iter().filter(|cell| cell.key.mix.name == **mix && cell.key.knee_percent == load);
            let milli =
                here.filter_map(|cell| cell.policy(policy)?.figure("p99_multiple_milli")).reduce(f64::max);
            let x = LEFT + BOX.0 * float(column);
            let title = format!("search at {load} % of its knee beside {mix} under {policy}");
            let (fill, ink) = milli.map_or(("#ffffff".to_owned(), "#222222"), colours);
            svg.area((x, y), (BOX.0 - 1.0, BOX.1 - 1.0), &fill, &title);
            svg.text((x + BOX.0 / 2.0, y + 14.0), Anchor::Middle, ink, &shown(milli, multiple));
        }
    }
    format!(
        "{}<p>p99 as a multiple of running alone at the same load; the worst seed of each.</p>",
        svg.finish()
    )
}

/// From white at 1 to dark red at 100, by the logarithm; and an ink to read on it.
fn colours(milli: f64) -> (String, &'static str) {
    let heat = ((milli / 1000.0).max(1.0).log10() / 2.0).clamp(0.0, 1.0);
    let rest = 1.0 - heat;
    let fill = format!("hsl(12,80%,{:.0}%)", 30.0 + 68.0 * rest);
    (fill, if heat > 0.6 { "#ffffff" } else { "#222222" })
}

fn distinct<T: PartialEq>(all: impl Iterator<Item = T>) -> Vec<T> {
    let mut kept = Vec::new();
    for one in all {
        if !kept.contains(&one) {
            kept.push(one);
        }
    }
    kept
}

fn float(count: usize) -> f64 {
    u32::try_from(count).map_or(0.0, f64::from)
}

#[cfg(test)]
mod tests {
    use super::super::super::cell::tests::cell;
    use super::*;

    #[test]
    fn every_pair_has_a_box() {
        let cells = [
            cell("llc", 10, &[("none", Some(1_000)), ("static", Some(100_000))]),
            cell("read", 10, &[("none", Some(2_500))]),
        ];
        let map = map(&cells, &["none", "static"]);
        assert_eq!(map.matches("<rect").count(), 4);
        for text in ["1.00x", "100x", "2.50x", ">-<", "none at 10 %"] {
            assert!(map.contains(text), "{text}");
        }
        assert!(map.contains("hsl(12,80%,98%)") && map.contains("hsl(12,80%,30%)"));
    }
}
