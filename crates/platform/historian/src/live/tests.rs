use weir_model::{Sample, TagId};

use super::*;

fn batch(position: u64, samples: usize) -> LiveBatch {
    let time = weir_model::Timestamp::from_nanos(position as i64);
    let sample = Sample::good(time, weir_model::Value::Bool(true));
    LiveBatch { position, tenant: TenantId(1), samples: vec![(TagId(1), sample); samples].into() }
}

fn positions(live: &Live) -> Vec<u64> {
    live.replay.iter().map(|batch| batch.position).collect()
}

#[test]
fn replay_starts_after_the_position_and_meets_the_receiver() {
    let stream = LiveStream::new(3, 1 << 20, 100);
    stream.publish(batch(4, 1));
    stream.pass(5);
    stream.publish(batch(6, 1));
    let mut live = stream.subscribe(Some(4));
    assert_eq!((positions(&live), live.missed), (vec![6], false));
    stream.publish(batch(7, 1));
    assert_eq!(live.receiver.try_recv().unwrap().position, 7);
    assert_eq!(positions(&stream.subscribe(Some(3))), [4, 6, 7]);
    assert!(stream.subscribe(Some(2)).missed);
    assert!(stream.subscribe(Some(8)).missed);
    assert!(!stream.subscribe(Some(7)).missed);
    assert!(stream.subscribe(None).replay.is_empty());
}

#[test]
fn the_memory_is_bounded_by_bytes() {
    let stream = LiveStream::new(0, 3 * batch(1, 1).bytes(), 100);
    (1..=5).for_each(|position| stream.publish(batch(position, 1)));
    let live = stream.subscribe(Some(2));
    assert_eq!((positions(&live), live.missed), (vec![3, 4, 5], false));
    assert!(stream.subscribe(Some(1)).missed);
    stream.publish(batch(6, 2));
    assert_eq!(positions(&stream.subscribe(Some(3))), [5, 6]);
    let text = weir_model::Value::text(&"x".repeat(1000)).unwrap();
    let mut long = batch(7, 1);
    let time = weir_model::Timestamp::from_nanos(7);
    long.samples = vec![(TagId(1), Sample::good(time, text))].into();
    stream.publish(long);
    let live = stream.subscribe(Some(6));
    assert!(live.replay.is_empty() && live.missed);
}

#[test]
fn a_stalled_receiver_holds_a_bounded_number_of_bytes() {
    let stream = LiveStream::new(0, batch(1, 1000).bytes(), 256);
    let mut stalled = stream.subscribe(None).receiver;
    let mut prompt = stream.subscribe(None).receiver;
    let mut sent = Vec::new();
    for position in 1..=100 {
        stream.publish(batch(position, 1000));
        sent.push(Arc::downgrade(&stream.subscribe(Some(position - 1)).replay[0]));
        let mut taken = std::iter::repeat_with(|| prompt.try_recv().unwrap());
        let taken = taken.find(|batch| !batch.samples.is_empty()).unwrap();
        assert_eq!(taken.position, position, "who is not behind misses nothing");
        drop(taken);
        let held = sent.iter().filter(|batch| batch.strong_count() > 0).count();
        assert!(held <= BEHIND_FACTOR, "{held} at {position}");
    }
    assert!(matches!(stalled.try_recv(), Err(broadcast::error::TryRecvError::Lagged(_))));
}

#[test]
fn a_receiver_that_was_too_slow_finds_what_it_missed() {
    let stream = LiveStream::new(0, 1 << 20, 4);
    let mut live = stream.subscribe(Some(0));
    (1..=9).for_each(|position| stream.publish(batch(position, 1)));
    assert!(matches!(live.receiver.try_recv(), Err(broadcast::error::TryRecvError::Lagged(5))));
    let live = stream.subscribe(Some(0));
    assert_eq!((positions(&live).len(), live.missed), (9, false));
}
