use proptest::prelude::*;

use super::{Change, Table, Wire, WordOrder};
use crate::devices::{self, Controller, Source};
use crate::frame::Exception;
use crate::replay::Moment;

const ORDERS: [WordOrder; 4] = [WordOrder::ABCD, WordOrder::CDAB, WordOrder::BADC, WordOrder::DCBA];

fn moment() -> Moment {
    Moment {
        values: [50.0; 52],
        row: 7,
        rows_played: 967,
        fault: 2,
        speed: 180.0,
        held: false,
        failure: 0,
        wear: 0,
    }
}

fn controller(suffix: &str) -> Controller {
    devices::all().into_iter().find(|c| c.suffix == suffix).unwrap()
}

#[test]
fn the_four_orders_are_those_of_the_manuals() {
    let expected = [[0x0A0B, 0x0C0D], [0x0C0D, 0x0A0B], [0x0B0A, 0x0D0C], [0x0D0C, 0x0B0A]];
    for (order, expected) in ORDERS.into_iter().zip(expected) {
        let mut words = [0x0A0B, 0x0C0D];
        order.arrange(&mut words);
        assert_eq!(words, expected, "{}", order.as_str());
    }
    let mut one = [0x0A0B];
    WordOrder::DCBA.arrange(&mut one);
    assert_eq!(one, [0x0A0B]);
}

#[test]
fn numbers_beyond_the_type_become_its_end() {
    assert_eq!(Wire::U16.words(70_000.0), [0xFFFF]);
    assert_eq!(Wire::U16.words(-1.0), [0]);
    assert_eq!(Wire::I32.words(-3.4), [0xFFFF, 0xFFFD]);
}

#[test]
fn addresses_end_with_the_last_point_and_gaps_are_zero() {
    let water = controller("cooling-water-plc");
    let all = water.registers(Table::Input, 4, 8, &moment()).unwrap();
    assert_eq!(&all[2..6], [0, 0, 0, 0]);
    assert!(water.registers(Table::Input, 4, 9, &moment()).is_err());
    assert!(water.registers(Table::Input, 3, 1, &moment()).is_err());
    assert!(water.registers(Table::Coil, 0, 1, &moment()).is_err());
    assert!(water.registers(Table::Input, u16::MAX, 125, &moment()).is_err());
}

#[test]
fn a_write_changes_whole_values_within_their_limits() {
    let valves = controller("cooling-water-plc");
    let words = |value: f32| {
        let mut words = Wire::F32.words(f64::from(value));
        WordOrder::DCBA.arrange(&mut words);
        words
    };
    let write = |start, words: &[u16]| valves.write(Table::Holding, start, words, &moment());
    let expected = vec![Change { source: Source::Recorded(51), value: 62.5 }];
    assert_eq!(write(2, &words(62.5)), Ok(expected));
    let two = [words(1.0), words(2.0)].concat();
    assert_eq!(write(0, &two).unwrap().len(), 2);
    for wrong in [-0.5, 100.5, f32::NAN, f32::INFINITY] {
        assert_eq!(write(2, &words(wrong)), Err(Exception::IllegalDataValue), "{wrong}");
    }
    assert_eq!(write(4, &words(1.0)), Err(Exception::IllegalDataAddress));
    assert_eq!(write(u16::MAX, &[1, 2, 3]), Err(Exception::IllegalDataAddress));
    let desk = controller("replay-desk");
    assert_eq!(
        desk.write(Table::Holding, 0, &[5], &moment()),
        Ok(vec![Change { source: Source::Failure, value: 5.0 }])
    );
    assert_eq!(desk.write(Table::Holding, 4, &[6], &moment()), Err(Exception::IllegalDataAddress));
    assert_eq!(desk.write(Table::Holding, 0, &[6], &moment()), Err(Exception::IllegalDataValue));
}

proptest! {
    #[test]
    fn what_is_written_is_read_back(value in any::<i32>(), order in 0..4_usize) {
        for (wire, value) in [
            (Wire::I32, f64::from(value)),
            (Wire::U32, f64::from(value.unsigned_abs())),
            (Wire::U16, f64::from(value as u16)),
            (Wire::U64, f64::from(value.unsigned_abs()) * 1024.0),
            (Wire::F32, f64::from(value as f32)),
            (Wire::F64, f64::from(value) / 3.0),
        ] {
            let mut words = wire.words(value);
            prop_assert_eq!(words.len(), usize::from(wire.width()));
            ORDERS[order].arrange(&mut words);
            ORDERS[order].arrange(&mut words);
            prop_assert_eq!(wire.raw(&words), Some(value));
        }
    }
}
