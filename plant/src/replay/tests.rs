use std::time::Duration;

use tokio::time::Instant;

use super::{Replay, SPEED_DEFAULT, WRITE_HOLD};
use crate::recording::{ROWS, Recording};

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn a_row_is_held_for_a_second_and_the_last_is_followed_by_the_first() {
    let start = Instant::now();
    let replay = Replay::start(0, SPEED_DEFAULT, start).unwrap();
    let recording = Recording::load(0).unwrap();
    for (second, row) in [(0, 0), (1, 1), (7, 7), (959, 959), (960, 0), (1921, 1)] {
        let at = start + SECOND * second;
        let moment = replay.moment(at);
        assert_eq!(moment.row, row);
        assert_eq!(&moment.values[..], recording.row(row as usize));
        assert_eq!(replay.moment(at + SECOND * 9 / 10), moment, "held between rows");
    }
    assert_eq!(replay.moment(start + SECOND * 1921).rows_played, 1 + 2 * ROWS as u64);
}

#[test]
fn speed_changes_keep_the_position() {
    let start = Instant::now();
    let replay = Replay::start(0, 180.0, start).unwrap();
    replay.set_speed(1800.0, start + SECOND * 5).unwrap();
    assert_eq!(replay.moment(start + SECOND * 5).row, 5);
    assert_eq!(replay.moment(start + SECOND * 6).row, 15);
    replay.hold(true, start + SECOND * 6);
    assert_eq!(replay.moment(start + SECOND * 60).row, 15);
    assert!(replay.moment(start + SECOND * 60).held);
    replay.hold(false, start + SECOND * 60);
    assert_eq!(replay.moment(start + SECOND * 61).row, 25);
    for wrong in [-1.0, f64::NAN, f64::INFINITY, 18_001.0] {
        assert!(replay.set_speed(wrong, start).is_err());
    }
}

#[test]
fn a_fault_starts_shortly_before_it_acts() {
    let start = Instant::now();
    let replay = Replay::start(0, 180.0, start).unwrap();
    replay.set_fault(6, start + SECOND * 100).unwrap();
    let before = replay.moment(start + SECOND * 109);
    let after = replay.moment(start + SECOND * 110);
    assert_eq!((before.fault, before.row, after.row), (6, 159, 160));
    assert!(before.values[0] > 0.1 && after.values[0] < 0.01);
    assert!(replay.set_fault(11, start).is_err());
}

#[test]
fn a_written_value_stands_for_a_while_and_then_the_recording_resumes() {
    let start = Instant::now();
    let replay = Replay::start(0, 0.0, start).unwrap();
    let recorded = replay.moment(start).values[41];
    replay.write(41, 12.5, start);
    assert_eq!(replay.moment(start + WRITE_HOLD - Duration::from_millis(1)).values[41], 12.5);
    assert_eq!(replay.moment(start + WRITE_HOLD).values[41], recorded);
}

#[test]
fn all_recordings_share_the_speed_and_each_has_its_faults() {
    let start = Instant::now();
    let replay = Replay::start(0, SPEED_DEFAULT, start).unwrap();
    let later = start + SECOND * 5;
    assert_eq!((replay.part(later).rows, replay.flight(later).rows), (5, 5));
    replay.set_failure(3, later).unwrap();
    let chosen = replay.part(later + SECOND);
    assert_eq!((chosen.fault, chosen.chosen), (3, 1));
    assert_eq!(chosen.rows as usize, replay.machining().first(3) - 10 + 1);
    assert_eq!(replay.moment(later).row, 5, "the process goes on");
    replay.set_wear(1, later).unwrap();
    assert_eq!((replay.flight(later).rows, replay.flight(later).fault), (0, 1));
    replay.hold(true, later);
    assert_eq!(replay.flight(later + SECOND * 60).rows, 0);
    let moment = replay.moment(later);
    assert_eq!((moment.failure, moment.wear), (3, 1));
    assert!(replay.set_failure(6, later).is_err() && replay.set_wear(2, later).is_err());
}
