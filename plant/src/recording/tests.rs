use super::{FAULT_MAX, FAULT_ROW, ROWS, Recording};
use crate::PlantError;

const PROVENANCE: &str = include_str!("../../data/PROVENANCE.md");

#[test]
fn every_recording_is_whole_and_finite() {
    for fault in 0..=FAULT_MAX {
        let recording = Recording::load(fault).unwrap();
        for row in 0..ROWS {
            assert!(recording.row(row).iter().all(|x| x.is_finite()), "fault {fault}, row {row}");
        }
    }
    assert!(matches!(Recording::load(11), Err(PlantError::UnknownFault(11))));
}

#[test]
fn the_first_row_is_the_one_in_the_file_and_the_last_is_followed_by_the_first() {
    let recording = Recording::load(0).unwrap();
    assert_eq!(&recording.row(0)[..4], &[0.24889, 3702.3, 4502.7, 9.417]);
    assert_eq!(recording.row(0)[51], 18.905);
    assert_eq!(recording.row(ROWS), recording.row(0));
}

#[test]
fn fault_6_loses_the_a_feed_at_its_row() {
    let recording = Recording::load(6).unwrap();
    assert!(recording.row(FAULT_ROW - 1)[0] > 0.1);
    assert!(recording.row(FAULT_ROW)[0] < 0.01);
}

#[test]
fn damaged_recordings_are_named() {
    assert!(Recording::unpack(b"no gzip at all").is_err());
    let short = &super::RUNS[0][..5000];
    assert!(Recording::unpack(short).is_err());
}

#[test]
fn the_provenance_page_names_every_file_as_it_is() {
    for (fault, packed) in super::RUNS.iter().enumerate() {
        let digest = ring::digest::digest(&ring::digest::SHA256, packed);
        let hex: String = digest.as_ref().iter().map(|b| format!("{b:02x}")).collect();
        let line = format!("| `d{fault:02}_te.dat.gz` | `d{fault:02}_te.dat` | {} |", packed.len());
        let found = PROVENANCE.lines().find(|l| l.starts_with(&line)).expect(&line);
        assert!(found.contains(&hex), "{line} {hex}");
    }
}
