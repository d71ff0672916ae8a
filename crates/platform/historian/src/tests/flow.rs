//! From append to read, through memory, log and blocks.

use std::sync::Arc;

use weir_model::{BATCH_DAYS_MAX, Quality, Sample, TagId, TenantId, Timestamp, Value};

use super::*;
use crate::{AppendError, HistorianError, RANGE_SAMPLES_MAX};

#[tokio::test]
async fn what_was_appended_is_read_from_memory_log_and_blocks() {
    let dir = tempfile::tempdir().unwrap();
    let array = Value::array(vec![Value::F64(1.5), Value::Text("é".into())]).unwrap();
    let samples = vec![
        number(0, 1.5),
        Sample::good(at(1), Value::I64(i64::MIN)),
        Sample::good(at(2), Value::U64(u64::MAX)),
        Sample::good(at(999), Value::Bool(true)),
        Sample::good(at(1000), Value::text("läuft").unwrap()),
        Sample::good(at(1001), Value::Enumeration(-3)),
        Sample::good(at(DAY), array),
        Sample::without_value(at(DAY + 1), Quality::TIMEOUT),
        Sample {
            time: at(2 * DAY),
            value: Some(Value::F64(f64::NAN)),
            quality: Quality::UNCERTAIN,
        },
    ];
    let batch = batch(samples.iter().map(|sample| (TagId(7), sample.clone())).collect());
    let historian = open(dir.path());
    let appended = historian.append(batch).await.unwrap();
    assert_eq!((appended.position, appended.accepted, appended.duplicate), (1, 9, false));
    assert_eq!(all(&historian, 7).await, samples);
    drop(historian);

    let historian = open(dir.path());
    assert_eq!(all(&historian, 7).await, samples, "from the log");
    historian.flush().await.unwrap();
    assert_eq!(historian.stats().blocks, 3);
    assert_eq!(historian.stats().memory_bytes, 0);
    assert_eq!(all(&historian, 7).await, samples, "from blocks");
    drop(historian);

    let historian = open(dir.path());
    assert_eq!(all(&historian, 7).await, samples, "from blocks after opening");
    assert_eq!(historian.last(TENANT, TagId(7)).as_ref(), samples.last());
    assert_eq!(historian.stats().samples, 9);
    assert!(historian.range(TenantId(2), TagId(7), at(0), at(DAY), 10).await.unwrap().is_empty());
    assert_eq!(historian.last(TenantId(2), TagId(7)), None);
    let page = historian.range(TENANT, TagId(7), at(1), at(1001), 2).await.unwrap();
    assert_eq!(page, samples[1..3]);
    let page = historian.range(TENANT, TagId(7), at(3), at(1001), 9).await.unwrap();
    assert_eq!(page, samples[3..5]);
    assert!(historian.range(TENANT, TagId(7), at(9), at(9), 9).await.unwrap().is_empty());
    assert!(historian.range(TENANT, TagId(7), at(9), at(8), 9).await.unwrap().is_empty());
}

#[tokio::test]
async fn the_ends_of_time_are_kept() {
    let dir = tempfile::tempdir().unwrap();
    let historian = open(dir.path());
    let ends = [i64::MIN, i64::MIN + 1, -1, 0, i64::MAX - 1].map(Timestamp::from_nanos);
    let samples = ends.map(|time| Sample::good(time, Value::Bool(true)));
    let mut batch = batch(samples.iter().map(|sample| (TagId(1), sample.clone())).collect());
    batch.arrival = Timestamp::MAX;
    historian.append(batch).await.unwrap();
    assert_eq!(all(&historian, 1).await, samples);
    historian.flush().await.unwrap();
    assert_eq!(all(&historian, 1).await, samples);
    let points = historian.downsample(TENANT, TagId(1), ends[0], Timestamp::MAX, 3).await.unwrap();
    assert_eq!(points, [samples[0].clone(), samples[4].clone()]);
}

#[tokio::test]
async fn the_sample_stored_later_wins_wherever_it_lies() {
    let dir = tempfile::tempdir().unwrap();
    let historian = open(dir.path());
    for value in 0..6 {
        let samples = vec![(TagId(1), number(5, f64::from(value))), (TagId(1), number(6, 0.5))];
        historian.append(batch(samples)).await.unwrap();
        assert_eq!(all(&historian, 1).await[0], number(5, f64::from(value)));
        if value != 4 {
            historian.flush().await.unwrap();
        }
        assert_eq!(all(&historian, 1).await, [number(5, f64::from(value)), number(6, 0.5)]);
    }
    let twice = vec![(TagId(1), number(6, 1.0)), (TagId(1), number(6, 2.0))];
    historian.append(batch(twice)).await.unwrap();
    assert_eq!(all(&historian, 1).await[1], number(6, 2.0));
    assert_eq!(historian.last(TENANT, TagId(1)), Some(number(6, 2.0)));
}

#[tokio::test]
async fn late_samples_and_backfill_never_replace_a_newer_last_value() {
    let dir = tempfile::tempdir().unwrap();
    let historian = open(dir.path());
    let mut live = historian.live(None);
    historian.append(batch(vec![(TagId(1), number(10, 1.0))])).await.unwrap();
    historian.append(batch(vec![(TagId(1), number(9, 2.0))])).await.unwrap();
    let old = Batch { backfill: true, ..batch(vec![(TagId(1), number(8, 3.0))]) };
    historian.append(old).await.unwrap();
    assert_eq!(historian.last(TENANT, TagId(1)), Some(number(10, 1.0)));
    assert_eq!(all(&historian, 1).await.len(), 3);
    let positions = [live.receiver.try_recv(), live.receiver.try_recv()];
    assert_eq!(positions.map(|batch| batch.unwrap().position), [1, 2]);
    assert!(live.receiver.try_recv().is_err(), "backfill is not live");
    drop(historian);
    let historian = open(dir.path());
    assert_eq!(historian.last(TENANT, TagId(1)), Some(number(10, 1.0)));
    let live = historian.live(Some(1));
    let replayed: Vec<u64> = live.replay.iter().map(|batch| batch.position).collect();
    assert_eq!((replayed, live.missed), (vec![2], false), "also after opening");
}

#[tokio::test]
async fn a_batch_sent_again_is_stored_once() {
    let dir = tempfile::tempdir().unwrap();
    let historian = open(dir.path());
    let first = produced("press", 5, vec![(TagId(1), number(1, 1.0))]);
    assert!(!historian.append(first.clone()).await.unwrap().duplicate);
    let mut live = historian.live(None);
    for round in 0..3 {
        let historian = match round {
            0 => historian.clone(),
            1 => {
                historian.flush().await.unwrap();
                historian.clone()
            }
            _ => historian.clone(),
        };
        let again = historian.append(first.clone()).await.unwrap();
        assert_eq!((again.position, again.accepted, again.duplicate), (1, 1, true));
    }
    assert!(live.receiver.try_recv().is_err());
    let other = Batch { tenant: TenantId(2), ..first.clone() };
    assert!(!historian.append(other).await.unwrap().duplicate, "another tenant's press");
    drop((historian, live));

    let historian = open(dir.path());
    assert!(historian.append(first.clone()).await.unwrap().duplicate, "from the log");
    historian.close().await.unwrap();
    drop(historian);
    let historian = open(dir.path());
    assert_eq!(historian.stats().wal_bytes, 0);
    assert!(historian.append(first).await.unwrap().duplicate, "from the checkpoint");
    let lower = produced("press", 4, vec![(TagId(1), number(2, 1.0))]);
    assert!(!historian.append(lower.clone()).await.unwrap().duplicate, "it was never stored");
    assert!(historian.append(lower).await.unwrap().duplicate);
    let next = produced("press", 6, vec![(TagId(1), number(3, 1.0))]);
    assert!(!historian.append(next).await.unwrap().duplicate);
    assert_eq!(historian.stats().duplicates, 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_batch_sent_by_many_at_once_is_stored_once() {
    let dir = tempfile::tempdir().unwrap();
    let historian = open(dir.path());
    let sends = (0..64).map(|index| {
        let historian = historian.clone();
        let batch = produced("press", index / 8, vec![(TagId(1), number(index as i64 / 8, 1.0))]);
        tokio::spawn(async move { historian.append(batch).await.unwrap().duplicate })
    });
    let mut stored = 0;
    for send in sends.collect::<Vec<_>>() {
        stored += usize::from(!send.await.unwrap());
    }
    assert_eq!(stored, 8);
    assert_eq!(historian.stats().appended, 8);
    assert_eq!(all(&historian, 1).await.len(), 8);
}

#[test]
fn what_threads_that_share_a_producer_send_is_stored_in_any_order() {
    let dir = tempfile::tempdir().unwrap();
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let sent =
        |sequence: u64| produced("press", sequence, vec![(TagId(1), number(sequence as i64, 1.0))]);
    let historian = open(dir.path());
    // Each counts on its own, in rounds: within one they overtake each other by less than 128.
    let barrier = std::sync::Barrier::new(4);
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let (historian, barrier, runtime) = (&historian, &barrier, runtime());
            scope.spawn(move || {
                for round in 0..8 {
                    barrier.wait();
                    // Every other thread counts down.
                    for index in 0..16 {
                        let index = if thread % 2 == 0 { index } else { 15 - index };
                        let batch = sent(round * 64 + index * 4 + thread);
                        let appended = runtime.block_on(historian.append(batch)).unwrap();
                        assert!(!appended.duplicate);
                    }
                }
            });
        }
    });
    runtime().block_on(async {
        assert_eq!(all(&historian, 1).await.len(), 512);
        for sequence in 512 - 128..512 {
            assert!(historian.append(sent(sequence)).await.unwrap().duplicate, "{sequence}");
        }
        assert_eq!(historian.stats().appended, 512);
    });
}

#[tokio::test]
async fn which_sequences_are_stored_is_known_after_openings() {
    let dir = tempfile::tempdir().unwrap();
    let sent =
        |sequence: u64| produced("press", sequence, vec![(TagId(1), number(sequence as i64, 1.0))]);
    let historian = open(dir.path());
    for sequence in [10, 200, 73, 150] {
        assert!(!historian.append(sent(sequence)).await.unwrap().duplicate);
    }
    historian.flush().await.unwrap();
    assert!(!historian.append(sent(151)).await.unwrap().duplicate);
    assert!(!historian.append(sent(202)).await.unwrap().duplicate);
    drop(historian);
    // From checkpoint and log, then from the checkpoint alone.
    for round in 0..2 {
        let historian = open(dir.path());
        for sequence in [202, 200, 151, 150] {
            assert!(historian.append(sent(sequence)).await.unwrap().duplicate, "{sequence}");
        }
        for sequence in [74, 73, 10] {
            let refused = historian.append(sent(sequence)).await.unwrap_err();
            let producer = "press".to_owned();
            let expected = AppendError::SequenceTooOld { producer, sequence, highest: 202 };
            assert_eq!(refused, expected);
            assert!(refused.to_string().contains("at most 127 apart"), "{refused}");
        }
        assert_eq!(historian.stats().refused, 3);
        let new = 75 + round;
        assert!(!historian.append(sent(new)).await.unwrap().duplicate, "{new}");
        assert!(historian.append(sent(new)).await.unwrap().duplicate, "{new}");
        historian.close().await.unwrap();
    }
    assert_eq!(all(&open(dir.path()), 1).await.len(), 8);
}

#[tokio::test]
async fn a_batch_of_too_many_days_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let historian = open(dir.path());
    let days = |count: i64| {
        // Twice around, so that every day comes back.
        let days = (0..2 * count).map(|index| (TagId(1), number(index % count * DAY, 1.0)));
        batch(days.collect())
    };
    let refused = historian.append(days(BATCH_DAYS_MAX as i64 + 1)).await.unwrap_err();
    assert_eq!(refused, AppendError::TooManyDays { days_max: BATCH_DAYS_MAX });
    assert_eq!((historian.stats().refused, historian.stats().position), (1, 0));
    historian.append(days(BATCH_DAYS_MAX as i64)).await.unwrap();
    assert_eq!(all(&historian, 1).await.len(), BATCH_DAYS_MAX);
}

#[tokio::test]
async fn times_too_far_in_the_future_refuse_the_whole_batch() {
    let dir = tempfile::tempdir().unwrap();
    let historian = open(dir.path());
    let mut batch = batch(vec![
        (TagId(1), number(0, 1.0)),
        (TagId(2), number(300 * SECOND, 1.0)),
        (TagId(3), number(300 * SECOND + 1, 1.0)),
    ]);
    batch.arrival = at(0);
    let refused = historian.append(batch.clone()).await.unwrap_err();
    let (time, latest) = (at(300 * SECOND + 1), at(300 * SECOND));
    assert_eq!(refused, AppendError::TimeInFuture { index: 2, tag: TagId(3), time, latest });
    assert!(all(&historian, 1).await.is_empty());
    assert_eq!(historian.stats().refused, 1);
    batch.samples = batch.samples.pick(&[0, 1]);
    assert_eq!(historian.append(batch).await.unwrap().position, 1);
}

#[tokio::test]
async fn bounds_are_told() {
    let dir = tempfile::tempdir().unwrap();
    let historian = open(dir.path());
    let text = Value::text(&"x".repeat(65_536)).unwrap();
    let sample = Sample::good(at(0), text);
    let large = batch(vec![(TagId(1), sample.clone()); 200]);
    let refused = historian.append(large).await.unwrap_err();
    assert!(matches!(refused, AppendError::TooLarge { .. }), "{refused}");
    let limit = RANGE_SAMPLES_MAX + 1;
    let refused = historian.range(TENANT, TagId(1), at(0), at(1), limit).await.unwrap_err();
    assert!(matches!(refused, HistorianError::LimitTooLarge { .. }));
    for part in 0..11 {
        let times = part * 100..part * 100 + 100;
        let samples = times.map(|time| (TagId(1), Sample { time: at(time), ..sample.clone() }));
        historian.append(batch(samples.collect())).await.unwrap();
    }
    for _ in 0..2 {
        let (from, to) = (at(0), at(DAY));
        let refused = historian.range(TENANT, TagId(1), from, to, 2000).await.unwrap_err();
        assert!(matches!(refused, HistorianError::AnswerTooLarge { .. }), "{refused}");
        let page = historian.range(TENANT, TagId(1), from, to, 1000).await.unwrap();
        assert_eq!(page.len(), 1000);
        assert_eq!(historian.downsample(TENANT, TagId(1), from, to, 9).await.unwrap().len(), 2);
        historian.flush().await.unwrap();
    }
}

#[tokio::test]
async fn a_folder_is_open_once() {
    let dir = tempfile::tempdir().unwrap();
    let historian = open(dir.path());
    let second = Historian::open(dir.path(), options()).unwrap_err();
    assert!(matches!(second, HistorianError::AlreadyOpen { .. }));
    assert!(second.to_string().contains(dir.path().to_str().unwrap()));
    historian.close().await.unwrap();
    open(dir.path());
    let refused = historian.append(batch(vec![])).await.unwrap_err();
    assert_eq!(refused, AppendError::Closed);
    assert!(all(&historian, 1).await.is_empty(), "reads go on");
    historian.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn memory_stays_bounded_and_small_blocks_are_merged() {
    let dir = tempfile::tempdir().unwrap();
    let options = Options {
        memory_bytes_max: 64 << 10,
        segment_bytes: 16 << 10,
        day_blocks_max: 4,
        ..options()
    };
    let historian = Historian::open(dir.path(), options.clone()).unwrap();
    for round in 0..400 {
        let samples = (0..100).map(|tag| (TagId(tag), number(round * SECOND, round as f64)));
        historian.append(batch(samples.collect())).await.unwrap();
        assert!(historian.stats().memory_bytes < 3 * options.memory_bytes_max);
    }
    historian.close().await.unwrap();
    assert!(historian.stats().blocks <= 5, "{:?}", historian.stats());
    assert_eq!(files(dir.path(), ".parquet").len(), historian.stats().blocks);
    assert_eq!(files(dir.path(), ".wal").len(), 0);
    let expected: Vec<_> = (0..400).map(|round| number(round * SECOND, round as f64)).collect();
    assert_eq!(all(&historian, 42).await, expected);
    drop(historian);
    let historian = open(dir.path());
    assert_eq!(all(&historian, 99).await, expected);
    assert_eq!(historian.stats().samples, 40_000);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reads_are_whole_while_memory_is_flushed_and_merged() {
    let dir = tempfile::tempdir().unwrap();
    let options = Options { memory_bytes_max: 32 << 10, day_blocks_max: 2, ..options() };
    let historian = Historian::open(dir.path(), options).unwrap();
    let stored = Arc::new(std::sync::atomic::AtomicI64::new(0));
    let reader = {
        let (historian, stored) = (historian.clone(), Arc::clone(&stored));
        tokio::spawn(async move {
            let mut reads = 0;
            loop {
                let before = stored.load(std::sync::atomic::Ordering::SeqCst);
                let samples = all(&historian, 3).await;
                assert!(samples.len() as i64 >= before);
                for (index, sample) in samples.iter().enumerate() {
                    assert_eq!(*sample, number(index as i64 * SECOND, index as f64));
                }
                reads += 1;
                if before == 600 {
                    return reads;
                }
            }
        })
    };
    for round in 0..600 {
        let samples = (0..20).map(|tag| (TagId(tag), number(round * SECOND, round as f64)));
        historian.append(batch(samples.collect())).await.unwrap();
        stored.store(round + 1, std::sync::atomic::Ordering::SeqCst);
    }
    assert!(reader.await.unwrap() > 0);
    historian.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn age_alone_makes_a_block() {
    let dir = tempfile::tempdir().unwrap();
    let options = Options { flush_age_max: Duration::from_millis(20), ..options() };
    let historian = Historian::open(dir.path(), options).unwrap();
    historian.append(batch(vec![(TagId(1), number(0, 1.0))])).await.unwrap();
    let deadline = std::time::Instant::now() + Duration::from_secs(10);
    while historian.stats().blocks == 0 {
        assert!(std::time::Instant::now() < deadline, "{:?}", historian.stats());
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(all(&historian, 1).await, [number(0, 1.0)]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_queue_slows_and_then_refuses() {
    let dir = tempfile::tempdir().unwrap();
    let options =
        Options { queue_bytes_max: 20_000, queue_wait_max: Duration::from_secs(30), ..options() };
    let historian = Historian::open(dir.path(), options).unwrap();
    let append = |index: i64| {
        let historian = historian.clone();
        let samples = (0..100).map(|tag| (TagId(tag), number(index, 1.0))).collect();
        tokio::spawn(async move { historian.append(batch(samples)).await })
    };
    for append in (0..200).map(append).collect::<Vec<_>>() {
        append.await.unwrap().unwrap();
    }
    assert_eq!(all(&historian, 7).await.len(), 200);
    let flood = (0..2000).map(append).collect::<Vec<_>>();
    for append in flood {
        match append.await.unwrap() {
            Ok(_) | Err(AppendError::Overloaded) => {}
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(historian.stats().queue_bytes, 0);
}

#[tokio::test]
async fn what_was_deleted_leaves_the_files() {
    let dir = tempfile::tempdir().unwrap();
    let historian = open(dir.path());
    for tag in 0..3 {
        let samples = (0..100).map(|second| (TagId(tag), number(second * SECOND, 1.0)));
        historian.append(batch(samples.collect())).await.unwrap();
    }
    historian.flush().await.unwrap();
    let span = |from, to| (at(from * SECOND), at(to * SECOND));
    historian.delete(TENANT, TagId(1), span(10, 1000), at(0)).await.unwrap();
    assert_eq!(historian.last(TENANT, TagId(1)), Some(number(9 * SECOND, 1.0)));
    assert_eq!(all(&historian, 1).await.len(), 10);
    let of_other_tenant = historian.delete(TenantId(2), TagId(2), span(0, 1000), at(0)).await;
    of_other_tenant.unwrap();
    assert_eq!(all(&historian, 2).await.len(), 100);
    assert_eq!(historian.stats().deletions, 2);
    historian.flush().await.unwrap();
    until(|| historian.stats().deletions == 0).await;
    let rows = || historian.shared().view().version.blocks().map(|b| b.entry().rows).sum::<u64>();
    assert_eq!(rows(), 210);
    for tag in 0..3 {
        historian
            .delete(TENANT, TagId(tag), (Timestamp::MIN, Timestamp::MAX), at(0))
            .await
            .unwrap();
    }
    historian.flush().await.unwrap();
    until(|| historian.stats().deletions == 0).await;
    assert!(files(dir.path(), ".parquet").is_empty());
    assert_eq!(historian.last(TENANT, TagId(0)), None);
    drop(historian);
    let historian = open(dir.path());
    assert!(all(&historian, 1).await.is_empty());
    assert_eq!(historian.last(TENANT, TagId(1)), None);
}

/// Waits for what another thread does.
async fn until(done: impl Fn() -> bool) {
    let deadline = std::time::Instant::now() + Duration::from_secs(60);
    while !done() {
        assert!(std::time::Instant::now() < deadline);
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
