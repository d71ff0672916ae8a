use weir_model::{Sample, TagId, Timestamp};

use super::*;

fn filled() -> (LastValues, Producers) {
    let (mut last, mut producers) = (LastValues::default(), Producers::default());
    for tag in 0..50 {
        let value = match tag % 4 {
            0 => None,
            1 => Some(Value::array(vec![Value::F64(0.5); tag as usize]).unwrap()),
            2 => Some(Value::I64(tag.into())),
            _ => Some(Value::text(&"x".repeat(tag as usize)).unwrap()),
        };
        let time = Timestamp::from_nanos(i64::from(tag) - 20);
        let sample = Sample { time, value, quality: weir_model::Quality::UNCERTAIN };
        last.insert(TenantId(tag % 4), u64::from(tag), &vec![(TagId(tag), sample)].into());
        let producer = Producer::new(&format!("producer {tag}"), u64::from(tag)).unwrap();
        producers.insert(TenantId(tag % 4), &producer, u64::from(tag));
        let later = Producer::new(producer.name(), producer.sequence + 5).unwrap();
        producers.insert(TenantId(tag % 4), &later, u64::from(tag) + 100);
    }
    (last, producers)
}

#[test]
fn a_checkpoint_is_read_as_it_was_written() {
    let (last, producers) = filled();
    let bytes = encode(&last, &producers);
    let (last_read, producers_read) = decode(Path::new("c"), &bytes).unwrap();
    for tag in 0..50 {
        let (tenant, name) = (TenantId(tag % 4), format!("producer {tag}"));
        assert_eq!(last_read.get(tenant, TagId(tag)), last.get(tenant, TagId(tag)));
        assert_eq!(producers_read.get(tenant, &name), producers.get(tenant, &name));
    }
    assert_eq!((last_read.len(), producers_read.len()), (50, 50));
}

#[test]
fn cut_or_lengthened_bytes_are_refused_even_with_a_right_checksum() {
    let (last, producers) = filled();
    let bytes = encode(&last, &producers);
    let body = &bytes[..bytes.len() - 4];
    for end in 0..body.len() {
        let mut cut = body[..end].to_vec();
        let crc = crc32c::crc32c(&cut);
        cut.extend_from_slice(&crc.to_le_bytes());
        assert!(decode(Path::new("c"), &cut).is_err());
    }
    let mut longer = body.to_vec();
    longer.push(0);
    let crc = crc32c::crc32c(&longer);
    longer.extend_from_slice(&crc.to_le_bytes());
    assert!(decode(Path::new("c"), &longer).is_err());
}
