use std::fs;

use weir_model::{Producer, Quality, Sample, TagId, Timestamp, Value};

use super::*;

fn batch(producer: &str, sequence: u64, samples: usize) -> Batch {
    let sample = |i: usize| {
        let time = Timestamp::from_nanos(sequence as i64 * 1000 + i as i64);
        let value = if i.is_multiple_of(2) {
            Sample::good(time, Value::F64(i as f64))
        } else {
            Sample::without_value(time, Quality::TIMEOUT)
        };
        (TagId(i as u32), value)
    };
    Batch {
        tenant: TenantId(7),
        producer: Some(Producer::new(producer, sequence).unwrap()),
        backfill: sequence % 2 == 1,
        arrival: Timestamp::from_nanos(sequence as i64),
        samples: (0..samples).map(sample).collect(),
    }
}

fn open(dir: &Path) -> Spool {
    Spool::open(dir, 1 << 20, SpoolFull::DropOldest).unwrap().0
}

/// Takes everything out, in order.
fn drain(spool: &mut Spool) -> Vec<Batch> {
    let mut all = Vec::new();
    loop {
        let (window, losses) = spool.window().unwrap();
        assert_eq!(losses, []);
        if window.is_empty() {
            return all;
        }
        for spooled in window {
            spool.advance(&spooled).unwrap();
            all.push(spooled.batch);
        }
    }
}

#[test]
fn gives_back_what_was_put_in_order_over_restarts() {
    let dir = tempfile::tempdir().unwrap();
    let batches: Vec<_> =
        (1..=500).map(|n| batch(&format!("device:{}", n % 3), n, (n % 5) as usize)).collect();
    let mut spool = open(dir.path());
    for batch in &batches[..250] {
        assert_eq!(spool.append(batch).unwrap().losses, []);
    }
    drop(spool);
    let (mut spool, sequence_max) =
        Spool::open(dir.path(), 1 << 20, SpoolFull::DropOldest).unwrap();
    assert_eq!((sequence_max, spool.load().batches), (250, 250));
    assert!(spool.waits(&key(&batches[0])));
    for batch in &batches[250..] {
        assert_eq!(spool.append(batch).unwrap().losses, []);
    }
    assert_eq!(drain(&mut spool), batches);
    assert!(spool.is_empty() && !spool.waits(&key(&batches[0])));
    assert_eq!((spool.load(), spool.bytes()), (Load::default(), 0));
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0, "an empty spool has no file");
    // And it goes on after having been empty.
    spool.append(&batches[0]).unwrap();
    assert_eq!(drain(&mut spool), batches[..1]);
}

#[test]
fn a_torn_tail_is_cut_at_every_length() {
    let dir = tempfile::tempdir().unwrap();
    let mut spool = open(dir.path());
    let (first, second) = (batch("a", 1, 3), batch("a", 2, 3));
    spool.append(&first).unwrap();
    let after_first = spool.bytes();
    spool.append(&second).unwrap();
    let path = spool.path(1);
    drop(spool);
    let whole = fs::read(&path).unwrap();
    for length in (after_first as usize..whole.len()).rev() {
        fs::write(&path, &whole[..length]).unwrap();
        let mut spool = open(dir.path());
        assert_eq!(spool.damaged(), u64::from(length as u64 > after_first));
        let (window, _) = spool.window().unwrap();
        assert_eq!(window.len(), 1);
        assert_eq!(window[0].batch, first);
        // What is appended now can be read later.
        spool.append(&second).unwrap();
        drop(spool);
        assert_eq!(drain(&mut open(dir.path())), [first.clone(), second.clone()]);
        fs::write(&path, &whole).unwrap();
    }
}

#[test]
fn damage_is_noticed_and_never_delivered() {
    let dir = tempfile::tempdir().unwrap();
    let mut spool = open(dir.path());
    let batches = [batch("a", 1, 4), batch("b", 2, 4)];
    batches.iter().for_each(|b| assert_eq!(spool.append(b).unwrap().losses, []));
    let path = spool.path(1);
    drop(spool);
    let whole = fs::read(&path).unwrap();
    for at in 0..whole.len() {
        let mut bytes = whole.clone();
        bytes[at] ^= 0x10;
        fs::write(&path, &bytes).unwrap();
        let mut spool = open(dir.path());
        assert_eq!(spool.damaged(), 1, "byte {at}");
        let left = drain(&mut spool);
        assert_eq!(left, batches[..left.len()], "byte {at}");
        assert!(left.len() < 2);
    }
    // Damage that happens while the spool is open is noticed when it is read.
    fs::write(&path, &whole).unwrap();
    let mut spool = open(dir.path());
    let mut bytes = whole.clone();
    bytes[20] ^= 1;
    fs::write(&path, &bytes).unwrap();
    let (window, losses) = spool.window().unwrap();
    assert!(window.is_empty() && spool.is_empty());
    assert_eq!((losses.len(), spool.damaged()), (2, 1));
}

#[test]
fn when_full_the_oldest_or_the_newest_is_dropped_and_told() {
    for full in [SpoolFull::DropOldest, SpoolFull::DropNewest] {
        let dir = tempfile::tempdir().unwrap();
        let max = 64 << 10;
        let (mut spool, _) = Spool::open(dir.path(), max, full).unwrap();
        let mut lost = 0;
        for sequence in 1..=2000 {
            let losses = spool.append(&batch("a", sequence, 10)).unwrap().losses;
            lost += losses.iter().map(|(_, samples)| samples).sum::<u64>();
            assert!(spool.bytes() <= max);
        }
        let on_disk: u64 =
            fs::read_dir(dir.path()).unwrap().map(|e| e.unwrap().metadata().unwrap().len()).sum();
        assert_eq!(on_disk, spool.bytes());
        let left = drain(&mut spool);
        assert_eq!(lost + 10 * left.len() as u64, 20_000, "each sample is kept or told");
        let sequences: Vec<_> =
            left.iter().map(|b| b.producer.as_ref().unwrap().sequence).collect();
        let first = sequences[0];
        assert!(sequences.windows(2).all(|w| w[0] + 1 == w[1]));
        match full {
            SpoolFull::DropOldest => assert_eq!(*sequences.last().unwrap(), 2000),
            SpoolFull::DropNewest => assert_eq!(first, 1),
        }
        // One batch that is larger than the whole spool is dropped and told.
        assert_eq!(
            spool.append(&batch("a", 3000, 10_000)).unwrap().losses,
            [(key(&left[0]), 10_000)]
        );
    }
}

#[test]
fn a_segment_dropped_during_delivery_does_not_confuse_the_rest() {
    let dir = tempfile::tempdir().unwrap();
    let (mut spool, _) = Spool::open(dir.path(), 16 << 10, SpoolFull::DropOldest).unwrap();
    for sequence in 1..=30 {
        spool.append(&batch("a", sequence, 10)).unwrap();
    }
    let (window, _) = spool.window().unwrap();
    for sequence in 31..=90 {
        spool.append(&batch("a", sequence, 10)).unwrap();
    }
    assert!((60..90).contains(&spool.load().batches), "the first ones were dropped");
    for spooled in &window {
        spool.advance(spooled).unwrap();
    }
    let left = drain(&mut spool);
    let sequences = left.iter().map(|b| b.producer.as_ref().unwrap().sequence);
    assert!(sequences.eq(31..=90), "what was delivered is gone, the rest is there");
}

#[test]
fn a_disk_that_takes_nothing_collects_no_files() {
    let dir = tempfile::tempdir().unwrap();
    let mut spool = open(dir.path());
    let batches = [batch("a", 1, 3), batch("a", 2, 3)];
    spool.append(&batches[0]).unwrap();
    // Half a frame is cut off, and the segment is gone on with.
    for _ in 0..3 {
        spool.writer.as_ref().unwrap().write_all(b"half a frame").unwrap();
        spool.mend();
    }
    spool.append(&batches[1]).unwrap();
    assert_eq!((spool.segments.len(), fs::read_dir(dir.path()).unwrap().count()), (1, 1));
    // A file that cannot be begun leaves neither a segment nor a file.
    spool.writer = None;
    let moved = dir.path().with_extension("moved");
    fs::rename(dir.path(), &moved).unwrap();
    for _ in 0..3 {
        spool.append(&batches[1]).unwrap_err();
    }
    fs::rename(&moved, dir.path()).unwrap();
    assert_eq!((spool.segments.len(), fs::read_dir(dir.path()).unwrap().count()), (1, 1));
    drop(spool);
    assert_eq!(drain(&mut open(dir.path())), batches);
}

#[test]
fn what_was_appended_is_made_durable_once_with_the_name_of_its_file() {
    let dir = tempfile::tempdir().unwrap();
    let mut spool = open(dir.path());
    let told = |spool: &mut Spool| {
        let unsynced = spool.unsynced().unwrap();
        let told = (unsynced.file.is_some(), unsynced.dir.is_some());
        unsynced.sync().unwrap();
        told
    };
    assert_eq!(told(&mut spool), (false, false));
    spool.append(&batch("a", 1, 3)).unwrap();
    assert_eq!(told(&mut spool), (true, true));
    spool.append(&batch("a", 2, 3)).unwrap();
    assert_eq!(told(&mut spool), (true, false));
    assert_eq!(told(&mut spool), (false, false));
}

#[test]
fn random_files_never_panic() {
    let dir = tempfile::tempdir().unwrap();
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    for round in 0..300 {
        let mut bytes = if round % 2 == 0 { MAGIC.to_vec() } else { Vec::new() };
        for _ in 0..round {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            bytes.push((state >> 32) as u8);
        }
        fs::write(dir.path().join("spool-0000000000000001.log"), &bytes).unwrap();
        assert_eq!(drain(&mut open(dir.path())), []);
    }
}
