//! The ring between two threads of the host.

use proptest::prelude::*;
use std::collections::VecDeque;
use umbra_sched::Ring;

#[test]
fn holds_its_capacity_in_order() {
    let mut ring: Ring<u32, 4> = Ring::new();
    let (mut producer, mut consumer) = ring.split().expect("nobody else has them");
    assert!(consumer.is_empty() && consumer.pop().is_none());
    for round in 0..10 {
        for message in 0..4 {
            assert_eq!(producer.push(round * 10 + message), Ok(()));
        }
        assert_eq!((producer.push(99), producer.free()), (Err(99), 0));
        for message in 0..4 {
            assert_eq!(consumer.pop(), Some(round * 10 + message));
        }
        assert_eq!((consumer.pop(), producer.free()), (None, 4));
    }
}

#[test]
fn ends_are_claimed_once_and_given_back_from_a_static() {
    static RINGS: [Ring<u8, 2>; 2] = [const { Ring::new() }; 2];
    let ring = &RINGS[1];
    let mut producer = ring.producer().expect("unclaimed");
    assert!(ring.producer().is_none());
    assert_eq!(producer.push(7), Ok(()));
    drop(producer);
    let mut producer = ring.producer().expect("given back");
    assert_eq!(
        (producer.push(8), producer.push(9)),
        (Ok(()), Err(9)),
        "it goes on where the last one stopped"
    );
    let mut consumer = ring.consumer().expect("unclaimed");
    assert!(ring.consumer().is_none());
    assert_eq!(consumer.pop(), Some(7));
    drop(consumer);
    assert_eq!(ring.consumer().expect("given back").pop(), Some(8));
    assert!(RINGS[0].consumer().expect("another ring").is_empty());
}

#[test]
fn the_indices_are_on_lines_of_their_own() {
    assert_eq!(std::mem::align_of::<Ring<u8, 2>>(), 128);
    assert_eq!(std::mem::size_of::<Ring<u64, 16>>(), 3 * 128);
}

#[test]
fn nothing_is_lost_or_doubled_between_two_threads() {
    const MESSAGES: u64 = 200_000;
    let ring: Ring<[u64; 2], 16> = Ring::new();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut producer = ring.producer().expect("unclaimed");
            let mut next = 0;
            while next < MESSAGES {
                let batch: Vec<[u64; 2]> =
                    (next..MESSAGES.min(next + next % 7 + 1)).map(|number| [number, !number]).collect();
                let sent = producer.push_slice(&batch) as u64;
                next += sent;
                if sent == 0 {
                    std::thread::yield_now();
                }
            }
        });
        let mut consumer = ring.consumer().expect("unclaimed");
        let (mut expected, mut batch) = (0, [[0; 2]; 5]);
        while expected < MESSAGES {
            let got = consumer.pop_slice(&mut batch);
            for message in &batch[..got] {
                assert_eq!(*message, [expected, !expected]);
                expected += 1;
            }
            if got == 0 {
                std::thread::yield_now();
            }
        }
        assert_eq!(consumer.pop(), None);
    });
}

proptest! {
    #[test]
    fn is_a_bounded_queue(steps in prop::collection::vec((0u8..4, prop::collection::vec(any::<u16>(), 0..12)), 0..60)) {
        let mut ring: Ring<u16, 8> = Ring::new();
        let (mut producer, mut consumer) = ring.split().expect("unclaimed");
        let mut model = VecDeque::new();
        for (step, batch) in steps {
            match step {
                0 => {
                    let message = batch.first().copied().unwrap_or(3);
                    prop_assert_eq!(producer.push(message).is_ok(), model.len() < 8);
                    if model.len() < 8 {
                        model.push_back(message);
                    }
                }
                1 => {
                    let fit = batch.len().min(8 - model.len());
                    prop_assert_eq!(producer.push_slice(&batch), fit);
                    model.extend(&batch[..fit]);
                }
                2 => prop_assert_eq!(consumer.pop(), model.pop_front()),
                _ => {
                    let mut into = vec![0; batch.len()];
                    let got = consumer.pop_slice(&mut into);
                    prop_assert_eq!(got, batch.len().min(model.len()));
                    prop_assert!(into[..got].iter().copied().eq(model.drain(..got)));
                }
            }
        }
    }
}
