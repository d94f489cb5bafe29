//! `query`: one search as a person types it, answered on the control core.

use core::fmt::{self, Display, Formatter, Write};

use heapless::Vec;
use umbra_console::format::Ns;
use workload_api::Meter;
use workload_search::{HITS, Place, Results};

use super::burst;
use super::page::{Value, name, number};
use super::reply::Reply;
use crate::{first_class, time};

struct Found {
    place: Place<'static>,
    text: Line<'static>,
    score: u64,
}

/// A line of source, without what would disturb a terminal.
struct Line<'t>(&'t [u8]);

impl Display for Line<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        for chunk in self.0.trim_ascii().utf8_chunks() {
            for character in chunk.valid().chars() {
                f.write_char(if character.is_control() { ' ' } else { character })?;
            }
            if !chunk.invalid().is_empty() {
                f.write_char('?')?;
            }
        }
        Ok(())
    }
}

/// `query TEXT...`.
#[inline(never)]
pub(super) fn run(reply: Reply, text: &str) {
    let search = match burst::ready() {
        Ok(()) => first_class::search(),
        Err(error) => return reply.fail(&error),
    };
    let Some(search) = search else { return reply.fail(&"search is not there") };
    let (mut meter, mut results) = (Meter::default(), Results::new());
    let begun_ns = time::now_ns();
    if let Err(error) = search.query(text, &mut meter, &mut results) {
        return reply.fail(&error);
    }
    let took_ns = time::now_ns().saturating_sub(begun_ns);
    let found: Vec<Found, HITS> = results
        .hits()
        .iter()
        .filter_map(|hit| {
            let place = search.place(hit)?;
            Some(Found { place, text: Line(place.text), score: u64::from(hit.score_q8) })
        })
        .collect();
    reply.show(|page| {
        for one in &found {
            page.line(format_args!("{}:{}: {}", one.place.path, one.place.line, one.text))?;
        }
        let some = if results.complete() { "" } else { "at least " };
        page.line(format_args!("{some}{} documents match, found in {}", results.matches(), Ns(took_ns)))?;
        if !matches!(page, super::page::Page::Json(_)) {
            return Ok(());
        }
        page.facts(&[
            ("matches", "matches", Value::Number(u64::from(results.matches()))),
            ("complete", "complete", Value::Flag(results.complete())),
            ("took", "took_ns", Value::Ns(took_ns)),
        ])?;
        let fields = [name("path", ""), number("line", ""), number("score_q8", ""), name("text", "")];
        page.table("hits", fields, &found, |one| {
            let line = one.place.line as u64;
            [
                Value::Text(one.place.path),
                Value::Number(line),
                Value::Number(one.score),
                Value::Shown(&one.text),
            ]
        })
    });
}
