//! The index against a reader that knows no index: it splits every document
//! into words and looks through all of them for each query.

use proptest::prelude::*;
use std::collections::HashSet;
use workload_api::{Corpus, Memory, Meter, PrepareError, Random, Workload};
use workload_search::{
    Config, HITS, NEAR_WORDS, QueryError, Results, Search, TYPED_STEPS_MAX, UNIT_STEPS_MAX, memory_bytes,
    prepare,
};

/// Documents, and the corpus made of them.
struct Library {
    text: String,
    index: String,
    words: Vec<Vec<String>>,
}

impl Library {
    fn new(documents: &[String]) -> Self {
        let (mut text, mut index) = (String::new(), String::new());
        for (number, document) in documents.iter().enumerate() {
            index += &format!("{} {} dir/{number}.rs\n", text.len(), document.len());
            text += document;
        }
        Self { text, index, words: documents.iter().map(|document| split(document)).collect() }
    }

    fn search<T>(&self, body: impl FnOnce(&Search<'_>) -> T) -> T {
        let corpus = Corpus::new(self.text.as_bytes(), &self.index).expect("valid");
        let bytes = memory_bytes(corpus, Config::default());
        let mut region = vec![0; bytes.div_ceil(8)];
        body(&prepare(corpus, Memory::new(&mut region), Config::default()).expect("the bound suffices"))
    }

    /// Every matching document with its score, as the documentation of the
    /// ranking has it, in floating point.
    fn expected(&self, clauses: &[Vec<String>]) -> Vec<(u32, f64)> {
        let clauses: Vec<_> = distinct(clauses);
        let rarity = |clause: &[String]| clause.iter().map(|word| self.rarity(word)).sum::<f64>();
        let leads: Vec<_> = clauses.iter().map(|clause| self.lead(clause)).collect();
        let total = |word: &String| self.words.iter().flatten().filter(|w| *w == word).count();
        let first = (0..clauses.len()).min_by_key(|&i| total(&clauses[i][leads[i]])).expect("a clause");
        let mut found = Vec::new();
        for (number, words) in self.words.iter().enumerate() {
            let at: Vec<Vec<usize>> = clauses.iter().map(|clause| occurrences(words, clause)).collect();
            if at.iter().any(Vec::is_empty) {
                continue;
            }
            let score: f64 = clauses
                .iter()
                .zip(&at)
                .map(|(c, at)| rarity(c) * self.saturation(at.len(), words.len()))
                .sum();
            let bonus = |anchor: usize| -> f64 {
                let from = anchor.saturating_sub(NEAR_WORDS as usize);
                let near = &words[from..words.len().min(anchor + NEAR_WORDS as usize + 1)];
                let others =
                    (0..clauses.len()).filter(|&i| i != first && near.contains(&clauses[i][leads[i]]));
                others.map(|i| rarity(&clauses[i]) / 2.0).sum()
            };
            let anchors = at[first].iter().take(4).map(|start| start + leads[first]);
            found.push((u32::try_from(number).expect("few"), score + anchors.map(bonus).fold(0.0, f64::max)));
        }
        found
    }

    fn lead(&self, clause: &[String]) -> usize {
        let total = |word: &String| self.words.iter().flatten().filter(|w| *w == word).count();
        (0..clause.len()).min_by_key(|&i| total(&clause[i])).expect("a word")
    }

    fn rarity(&self, word: &String) -> f64 {
        let with = self.words.iter().filter(|words| words.contains(word)).count();
        ((self.words.len() as f64 + 1.0) / (with as f64 + 0.5)).log2().max(0.0)
    }

    fn saturation(&self, occurrences: usize, words: usize) -> f64 {
        let total: usize = self.words.iter().map(Vec::len).sum();
        let mean = total.div_ceil(self.words.len()) as f64;
        let count = occurrences as f64;
        count * 2.2 / (count + 1.2 * (0.25 + 0.75 * words as f64 / mean))
    }

    /// Asks both and compares.
    fn check(&self, search: &Search<'_>, query: &str, clauses: &[Vec<String>]) {
        let expected = self.expected(clauses);
        let mut results = Results::new();
        search.query(query, &mut Meter::default(), &mut results).expect("a query");
        assert!(results.complete());
        assert_eq!(results.matches() as usize, expected.len(), "{query}");
        assert_eq!(results.hits().len(), expected.len().min(HITS), "{query}");
        let order = |pair: &[workload_search::Hit]| {
            (pair[1].score_q8, pair[0].document) < (pair[0].score_q8, pair[1].document)
        };
        assert!(results.hits().windows(2).all(order), "{query}: {results:?}");
        // Each clause, and each word of it, is rounded to 1/256 a few times.
        let near = |score: f64| score * 0.02 + 0.3;
        let mut seen = HashSet::new();
        for hit in results.hits() {
            assert!(seen.insert(hit.document));
            let (_, score) =
                expected.iter().find(|(document, _)| *document == hit.document).expect("matches");
            let got = f64::from(hit.score_q8) / 256.0;
            assert!((got - score).abs() <= near(*score), "{query}: {got} for {score}");
            let place = search.place(hit).expect("a place");
            let shown = split(&String::from_utf8_lossy(place.text));
            assert!(clauses.iter().flatten().any(|word| shown.contains(word)), "{query}: {shown:?}");
        }
        let worst = results.hits().last().map_or(0.0, |hit| f64::from(hit.score_q8) / 256.0);
        for (document, score) in expected.iter().filter(|(document, _)| !seen.contains(document)) {
            assert!(*score <= worst + 2.0 * near(*score), "{query}: {document} with {score} was left out");
        }
    }
}

fn split(text: &str) -> Vec<String> {
    let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    words.filter(|word| (2..=32).contains(&word.len())).map(str::to_ascii_lowercase).collect()
}

fn occurrences(words: &[String], clause: &[String]) -> Vec<usize> {
    (0..words.len()).filter(|&at| words[at..].starts_with(clause)).collect()
}

fn distinct(clauses: &[Vec<String>]) -> Vec<Vec<String>> {
    let mut kept: Vec<Vec<String>> = Vec::new();
    for clause in clauses {
        if !kept.contains(clause) {
            kept.push(clause.clone());
        }
    }
    kept
}

fn written(clauses: &[Vec<String>]) -> String {
    clauses.iter().map(|clause| format!("\"{}\" ", clause.join(" "))).collect()
}

fn word() -> impl Strategy<Value = String> {
    prop::sample::select(vec!["fn", "self", "Self", "let", "vec", "new", "a_b", "x9", "zz", "i", "été"])
        .prop_map(String::from)
}

fn document() -> impl Strategy<Value = String> {
    let separator = prop::sample::select(vec![" ", "\n", "::", "(", "  ", "."]);
    prop::collection::vec((word(), separator), 0..80)
        .prop_map(|parts| parts.into_iter().map(|(word, separator)| word + separator).collect())
}

proptest! {
    #[test]
    fn agrees_on_random_documents(
        documents in prop::collection::vec(document(), 1..16),
        clauses in prop::collection::vec(prop::collection::vec(word(), 1..4), 1..4),
    ) {
        let library = Library::new(&documents);
        let clauses: Vec<Vec<String>> =
            clauses.iter().map(|words| split(&words.join(" "))).filter(|clause| !clause.is_empty()).collect();
        prop_assume!(!clauses.is_empty() && library.words.iter().any(|words| !words.is_empty()));
        // With equal counts either clause may lead; the order is then by first
        // sight, which the reader above does not know. Make counts differ.
        let total = |word: &String| library.words.iter().flatten().filter(|w| *w == word).count();
        let counts: Vec<usize> = clauses.iter().map(|c| c.iter().map(total).min().unwrap_or(0)).collect();
        let mut unequal = counts.clone();
        unequal.sort_unstable();
        unequal.dedup();
        prop_assume!(unequal.len() == counts.len());
        library.search(|search| library.check(search, &written(&clauses), &clauses));
    }

    #[test]
    fn takes_any_text_as_a_query(text in ".{0,60}|[a-z\" ]{0,60}") {
        let library = Library::new(&["one two three".into(), "three four".into()]);
        library.search(|search| {
            let mut results = Results::new();
            let _ = search.query(&text, &mut Meter::default(), &mut results);
        });
    }
}

#[test]
fn agrees_on_this_projects_sources() {
    let library = Library::new(&sources());
    let all: Vec<&Vec<String>> = library.words.iter().filter(|words| words.len() > 100).collect();
    library.search(|search| {
        let mut random = Random::new(1);
        for number in 0..300 {
            let words = all[random.below(u32::try_from(all.len()).expect("few")) as usize];
            let at = random.below(u32::try_from(words.len()).expect("few") - 64) as usize;
            let clauses: Vec<Vec<String>> = match number % 3 {
                0 => vec![words[at..at + 2 + number % 4].to_vec()],
                1 => vec![vec![words[at].clone()]],
                _ => vec![vec![words[at].clone()], words[at + 9..at + 11].to_vec()],
            };
            let total = |word: &String| library.words.iter().flatten().filter(|w| *w == word).count();
            let least = |clause: &Vec<String>| clause.iter().map(total).min();
            if clauses.len() == 2 && least(&clauses[0]) == least(&clauses[1]) {
                continue;
            }
            library.check(search, &written(&clauses), &clauses);
        }
    });
}

/// The Rust sources of the workspace, which are at hand wherever this runs.
fn sources() -> Vec<String> {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut folders = vec![root.join("workloads"), root.join("kernel/control")];
    let mut found = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push(std::fs::read_to_string(path).expect("text"));
            }
        }
    }
    found.sort();
    found
}

#[test]
fn units_repeat_and_find_something() {
    let library = Library::new(&sources());
    library.search(|search| {
        let run = |index| {
            let mut meter = Meter::default();
            (search.unit(index, &mut [], &mut meter), meter)
        };
        let sums: HashSet<u64> = (0..200).map(|index| run(index).0).collect();
        assert!(sums.len() > 150, "queries differ");
        for index in 0..200 {
            let (sum, meter) = run(index);
            assert_eq!((sum, meter), run(index));
            assert!(meter.read_bytes > 0 && meter.sequential_bytes <= meter.read_bytes);
            assert_eq!(meter.written_bytes, 0);
        }
    });
}

#[test]
fn shows_path_line_and_text() {
    let library = Library::new(&["fn one() {\n    two();\n}\n".into(), "// nothing\n\nlet four = 4;".into()]);
    library.search(|search| {
        let ask = |query: &str| {
            let mut results = Results::new();
            search.query(query, &mut Meter::default(), &mut results).map(|()| results)
        };
        let place = |query: &str| {
            let results = ask(query).expect("a query");
            let place = search.place(&results.hits()[0]).expect("a place");
            (place.path.to_owned(), place.line, String::from_utf8_lossy(place.text).into_owned())
        };
        assert_eq!(place("two"), ("dir/0.rs".into(), 2, "    two();".into()));
        assert_eq!(place("\"LET four\""), ("dir/1.rs".into(), 3, "let four = 4;".into()));
        assert_eq!(ask("four two").expect("a query").matches(), 0, "not in one document");
        assert_eq!(ask("\"two nothing\"").expect("a query").matches(), 0, "across two documents");
        assert_eq!(ask("absent").expect("a query").matches(), 0);
        assert_eq!(ask("fn::one(two)").expect("a query").matches(), 1, "words without spaces are a phrase");
        assert_eq!(ask(" ; x").unwrap_err(), QueryError::NoWords);
        assert_eq!(ask("\"one").unwrap_err(), QueryError::UnclosedQuote);
        assert_eq!(ask(&"fn ".repeat(9)).expect("one clause nine times").matches(), 1);
        assert_eq!(ask(&"fn one ".repeat(9).replace(' ', "-")).unwrap_err(), QueryError::PhraseTooLong);
        let nine: String = (1..=9).map(|n| format!("\"{}\" ", "two ".repeat(n.min(8)))).collect();
        assert!(ask(&nine).is_ok(), "the ninth is the eighth again");
        assert_eq!(search.statistics().documents, 2);
        assert_eq!((search.statistics().terms, search.statistics().postings), (6, 6));
    });
}

#[test]
fn stops_at_the_bound_and_says_so() {
    let document = "ab cd ".repeat(TYPED_STEPS_MAX as usize / 2);
    let library = Library::new(&[document.clone(), document.clone(), document]);
    library.search(|search| {
        let mut results = Results::new();
        search.query("ab cd", &mut Meter::default(), &mut results).expect("a query");
        assert!(!results.complete());
        assert_eq!(results.matches(), 1);
        let mut meter = Meter::default();
        let worst = 3 * 4 * u64::from(UNIT_STEPS_MAX);
        for index in 0..20 {
            search.unit(index, &mut [], &mut meter);
            assert!(core::mem::take(&mut meter).read_bytes < worst, "at most a document more than the bound");
        }
    });
}

#[test]
fn refuses_what_it_cannot_index() {
    let refusal = |text: &str, bytes: usize, config| {
        let index = format!("0 {} a.rs\n", text.len());
        let corpus = Corpus::new(text.as_bytes(), &index).expect("valid");
        prepare(corpus, Memory::new(&mut vec![0; bytes / 8]), config).err()
    };
    assert!(matches!(refusal("- + i", 1 << 16, Config::default()), Some(PrepareError::BadInput(_))));
    assert!(matches!(refusal("one two", 64, Config::default()), Some(PrepareError::OutOfMemory(_))));
    let small = Config { terms_max: Some(1) };
    assert!(matches!(refusal("one two", 1 << 16, small), Some(PrepareError::BadInput(_))));
    assert!(refusal("one One", 1 << 16, small).is_none());
}
