use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

fn value() -> impl Strategy<Value = Value> {
    let scalar = prop_oneof![
        any::<u64>().prop_map(|bits| Value::F64(f64::from_bits(bits))),
        any::<i64>().prop_map(Value::I64),
        any::<u64>().prop_map(Value::U64),
        any::<bool>().prop_map(Value::Bool),
        any::<i64>().prop_map(Value::Enumeration),
        ".{0,20}".prop_map(|text| Value::text(&text).unwrap()),
    ];
    let array = vec(scalar.clone(), 0..9).prop_map(|items| Value::array(items).unwrap());
    prop_oneof![5 => scalar, 1 => array]
}

fn batch() -> impl Strategy<Value = Batch> {
    let sample = (any::<u32>(), any::<i64>(), any::<u32>(), proptest::option::of(value()));
    let sample = sample.prop_map(|(tag, time, quality, value)| {
        let (time, quality) = (Timestamp::from_nanos(time), Quality::from_code(quality));
        (TagId(tag), Sample { time, value, quality })
    });
    let producer = proptest::option::of(("[a-z]{1,128}", any::<u64>()));
    (any::<u32>(), any::<i64>(), any::<bool>(), producer, vec(sample, 0..40)).prop_map(
        |(tenant, arrival, backfill, producer, samples)| Batch {
            tenant: TenantId(tenant),
            producer: producer.map(|(name, sequence)| Producer::new(&name, sequence).unwrap()),
            backfill,
            arrival: Timestamp::from_nanos(arrival),
            samples: samples.into(),
        },
    )
}

proptest! {
    #[test]
    fn a_batch_is_read_as_it_was_written(batch in batch()) {
        let mut bytes = Vec::new();
        encode_batch(&batch, &mut bytes);
        prop_assert!(bytes.len() <= batch_bytes_max(&batch));
        prop_assert_eq!(decode(&bytes, 1), Ok(Entry::Batch(batch)));
        for end in 0..bytes.len() {
            prop_assert!(decode(&bytes[..end], 1).is_err());
        }
        bytes.push(0);
        prop_assert!(decode(&bytes, 1).is_err());
    }

    #[test]
    fn a_deletion_is_read_as_it_was_written(
        (tenant, tag, from, to) in any::<(u32, u32, i64, i64)>(),
        latest in proptest::option::of((any::<i64>(), any::<u32>(), proptest::option::of(value()))),
    ) {
        let position = 7;
        let deletion = Deletion { tenant: TenantId(tenant), tag, from, to, position };
        let latest = latest.map(|(time, quality, value)| {
            let (time, quality) = (Timestamp::from_nanos(time), Quality::from_code(quality));
            Sample { time, value, quality }
        });
        let mut bytes = Vec::new();
        encode_deletion(&deletion, latest.as_ref(), Timestamp::from_nanos(from), &mut bytes);
        for end in 0..bytes.len() {
            prop_assert!(decode(&bytes[..end], position).is_err());
        }
        prop_assert_eq!(decode(&bytes, position), Ok(Entry::Deletion(deletion, latest)));
        bytes.push(0);
        prop_assert!(decode(&bytes, position).is_err());
    }

    #[test]
    fn a_record_is_read_as_it_was_written(
        payload in vec(any::<u8>(), 1..200),
        first in 0..u64::MAX / 2,
        ahead in 0..100_000u64,
        flip in any::<prop::sample::Index>(),
        behind in vec(any::<u8>(), 0..30),
    ) {
        let mut bytes = Vec::new();
        encode_frame(&payload, first + ahead, first, &mut bytes);
        let length = bytes.len();
        bytes.extend(behind);
        let frame = decode_frame(&bytes).unwrap();
        prop_assert_eq!((frame.position, frame.group_first), (first + ahead, first));
        prop_assert_eq!(frame.payload, &payload[..]);
        prop_assert_eq!(frame.bytes(), length);
        bytes[flip.index(length)] ^= 1;
        prop_assert!(decode_frame(&bytes).is_err());
        prop_assert!(decode_frame(&bytes[..length - 1]).is_err());
    }

    #[test]
    fn any_bytes_are_an_error_or_an_entry(bytes in vec(any::<u8>(), 0..300)) {
        let _ = decode_frame(&bytes);
        if let Ok(Entry::Batch(batch)) = decode(&bytes, 1) {
            // What it holds fits the bytes it came from.
            prop_assert!(batch.samples.len() <= bytes.len() / columns::SAMPLE_BYTES_MIN);
        }
    }

    #[test]
    fn any_change_of_a_batchs_bytes_is_no_panic(
        batch in batch(),
        changes in vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
    ) {
        let mut bytes = Vec::new();
        encode_batch(&batch, &mut bytes);
        for (index, byte) in changes {
            let index = index.index(bytes.len());
            bytes[index] = byte;
        }
        let _ = decode(&bytes, 1);
    }
}

#[test]
fn a_number_of_samples_that_cannot_be_is_refused_before_memory_is_taken() {
    let empty = Batch {
        tenant: TenantId(1),
        producer: None,
        backfill: false,
        arrival: Timestamp::from_nanos(0),
        samples: Samples::default(),
    };
    let mut bytes = Vec::new();
    encode_batch(&empty, &mut bytes);
    let count = bytes.len() - 4;
    bytes[count..].copy_from_slice(&u32::MAX.to_le_bytes());
    assert_eq!(decode(&bytes, 1), Err(RecordError("it has fewer samples than it says")));
}
