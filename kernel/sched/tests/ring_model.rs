//! The ring's own source under loom, which runs it through the interleavings
//! and reorderings that the memory model allows: a slot that both ends touch at
//! once, or a message read before it was written, is found here.
//!
//! Ends are claimed before the second thread starts. Loom remembers the last
//! access to an atomic only, so a claim's own load just before a store would
//! hide the other thread's load from it and with it all further schedules.
#![expect(
    dead_code,
    unreachable_pub,
    reason = "the module is written as a part of the crate, not of this test"
)]

mod sync {
    pub(crate) use loom::cell::UnsafeCell;
    pub(crate) use loom::sync::atomic::{AtomicBool, AtomicUsize};
}
#[path = "../src/ring.rs"]
mod ring;

use ring::{Consumer, Producer, Ring};
use std::mem::MaybeUninit;
use std::sync::Mutex;

/// A ring that outlives its threads; a few hundred bytes a schedule.
fn ring<const N: usize>() -> &'static Ring<u8, N> {
    Box::leak(Box::new(Ring::from_parts(
        std::array::from_fn(|_| sync::UnsafeCell::new(MaybeUninit::uninit())),
        std::array::from_fn(|_| sync::AtomicUsize::new(0)),
        std::array::from_fn(|_| sync::AtomicBool::new(false)),
    )))
}

/// Runs `produce` beside `consume` in every schedule, drains the ring, and
/// checks that the messages 1 to `pushed` arrived in order. Gives how many
/// `consume` saw, over all schedules.
fn check<const N: usize>(
    produce: fn(&mut Producer<'static, u8, N>) -> usize,
    consume: fn(&mut Consumer<'static, u8, N>) -> Vec<u8>,
) -> Vec<usize> {
    let seen = std::sync::Arc::new(Mutex::new(Vec::new()));
    let record = seen.clone();
    loom::model(move || {
        let ring = ring::<N>();
        let mut producer = ring.producer().expect("unclaimed");
        let mut consumer = ring.consumer().expect("unclaimed");
        let producing = loom::thread::spawn(move || produce(&mut producer));
        let mut got = consume(&mut consumer);
        record.lock().expect("no panic").push(got.len());
        let pushed = producing.join().expect("no panic");
        got.extend(std::iter::from_fn(|| consumer.pop()));
        assert!(
            got.iter().map(|&message| usize::from(message)).eq(1..=pushed),
            "{pushed} pushed, got {got:?}"
        );
    });
    let mut seen = std::mem::take(&mut *seen.lock().expect("no panic"));
    seen.sort_unstable();
    seen.dedup();
    seen
}

#[test]
fn single_messages_arrive_once_and_in_order() {
    let seen = check::<2>(
        |producer| (1..=4).take_while(|&message| producer.push(message).is_ok()).count(),
        |consumer| (0..3).filter_map(|_| consumer.pop()).collect(),
    );
    assert_eq!(seen, [0, 1, 2, 3], "schedules of every outcome were tried");
}

#[test]
fn batches_arrive_whole_and_in_order() {
    let seen = check::<4>(
        |producer| producer.push_slice(&[1, 2, 3]) + producer.push_slice(&[4, 5, 6]),
        |consumer| {
            let mut into = [0; 3];
            let count = consumer.pop_slice(&mut into);
            let mut got = into[..count].to_vec();
            let count = consumer.pop_slice(&mut into);
            got.extend(&into[..count]);
            got
        },
    );
    assert!(seen.starts_with(&[0, 3]) && seen.len() > 2, "first a whole batch or nothing: {seen:?}");
}

#[test]
fn an_end_passes_from_one_thread_to_another() {
    loom::model(|| {
        let ring = ring::<2>();
        let push = || ring.producer().map(|mut producer| producer.push(1).expect("room for both"));
        let other = loom::thread::spawn(push);
        let pushed = push().into_iter().count() + other.join().expect("no panic").into_iter().count();
        let mut consumer = ring.consumer().expect("unclaimed");
        let got: Vec<u8> = std::iter::from_fn(|| consumer.pop()).collect();
        assert_eq!(got, vec![1; pushed]);
    });
}
