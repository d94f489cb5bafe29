//! temp
use umbra_console::parse::JobScale;
pub(crate) struct Shell;
impl Shell {
    pub(crate) fn new() -> Self {
        Self
    }
    pub(crate) fn start(&mut self) {
        crate::print!("umbra> ");
    }
    pub(crate) fn poll(&mut self, _now_ns: u64) {}
    pub(crate) fn show_above(&mut self, text: &dyn core::fmt::Display) {
        crate::println!("{text}");
    }
    pub(crate) fn wants_job(&mut self) -> Option<JobScale> {
        None
    }
}
