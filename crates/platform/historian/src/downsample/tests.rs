use proptest::collection::vec;
use proptest::prelude::*;
use weir_model::{Quality, Value};

use super::*;

fn row(time: i64, value: Option<Value>, quality: Quality) -> Row {
    Row { time, position: 1, tag: 1, quality: quality.code(), value }
}

fn numbers(values: impl IntoIterator<Item = f64>) -> Vec<Row> {
    let values = values.into_iter().enumerate();
    values.map(|(time, x)| row(time as i64, Some(Value::F64(x)), Quality::GOOD)).collect()
}

fn downsampled(rows: &[Row], points_max: usize, span: (i64, i64)) -> Vec<Row> {
    let mut downsampler = Downsampler::new(points_max, span);
    rows.iter().for_each(|row| downsampler.push(row.clone()));
    downsampler.finish()
}

#[test]
fn few_rows_are_given_as_they_are() {
    let rows = numbers([1.0, 5.0, 2.0]);
    assert_eq!(downsampled(&rows, 3, (0, 3)), rows);
    assert!(downsampled(&[], 3, (0, 3)).is_empty());
    assert!(downsampled(&rows, 0, (0, 3)).is_empty());
}

#[test]
fn any_span_is_taken_and_texts_are_counted() {
    let rows = numbers((0..100).map(f64::from));
    assert!(downsampled(&rows, 4, (i64::MIN, i64::MAX)).len() <= 4);
    let text = |time| row(time, Value::text(&"x".repeat(100)).ok(), Quality::GOOD);
    let mut downsampler = Downsampler::new(10, (0, 100));
    (0..10).for_each(|time| downsampler.push(text(time)));
    assert_eq!(downsampler.heap_bytes(), 1000);
    (10..100).for_each(|time| downsampler.push(text(time)));
    let points = downsampler.heap_bytes() / 100;
    assert_eq!(downsampler.finish().len(), points);
}

#[test]
fn a_spike_survives_at_any_width() {
    let rows = numbers((0..100_000).map(|i| if i == 54_321 { -99.0 } else { f64::from(i % 7) }));
    for points_max in [4, 5, 50, 1000, 5000] {
        let points = downsampled(&rows, points_max, (0, 100_000));
        assert!(points.len() <= points_max);
        assert!(points.contains(&rows[54_321]), "{points_max}");
    }
}

#[test]
fn samples_in_a_small_part_of_the_span_get_most_points() {
    let mut rows = numbers((0..10_000).map(|i| f64::from(i).sin()));
    rows.iter_mut().for_each(|row| row.time *= 1_000_000);
    let ten_seconds = (0, 10_000_000_000);
    let points = downsampled(&rows, 1000, ten_seconds);
    assert!(points.len() > 750, "{}", points.len());
    let points = downsampled(&rows, 1000, (0, 3_000_000 * ten_seconds.1));
    assert!(points.len() > 350, "{}", points.len());
}

#[test]
fn gaps_survive() {
    let mut rows = numbers((0..10_000).map(|i| f64::from(i % 50)));
    rows[5000] = row(5000, None, Quality::NO_COMMUNICATION);
    rows[7000].quality = Quality::BAD.code();
    rows[7000].value = Some(Value::F64(1e9));
    rows[9000].value = Some(Value::F64(f64::NAN));
    let points = downsampled(&rows, 200, (0, 10_000));
    for index in [5000, 7000] {
        assert!(points.contains(&rows[index]));
    }
    assert!(points.iter().any(|point| point.time == 9000), "no number is a gap, too");
    // What is bad is no extreme.
    let high = points.iter().filter(|point| !point.is_bad()).filter_map(number);
    assert_eq!(high.fold(0.0, f64::max), 49.0);
}

#[test]
fn texts_keep_their_changes() {
    let text = |i: i64| Value::text(if (4000..4003).contains(&i) { "stopped" } else { "runs" });
    let rows: Vec<Row> =
        (0..10_000).map(|i| row(i, Some(text(i).unwrap()), Quality::GOOD)).collect();
    let points = downsampled(&rows, 100, (0, 10_000));
    assert!(points.contains(&rows[4000]) && points.contains(&rows[4003]));
}

proptest! {
    #[test]
    fn extremes_ends_and_bounds_hold(
        steps in vec((1..1000i64, -50..50i32, 0..10u8), 0..400),
        points_max in 0..60usize,
        wider in 0..1_000_000i64,
    ) {
        let mut time = 0;
        let rows: Vec<Row> = steps.into_iter().map(|(step, value, kind)| {
            time += step;
            let quality = if kind == 0 { Quality::BAD } else { Quality::GOOD };
            let value = (kind != 1).then(|| Value::F64(f64::from(value)));
            row(time, value, quality)
        }).collect();
        let points = downsampled(&rows, points_max, (-wider, time + 1 + wider));
        prop_assert!(points.len() <= points_max);
        prop_assert!(points.windows(2).all(|pair| pair[0].time < pair[1].time));
        prop_assert!(points.iter().all(|point| rows.contains(point)));
        if rows.len() <= points_max {
            prop_assert_eq!(&points, &rows);
        }
        if points_max >= 1 {
            prop_assert_eq!(points.last(), rows.last());
        }
        if points_max >= 2 {
            prop_assert_eq!(points.first(), rows.first());
        }
        if points_max >= STRETCH_POINTS {
            let extremes = |rows: &[Row]| {
                let numbers = || rows.iter().filter_map(number);
                (numbers().reduce(f64::min), numbers().reduce(f64::max))
            };
            prop_assert_eq!(extremes(&points), extremes(&rows));
            let gap = |rows: &[Row]| rows.iter().any(|row| number(row).is_none());
            prop_assert_eq!(gap(&points), gap(&rows));
        }
    }
}
