//! The commands of `cargo xtask`.

pub(crate) mod bench;
pub(crate) mod eval;
pub(crate) mod image;
pub(crate) mod inspect;
pub(crate) mod run;
pub(crate) mod soak;
pub(crate) mod test;
