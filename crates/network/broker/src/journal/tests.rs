use std::path::PathBuf;

use bytes::Bytes;
use proptest::prelude::*;

use super::record::{FRAME_HEADER_BYTES, QueuedRecord, Record, SessionRecord, SubscriptionOptions};
use super::*;
use crate::message::{Message, Qos};

fn session(expiry_seconds: u32) -> SessionRecord {
    SessionRecord {
        tenant: 1,
        client_id: "温度计".into(),
        owner: "p".into(),
        expiry_seconds,
        offline_since_ms: Some(5),
    }
}

fn message(topic: &str, payload: &[u8]) -> Message {
    Message::new(topic.into(), Bytes::copy_from_slice(payload), Qos::AtLeastOnce, false)
}

fn options() -> SubscriptionOptions {
    SubscriptionOptions {
        qos: Qos::ExactlyOnce,
        no_local: true,
        retain_as_published: false,
        identifier: Some(9),
    }
}

/// The record as one writes it.
fn entry(record: &Record) -> Vec<u8> {
    let mut out = Vec::new();
    match record {
        Record::Session(id, r) => Entry::Session(*id, r),
        Record::SessionRemoved(id) => Entry::SessionRemoved(*id),
        Record::Subscription(id, f, o) => Entry::Subscription(*id, f, *o),
        Record::SubscriptionRemoved(id, f) => Entry::SubscriptionRemoved(*id, f),
        Record::Queued(session, sequence, q) => Entry::Queued {
            session: *session,
            sequence: *sequence,
            qos: q.qos,
            retain: q.retain,
            identifiers: &q.identifiers,
            message: &q.message,
        },
        Record::Released(id, s) => Entry::Released(*id, *s),
        Record::QueuedRemoved(id, s) => Entry::QueuedRemoved(*id, *s),
        Record::Received(id, p) => Entry::Received(*id, *p),
        Record::ReceivedRemoved(id, p) => Entry::ReceivedRemoved(*id, *p),
        Record::Retained(t, m) => Entry::Retained(*t, m),
        Record::RetainedRemoved(t, topic) => Entry::RetainedRemoved(*t, topic),
    }
    .write(&mut out);
    out
}

fn record() -> impl Strategy<Value = Record> {
    let id = 1_u64..4;
    let topic = prop_oneof![Just("a"), Just("b/c"), Just("温度/1")];
    let payload = proptest::collection::vec(any::<u8>(), 0..40);
    let filter = prop_oneof![Just("#".to_owned()), Just("+/c".to_owned())];
    prop_oneof![
        2 => (id.clone(), any::<u32>()).prop_map(|(id, e)| Record::Session(id, session(e))),
        1 => id.clone().prop_map(Record::SessionRemoved),
        2 => (id.clone(), filter.clone())
            .prop_map(|(id, f)| Record::Subscription(id, f, options())),
        1 => (id.clone(), filter).prop_map(|(id, f)| Record::SubscriptionRemoved(id, f)),
        4 => (id.clone(), 1_u64..9, topic.clone(), payload.clone()).prop_map(
            |(id, s, topic, payload)| {
                let message = message(topic, &payload);
                let identifiers = vec![s.try_into().unwrap()];
                let qos = Qos::ExactlyOnce;
                Record::Queued(id, s, QueuedRecord { qos, retain: true, identifiers, message })
            }
        ),
        1 => (id.clone(), 1_u64..9).prop_map(|(id, s)| Record::Released(id, s)),
        3 => (id.clone(), 1_u64..9).prop_map(|(id, s)| Record::QueuedRemoved(id, s)),
        1 => (id.clone(), 1_u16..4).prop_map(|(id, p)| Record::Received(id, p)),
        1 => (id, 1_u16..4).prop_map(|(id, p)| Record::ReceivedRemoved(id, p)),
        2 => (topic.clone(), payload).prop_map(|(t, p)| Record::Retained(1, message(t, &p))),
        1 => topic.prop_map(|t| Record::RetainedRemoved(1, t.to_owned())),
    ]
}

fn expected<'a>(records: impl IntoIterator<Item = &'a Record>) -> Recovered {
    let mut recovered = Recovered::default();
    for record in records {
        recovered.apply(record.clone());
    }
    recovered.forget_orphans();
    recovered
}

/// Writes frames as one segment into a folder.
fn segment(dir: &Path, number: u64, frames: &[u8]) -> PathBuf {
    let path = dir.join(format!("journal-{number:010}.log"));
    let mut bytes = b"WEIRBRK1".to_vec();
    bytes.extend_from_slice(&number.to_le_bytes());
    bytes.extend_from_slice(frames);
    fs::write(&path, bytes).unwrap();
    path
}

const HEADER: usize = 16;

const BYTES_MAX: u64 = 1 << 30;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_record_is_read_as_it_was_written(record in record()) {
        let frame = entry(&record);
        let (body, length) = record::frame(&frame).unwrap();
        prop_assert_eq!(length, frame.len());
        prop_assert_eq!(record::decode(body), Some(record));
    }

    #[test]
    fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = record::frame(&bytes);
        let _ = record::decode(&bytes);
    }

    /// Cut at any byte, the journal holds exactly the records that are whole.
    #[test]
    fn a_torn_tail_is_cut(
        records in proptest::collection::vec(record(), 1..20),
        cut in any::<proptest::sample::Index>(),
    ) {
        let dir = tempfile::tempdir().unwrap();
        let frames: Vec<Vec<u8>> = records.iter().map(entry).collect();
        let path = segment(dir.path(), 1, &frames.concat());
        let length = cut.index(frames.concat().len() + HEADER);
        let file = File::options().write(true).open(&path).unwrap();
        file.set_len(length as u64).unwrap();
        let mut end = HEADER;
        let whole = frames.iter().take_while(|f| { end += f.len(); end <= length }).count();
        let (journal, recovered) = Journal::open(dir.path(), BYTES_MAX).unwrap();
        prop_assert_eq!(&recovered, &expected(&records[..whole]));
        // And it goes on from there.
        journal.append(&journal.share(TenantId(1)), &Entry::Session(50, &session(1)));
        journal.close();
        drop(journal);
        let (_, again) = Journal::open(dir.path(), BYTES_MAX).unwrap();
        prop_assert!(again.sessions.contains_key(&50));
        prop_assert_eq!(again.sessions.len(), recovered.sessions.len() + 1);
    }

    /// With a bit flipped, what stands before it is kept, and nothing is made up.
    #[test]
    fn a_flipped_bit_is_noticed(
        records in proptest::collection::vec(record(), 1..20),
        at in any::<proptest::sample::Index>(),
        bit in 0_u8..8,
    ) {
        let dir = tempfile::tempdir().unwrap();
        let frames: Vec<Vec<u8>> = records.iter().map(entry).collect();
        let mut bytes = frames.concat();
        let at = at.index(bytes.len());
        bytes[at] ^= 1 << bit;
        segment(dir.path(), 1, &bytes);
        let mut end = 0;
        let whole = frames.iter().take_while(|f| { end += f.len(); end <= at }).count();
        let (_journal, recovered) = Journal::open(dir.path(), BYTES_MAX).unwrap();
        prop_assert_eq!(recovered, expected(&records[..whole]));
    }

    /// Small segments, so that many are given up: what is live is what a journal that keeps all has.
    #[test]
    fn giving_up_segments_loses_nothing(
        records in proptest::collection::vec(record(), 50..300),
        groups in proptest::collection::vec(1_usize..20, 20),
    ) {
        let dir = tempfile::tempdir().unwrap();
        let (_, mut index, _) = Segments::open(dir.path(), 512).map(|(s, i, r)| (drop(s), i, r)).unwrap();
        let (mut segments, _, _) = Segments::open(dir.path(), 512).unwrap();
        // As the broker does: nothing is added to a session that has no record.
        let mut known = std::collections::HashSet::new();
        let records: Vec<Record> = records.into_iter().filter(|record| match record {
            Record::Session(id, _) => { known.insert(*id); true }
            Record::SessionRemoved(id) => known.remove(id),
            Record::Subscription(id, ..) | Record::SubscriptionRemoved(id, _)
            | Record::Queued(id, ..) | Record::Released(id, _) | Record::QueuedRemoved(id, _)
            | Record::Received(id, _) | Record::ReceivedRemoved(id, _) => known.contains(id),
            Record::Retained(..) | Record::RetainedRemoved(..) => true,
        }).collect();
        let mut rest = records.as_slice();
        let mut sizes = groups.iter().cycle();
        while !rest.is_empty() {
            let (now, later) = rest.split_at((*sizes.next().unwrap()).min(rest.len()));
            rest = later;
            let frames: Vec<Vec<u8>> = now.iter().map(entry).collect();
            let (segment, mut offset) = segments.append(&frames.concat()).unwrap();
            for (record, frame) in now.iter().zip(&frames) {
                let bytes = u32::try_from(frame.len()).unwrap();
                index.apply(record.clone(), Place { segment, offset, bytes }, false);
                offset += frame.len() as u64;
            }
            while segments.give_up_oldest(&mut index).unwrap() {}
            prop_assert!(segments.bytes() <= 2 * index.live_bytes() + 2 * 512 + 2 * 2048);
        }
        drop(segments);
        let (_, read, mut recovered) = Segments::open(dir.path(), 512).unwrap();
        prop_assert_eq!(read.live_bytes(), index.live_bytes());
        let mut expected = expected(&records);
        recovered.session_last = 0; // the record of a session that has ended is given up, too
        expected.session_last = 0;
        prop_assert_eq!(recovered, expected);
    }
}

#[test]
fn one_process_at_a_time() {
    let dir = tempfile::tempdir().unwrap();
    let (journal, _) = Journal::open(dir.path(), BYTES_MAX).unwrap();
    assert!(matches!(Journal::open(dir.path(), BYTES_MAX), Err(BrokerError::InUse(_))));
    drop(journal);
    Journal::open(dir.path(), BYTES_MAX).unwrap();
}

#[test]
fn a_newer_format_is_not_touched() {
    let dir = tempfile::tempdir().unwrap();
    let path = segment(dir.path(), 1, b"");
    let mut bytes = fs::read(&path).unwrap();
    bytes[7] = b'2';
    fs::write(&path, &bytes).unwrap();
    assert!(matches!(Journal::open(dir.path(), BYTES_MAX), Err(BrokerError::Format(_))));
    assert_eq!(fs::read(&path).unwrap(), bytes);
}

#[test]
fn after_a_failed_write_the_next_segment_is_used() {
    let dir = tempfile::tempdir().unwrap();
    let (mut segments, mut index, _) = Segments::open(dir.path(), 1 << 20).unwrap();
    let records = fixture();
    let frames: Vec<Vec<u8>> = records.iter().map(entry).collect();
    let (one, two) = frames.split_at(5);
    segments.append(&one.concat()).unwrap();
    segments.fail_next();
    segments.append(&two.concat()).unwrap_err();
    let (segment, _) = segments.append(&two.concat()).unwrap();
    assert_eq!(segment, 2);
    assert!(!segments.give_up_oldest(&mut index).unwrap());
    drop(segments);
    let (_journal, recovered) = Journal::open(dir.path(), BYTES_MAX).unwrap();
    assert_eq!(recovered, expected(&records));
}

#[test]
fn waiting_is_for_the_disk() {
    let dir = tempfile::tempdir().unwrap();
    let (journal, _) = Journal::open(dir.path(), BYTES_MAX).unwrap();
    journal.append(&journal.share(TenantId(1)), &Entry::Retained(1, &message("a", b"1")));
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(journal.flushed()).unwrap();
    let bytes = fs::read(dir.path().join("journal-0000000001.log")).unwrap();
    let (body, _) = record::frame(&bytes[HEADER..]).unwrap();
    assert_eq!(record::decode(body), Some(Record::Retained(1, message("a", b"1"))));
    assert!(body.len() + FRAME_HEADER_BYTES <= bytes.len());
}

/// What the fixture of this format holds.
fn fixture() -> Vec<Record> {
    let mut rich = message("温度/1", b"21.5");
    rich.expires_ms = Some(1_800_000_000_000);
    rich.properties = crate::wire::pass_on(rmqtt_codec::v5::PublishProperties {
        content_type: Some("text/plain".into()),
        response_topic: Some("r".into()),
        correlation_data: Some(Bytes::from_static(&[0, 255])),
        is_utf8_payload: true,
        user_properties: vec![("单位".into(), "°C".into())],
        ..Default::default()
    });
    let queued = |message| QueuedRecord {
        qos: Qos::ExactlyOnce,
        retain: true,
        identifiers: vec![1, 268_435_455],
        message,
    };
    let online = SessionRecord { offline_since_ms: None, ..session(u32::MAX) };
    vec![
        Record::Session(1, session(60)),
        Record::Session(2, online),
        Record::Session(3, session(1)),
        Record::SessionRemoved(3),
        Record::Subscription(1, "$share/组/a/+".into(), options()),
        Record::Subscription(1, "b".into(), options()),
        Record::SubscriptionRemoved(1, "b".into()),
        Record::Queued(1, 1, queued(rich.clone())),
        Record::Queued(1, 2, queued(message("a", b""))),
        Record::Released(1, 2),
        Record::Queued(1, 3, queued(message("a", b"x"))),
        Record::QueuedRemoved(1, 3),
        Record::Received(2, 65_535),
        Record::Received(2, 1),
        Record::ReceivedRemoved(2, 1),
        Record::Retained(7, rich),
        Record::Retained(7, message("gone", b"x")),
        Record::RetainedRemoved(7, "gone".into()),
    ]
}

#[test]
fn format_1_is_read_and_written_for_ever() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/journal-v1.log");
    let dir = tempfile::tempdir().unwrap();
    let frames: Vec<u8> = fixture().iter().flat_map(entry).collect();
    let written = fs::read(segment(dir.path(), 1, &frames)).unwrap();
    if !path.exists() {
        fs::write(&path, &written).unwrap(); // a new format: look at it, and commit it
    }
    assert_eq!(fs::read(path).unwrap(), written);
    let (_journal, recovered) = Journal::open(dir.path(), BYTES_MAX).unwrap();
    assert_eq!(recovered, expected(&fixture()));
}

/// Bytes count for a tenant when they are added, and for as long as they are live.
#[tokio::test]
async fn a_tenant_has_what_it_added_and_what_is_live() {
    let dir = tempfile::tempdir().unwrap();
    let (journal, _) = Journal::open(dir.path(), BYTES_MAX).unwrap();
    let shares = [1, 2].map(|tenant| journal.share(TenantId(tenant)));
    let mut bytes = [0, 0];
    for id in 1..100_u64 {
        let of = usize::from(id % 3 == 0);
        let record = SessionRecord { tenant: of as u32 + 1, ..session(60) };
        journal.append(&shares[of], &Entry::Session(id, &record));
        bytes[of] += entry(&Record::Session(id, record)).len() as u64;
        assert!(shares[of].taken() >= bytes[of]);
    }
    journal.flushed().await.unwrap();
    assert_eq!(shares.each_ref().map(|share| share.taken()), bytes);
    assert_eq!(journal.live_bytes(), bytes[0] + bytes[1]);
    // A message of a session, and what is written to a session that has ended.
    let queued = message("a", &[7; 1000]);
    let one = |session| Entry::Queued {
        session,
        sequence: 1,
        qos: Qos::AtLeastOnce,
        retain: false,
        identifiers: &[],
        message: &queued,
    };
    journal.append(&shares[1], &one(3));
    journal.flushed().await.unwrap();
    assert!(shares[1].taken() >= bytes[1] + 1000);
    journal.append(&shares[1], &Entry::SessionRemoved(3));
    journal.append(&shares[1], &one(3));
    journal.flushed().await.unwrap();
    bytes[1] -= bytes[1] / 33;
    assert_eq!(shares.each_ref().map(|share| share.taken()), bytes);
    // And over a restart.
    journal.append(&shares[0], &Entry::Retained(1, &queued));
    drop(journal);
    let (journal, _) = Journal::open(dir.path(), BYTES_MAX).unwrap();
    assert_eq!(journal.share(TenantId(2)).taken(), bytes[1]);
    assert!(journal.share(TenantId(1)).taken() >= bytes[0] + 1000);
    assert_eq!(journal.live_bytes(), journal.share(TenantId(1)).taken() + bytes[1]);
}

/// A record that came after the end of its session must not be found in a new one.
#[test]
fn numbers_of_sessions_are_not_used_again() {
    let dir = tempfile::tempdir().unwrap();
    segment(dir.path(), 1, &entry(&Record::Received(77, 1)));
    let (_journal, recovered) = Journal::open(dir.path(), BYTES_MAX).unwrap();
    assert!(recovered.sessions.is_empty());
    assert_eq!(recovered.session_last, 77);
}
