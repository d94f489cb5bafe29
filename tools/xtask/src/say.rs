//! Messages to the person at the terminal. They go to standard error, so that
//! standard output holds only what was asked for.

/// What is being done, or done next.
pub(crate) fn step(text: &str) {
    eprintln!("umbra: {text}");
}

/// Something went wrong; one line.
pub(crate) fn error(text: &str) {
    eprintln!("error: {text}");
}

/// "a", "a and b", "a, b and c".
pub(crate) fn list(items: &[&str]) -> String {
    match items {
        [] => String::new(),
        [one] => (*one).to_owned(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn lists_read_as_prose() {
        assert_eq!(super::list(&["a"]), "a");
        assert_eq!(super::list(&["a", "b", "c"]), "a, b and c");
    }
}
