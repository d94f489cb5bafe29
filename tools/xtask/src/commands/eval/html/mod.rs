//! The comparison as one page with no outside parts: tables, and plots as
//! inline SVG. Every figure shown is one that the guest sent; the page is
//! written anew after each cell, so what there is can be looked at any time.

mod heat;
mod latency;
mod svg;
mod timeline;

use std::fmt::Write;

use super::cell::Cell;
use super::knee::{self, Knee};
use super::table;

/// Line colours, told apart also by those who see few (Okabe and Ito, "Color
/// Universal Design", 2008), then darker ones.
const COLOURS: [&str; 12] = [
    "#d55e00", "#0072b2", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#8c564b", "#7f7f7f", "#bcbd22",
    "#17becf", "#5b2a86", "#111111",
];

/// The colour of the policy at this place.
fn colour(place: usize) -> &'static str {
    COLOURS.get(place % COLOURS.len()).copied().unwrap_or("#111111")
}

/// The whole page.
pub(crate) fn page(title: &str, knee: Option<&Knee>, cells: &[Cell], planned: usize) -> String {
    let policies = table::policies(cells);
    let mut page = String::new();
    // Writing to a string does not fail, here and below.
    let _ = write!(page, "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"/>");
    let _ = write!(page, "<title>{0}</title><style>{STYLE}</style></head><body><h1>{0}</h1>", escaped(title));
    let _ = write!(page, "<p>{} of {planned} cells done.</p>", cells.len());
    if let Some(knee) = knee {
        let _ = write!(
            page,
            "<p>The first-class workload's knee, alone, is at {:.1} % of what it can serve: up to there its p99 \
             stays within {} times that at {:.1} %. Loads are shares of the knee's.</p>",
            f64::from(knee.permille) / 10.0,
            knee::MULTIPLE,
            f64::from(knee.loads.first().map_or(0, |load| load.permille)) / 10.0,
        );
    }
    let _ = write!(page, "<h2>All policies</h2><pre>{}</pre>", escaped(&table::text(cells)));
    let _ = write!(page, "<h2>Slowdown of search beside each mix</h2>{}", heat::map(cells, &policies));
    let _ = write!(page, "<h2>One burst under each policy</h2>{}", timeline::all(cells, &policies));
    let _ = write!(page, "<h2>Latencies</h2>{}", legend(&policies));
    for cell in cells {
        let _ = write!(
            page,
            "<figure><figcaption>{}</figcaption>{}</figure>",
            escaped(&cell.key.title()),
            latency::plot(cell, &policies)
        );
    }
    page.push_str("</body></html>\n");
    page
}

const STYLE: &str = "body{font:14px sans-serif;margin:2em auto;max-width:1100px;color:#222}\
    pre{overflow-x:auto;background:#f6f6f6;padding:1em;font-size:12px}\
    figure{display:inline-block;margin:0 1em 1em 0}figcaption{font-weight:bold}\
    svg text{font:11px sans-serif}.key{display:inline-block;width:1em;height:1em;margin:0 .3em 0 1em}\
    summary{cursor:pointer;font-weight:bold;margin:.5em 0}";

fn legend(policies: &[&str]) -> String {
    let mut legend = String::from("<p><span class=\"key\" style=\"background:#aaaaaa\"></span>alone");
    for (place, name) in policies.iter().enumerate() {
        let _ = write!(
            legend,
            "<span class=\"key\" style=\"background:{}\"></span>{}",
            colour(place),
            escaped(name)
        );
    }
    legend.push_str("</p>");
    legend
}

/// Text that means nothing to HTML.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::super::cell::tests::cell;
    use super::*;

    /// Whether every element is closed, in order, and nothing is left bare.
    fn check(page: &str) {
        let body = page.strip_prefix("<!DOCTYPE html>\n").expect("a document");
        let mut open: Vec<&str> = Vec::new();
        for part in body.split('<').skip(1) {
            let (tag, text) = part.split_once('>').expect("a tag ends");
            assert!(!text.contains('>'), "bare > in {text}");
            for entity in text.split('&').skip(1) {
                assert!(
                    ["amp;", "lt;", "gt;", "quot;"].iter().any(|known| entity.starts_with(known)),
                    "{entity}"
                );
            }
            assert_eq!(tag.matches('"').count() % 2, 0, "quotes in {tag}");
            let name = tag.split([' ', '/']).find(|word| !word.is_empty()).expect("a name");
            if tag.starts_with('/') {
                assert_eq!(open.pop(), Some(name), "closed in order");
            } else if !tag.ends_with('/') {
                open.push(name);
            }
        }
        assert_eq!(open, Vec::<&str>::new(), "all are closed");
    }

    #[test]
    fn the_page_is_well_formed_and_has_every_cell() {
        let cells = [
            cell("llc", 10, &[("none", Some(31_000)), ("concept", Some(1_250))]),
            cell("read", 10, &[("none", None), ("concept", Some(1_500))]),
            cell("llc", 90, &[]),
        ];
        let page = page("a <title> & more", None, &cells, 5);
        check(&page);
        assert!(page.contains("3 of 5 cells done."));
        for cell in &cells {
            let caption = format!("<figcaption>{}</figcaption>", cell.key.title());
            assert!(page.contains(&caption), "{caption}");
        }
        for outside in ["http://", "https://", "src=", "href=", "@import", "url("] {
            let found = page.replace("http://www.w3.org/2000/svg", "");
            assert!(!found.contains(outside), "{outside}");
        }
    }

    #[test]
    fn a_page_without_cells_is_a_page() {
        check(&page("t", None, &[], 3));
    }
}
