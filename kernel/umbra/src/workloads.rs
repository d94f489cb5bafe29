//! temp
pub(crate) fn name_of(_slot: u16) -> &'static str {
    "?"
}
pub(crate) fn memory_bytes(_w: u8) -> u64 {
    0
}
pub(crate) extern "sysv64" fn second_class_main(_: u64) -> ! {
    crate::spawn::begin();
    crate::schedule::leave(crate::tasks::Phase::Ended)
}
