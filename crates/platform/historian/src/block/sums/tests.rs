//! Sums are read as they were written, and tell nothing that rows do not.

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

const SECOND: i64 = 1_000_000_000;

/// A page of rows a second, of tags with so many each.
fn page(tags: &[(u32, u32)], number: impl Fn(usize) -> f64) -> Pending {
    let rows: usize = tags.iter().map(|(_, rows)| *rows as usize).sum();
    Pending {
        tags: tags.to_vec(),
        times: tags
            .iter()
            .flat_map(|(_, rows)| (0..i64::from(*rows)).map(|i| i * SECOND))
            .collect(),
        kinds: vec![(u32::from(kind::F64), rows as u32)],
        qualities: vec![(0, rows as u32)],
        numbers: (0..rows).map(|row| number(row).to_bits()).collect(),
    }
}

fn sums(pages: &[Pending]) -> Vec<RunSum> {
    let mut writer = SumsWriter::default();
    pages.iter().for_each(|page| writer.add(page));
    let packed = writer.finish().unwrap();
    packed.map_or_else(Vec::new, |packed| unpack(&packed).unwrap())
}

#[test]
fn long_runs_are_divided_at_hours_and_short_ones_have_none() {
    let of = |tags: &[(u32, u32)]| sums(&[page(tags, |row| row as f64)]);
    assert_eq!(of(&[(1, 1023)]), []);
    assert_eq!(of(&[(1, 4000), (2, 96)]), []);
    let rows: Vec<u32> = of(&[(1, 1024), (3, 7300)]).iter().map(|sum| sum.rows).collect();
    assert_eq!(rows, [1024, 3600, 3600, 100]);
    let all = sums(&[page(&[(1, 10)], |_| 0.0), page(&[(1, 2000)], |row| row as f64)]);
    let [only] = all[..] else { panic!("{all:?}") };
    assert_eq!((only.page, only.tag, only.times), (1, 1, (0, 1999 * SECOND)));
    assert_eq!((only.sum, only.range.ends()), (1_999_000.0, Some((0.0, 1999.0))));
    assert_eq!((only.first, only.last), (Some(0.0), Some(1999.0)));
    // n (n^2 - 1) / 12
    assert_eq!(only.squares, 2000.0 * (2000.0 * 2000.0 - 1.0) / 12.0);
}

#[test]
fn a_page_with_numbers_beyond_adding_has_none() {
    for number in [f64::NAN, f64::INFINITY, f64::MAX, 1e200] {
        assert_eq!(sums(&[page(&[(1, 2000)], |row| if row == 7 { number } else { 1.0 })]), []);
    }
}

#[test]
fn what_a_filter_leaves_of_a_sum() {
    let mut rows = page(&[(1, 2000)], |row| row as f64);
    rows.kinds = vec![(u32::from(kind::F64), 1990), (u32::from(kind::NONE), 10)];
    rows.qualities = vec![(0, 1990), (0x8000_0000, 10)];
    let all = sums(&[rows]);
    let [sum] = all[..] else { panic!("{all:?}") };
    let tell = |numbers, severities, ends| {
        let sums = SumsWanted { ends, severities: true, buckets: None };
        match sum.tell(&Filter { numbers, severities, sums }) {
            Told::Sum(sum) => Some((sum.samples, sum.severities, sum.count)),
            Told::Nothing => Some((0, [0; 3], 0)),
            Told::Unknown => None,
        }
    };
    let (good, bad) = (Severities::NONE.with(Severity::Good), Severities::NONE.with(Severity::Bad));
    let above = |x| Some(NumberRange::from(x));
    assert_eq!(tell(None, Severities::ALL, true), Some((2000, [1990, 0, 10], 1990)));
    assert_eq!(tell(None, good, false), Some((1990, [1990, 0, 0], 1990)));
    assert_eq!(tell(None, good, true), None);
    assert_eq!(tell(None, bad, false), Some((10, [0, 0, 10], 0)));
    assert_eq!(tell(above(0.0), Severities::ALL, false), Some((1990, [1990, 0, 0], 1990)));
    assert_eq!(tell(above(1.0), Severities::ALL, false), None);
    assert_eq!(tell(above(2e3), Severities::ALL, true), Some((0, [0; 3], 0)));
    assert_eq!(tell(above(0.0), bad, false), Some((0, [0; 3], 0)));
}

proptest! {
    #[test]
    fn sums_are_read_as_they_were_written(
        words in vec((any::<u32>(), any::<i64>(), any::<u16>(), any::<f64>(), any::<Option<f64>>()), 1..50),
    ) {
        let sums: Vec<RunSum> = (0..).zip(words).map(|(page, (tag, time, rows, sum, end))| RunSum {
            page,
            tag,
            times: (time, time.saturating_add(9)),
            rows: rows.into(),
            count: u32::from(rows) / 2,
            sum,
            range: NumberRange::NONE.with(sum),
            last: end,
            ..RunSum::NONE
        }).collect();
        let writer = SumsWriter { sums: sums.clone(), ..SumsWriter::default() };
        let read = unpack(&writer.finish().unwrap().unwrap()).unwrap();
        prop_assert_eq!(format!("{read:?}"), format!("{sums:?}"));
    }

    #[test]
    fn any_bytes_are_sums_or_none(bytes in vec(any::<u8>(), 0..2000)) {
        let _ = unpack(&bytes);
        let _ = unpack(&zstd::bulk::compress(&bytes, 1).unwrap());
    }
}
