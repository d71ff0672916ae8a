use proptest::prelude::*;

use super::*;

const TYPES: [RawType; 9] = [
    RawType::Bool,
    RawType::U16,
    RawType::I16,
    RawType::U32,
    RawType::I32,
    RawType::U64,
    RawType::I64,
    RawType::F32,
    RawType::F64,
];
const ORDERS: [WordOrder; 4] = [WordOrder::Abcd, WordOrder::Cdab, WordOrder::Badc, WordOrder::Dcba];

#[test]
fn the_four_orders_are_those_of_the_manuals() {
    // 0x41424344 and 0x4142434445464748 spell ABCD and ABCDEFGH.
    let text = |value: u64, raw_type, order| {
        let words = encode_words(&Value::U64(value), raw_type, order).unwrap();
        let bytes: Vec<u8> = words.iter().flat_map(|w| w.to_be_bytes()).collect();
        String::from_utf8(bytes).unwrap()
    };
    let two = ORDERS.map(|order| text(0x4142_4344, RawType::U32, order));
    assert_eq!(two, ["ABCD", "CDAB", "BADC", "DCBA"]);
    let four = ORDERS.map(|order| text(0x4142_4344_4546_4748, RawType::U64, order));
    assert_eq!(four, ["ABCDEFGH", "GHEFCDAB", "BADCFEHG", "HGFEDCBA"]);
    // One register alone has no order.
    let one = ORDERS.map(|order| text(0x4142, RawType::U16, order));
    assert_eq!(one, ["AB"; 4]);
}

#[test]
fn known_floats_and_signs() {
    let decode = |words: &[u16], raw_type| decode_words(words, raw_type, WordOrder::Abcd, None);
    assert_eq!(decode(&[0x4049, 0x0FDB], RawType::F32).unwrap().as_f64(), Some(3.1415927410125732));
    assert_eq!(decode(&[0xFFFE], RawType::I16).unwrap().as_f64(), Some(-2.0));
    assert_eq!(decode(&[0xFFFF, 0xFFFE], RawType::I32).unwrap().as_f64(), Some(-2.0));
    assert!(matches!(decode(&[0xFFFF; 4], RawType::U64), Some(Value::U64(u64::MAX))));
    let bit = |n| decode_words(&[0b1000_0000_0000_0001], RawType::Bool, WordOrder::Abcd, Some(n));
    let bits: Vec<_> = (0..=15).filter(|n| matches!(bit(*n), Some(Value::Bool(true)))).collect();
    assert_eq!(bits, [0, 15]);
}

#[test]
fn what_does_not_fit_is_refused() {
    let encode = |value, raw_type| encode_words(&value, raw_type, WordOrder::Abcd);
    assert_eq!(encode(Value::F64(99.5), RawType::U16), Ok(vec![100]));
    assert_eq!(encode(Value::I64(-1), RawType::I16), Ok(vec![0xFFFF]));
    for (value, raw_type) in [
        (Value::I64(-1), RawType::U16),
        (Value::U64(65536), RawType::U16),
        (Value::F64(32767.5), RawType::I16),
        (Value::F64(1e39), RawType::F32),
        (Value::F64(f64::NAN), RawType::F64),
        (Value::F64(f64::INFINITY), RawType::I64),
        (Value::F64(1e300), RawType::U64),
        (Value::U64(2), RawType::Bool),
    ] {
        let error = encode(value, raw_type).unwrap_err();
        assert!(matches!(error, EncodeError::Range { .. }), "{error}");
    }
    assert_eq!(encode(Value::Text("1".into()), RawType::U16), Err(EncodeError::Kind));
}

fn bits(value: &Value) -> u64 {
    match value {
        Value::F64(x) => x.to_bits(),
        Value::I64(x) => *x as u64,
        Value::U64(x) => *x,
        Value::Bool(x) => u64::from(*x),
        _ => panic!("no register holds this"),
    }
}

proptest! {
    #[test]
    fn words_come_back(words: [u16; 4], which in 0_usize..9, order in 0_usize..4) {
        let (raw_type, order) = (TYPES[which], ORDERS[order]);
        let width = usize::from(raw_type.width());
        let value = decode_words(&words[..width], raw_type, order, None).unwrap();
        match encode_words(&value, raw_type, order) {
            Ok(again) if raw_type == RawType::Bool => {
                prop_assert_eq!(again, vec![u16::from(words[0] != 0)]);
            }
            Ok(again) => prop_assert_eq!(&again, &words[..width]),
            Err(_) => prop_assert!(!value.as_f64().unwrap().is_finite()),
        }
    }

    #[test]
    fn values_come_back(raw: i64, which in 1_usize..9, order in 0_usize..4) {
        let (raw_type, order) = (TYPES[which], ORDERS[order]);
        let value = match raw_type {
            RawType::F32 => Value::F64(f64::from(raw as f32)),
            RawType::F64 => Value::F64(raw as f64),
            RawType::U16 => Value::U64((raw as u16).into()),
            RawType::U32 => Value::U64((raw as u32).into()),
            RawType::U64 => Value::U64(raw as u64),
            RawType::I16 => Value::I64((raw as i16).into()),
            RawType::I32 => Value::I64((raw as i32).into()),
            _ => Value::I64(raw),
        };
        let words = encode_words(&value, raw_type, order).unwrap();
        let again = decode_words(&words, raw_type, order, None).unwrap();
        prop_assert_eq!(again.data_type(), value.data_type());
        prop_assert_eq!(bits(&again), bits(&value));
    }

    #[test]
    fn any_words_decode_or_do_not_but_never_panic(
        words in prop::collection::vec(any::<u16>(), 0..8),
        which in 0_usize..9,
        order in 0_usize..4,
        bit in prop::option::of(0_u8..=255),
    ) {
        let (raw_type, order) = (TYPES[which], ORDERS[order]);
        let value = decode_words(&words, raw_type, order, bit);
        prop_assert_eq!(value.is_some(), words.len() >= usize::from(raw_type.width()));
    }
}
