use opcua::types::{
    DataChangeFilter, DataChangeTrigger, MonitoredItemNotification, NumericRange,
    TimestampsToReturn, Variant,
};
use weir_model::{Quality, Sample, TagId, Timestamp, Value};

use super::item::{Filter, Source, Wish};
use super::*;

fn rhythm() -> Rhythm {
    Rhythm::revised(1_000.0, 30, 3, 0, Duration::from_millis(50))
}

fn wish(queue_size: u32, interval: Duration) -> Wish {
    Wish {
        client_handle: 5,
        timestamps: TimestampsToReturn::Source,
        interval,
        filter: Filter::DEFAULT,
        queue_size,
        discard_oldest: true,
    }
}

fn item(wish: Wish, now: Instant) -> Item {
    let tag = Source::Tag(TagId(1));
    Item::new(1, tag, NumericRange::None, MonitoringMode::Reporting, wish, now)
}

fn sample(second: i64, x: f64) -> Sample {
    Sample::good(Timestamp::from_nanos(second * 1_000_000_000), Value::F64(x))
}

fn told(message: &NotificationMessage) -> Vec<MonitoredItemNotification> {
    let data = message.notification_data.as_ref().and_then(|data| data.first());
    let changes = data.and_then(|data| data.inner_as::<DataChangeNotification>());
    changes.and_then(|changes| changes.monitored_items.clone()).unwrap_or_default()
}

fn values(told: &[MonitoredItemNotification]) -> Vec<f64> {
    told.iter().map(|n| n.value.value.as_ref().and_then(Variant::as_f64).unwrap()).collect()
}

fn offered(wish: Wish, samples: &[(u64, Sample)]) -> Vec<MonitoredItemNotification> {
    let start = Instant::now();
    let mut subscription = Subscription::new(9, true, 0, rhythm(), start);
    subscription.add(item(wish, start));
    for (ms, sample) in samples {
        let now = start + Duration::from_millis(*ms);
        subscription.with(1, |item| item.offer(sample.clone(), sample.time, now));
    }
    subscription.cycle(start + Duration::from_secs(1), true);
    told(&subscription.message(DateTime::null()).0)
}

#[test]
fn every_change_is_told_in_order() {
    let told = offered(
        wish(10, Duration::ZERO),
        &[(1, sample(1, 1.0)), (2, sample(2, 1.0)), (3, sample(3, 2.0))],
    );
    assert_eq!(values(&told), [1.0, 2.0]);
    let times: Vec<i64> = told.iter().map(|n| n.value.source_timestamp.unwrap().ticks()).collect();
    assert_eq!(times[1] - times[0], 20_000_000, "each has its own source time");
}

#[test]
fn a_change_of_quality_alone_is_told() {
    let uncertain = Sample { quality: Quality::LAST_USABLE, ..sample(2, 1.0) };
    let told = offered(wish(10, Duration::ZERO), &[(1, sample(1, 1.0)), (2, uncertain)]);
    assert_eq!(told[1].value.status, Some(StatusCode::UncertainLastUsableValue));
}

#[test]
fn what_is_older_than_the_newest_is_no_news() {
    let told = offered(wish(10, Duration::ZERO), &[(1, sample(5, 1.0)), (2, sample(4, 2.0))]);
    assert_eq!(values(&told), [1.0]);
}

#[test]
fn a_sampling_interval_thins_samples_out_and_keeps_their_times() {
    let told = offered(
        wish(10, Duration::from_millis(100)),
        &[
            (0, sample(1, 1.0)),
            (30, sample(2, 2.0)),
            (60, sample(3, 3.0)),
            (130, sample(4, 4.0)),
            (140, sample(5, 5.0)),
        ],
    );
    // At 100 ms the newest was 3; 4 and 5 came in the interval that ended at 200 ms.
    assert_eq!(values(&told), [1.0, 3.0, 5.0]);
    let first = told[0].value.source_timestamp.unwrap().ticks();
    let third = told[1].value.source_timestamp.unwrap().ticks();
    assert_eq!(third - first, 20_000_000);
}

#[test]
fn a_full_queue_says_so() {
    let samples: Vec<_> = (1..=4).map(|n| (n, sample(n as i64, n as f64))).collect();
    let oldest = offered(wish(2, Duration::ZERO), &samples);
    assert_eq!(values(&oldest), [3.0, 4.0]);
    assert_eq!(oldest[0].value.status.map(|s| s.bits()), Some(0x480));
    assert_eq!(oldest[1].value.status, None);
    let newest = offered(Wish { discard_oldest: false, ..wish(2, Duration::ZERO) }, &samples);
    assert_eq!(values(&newest), [1.0, 4.0]);
    assert_eq!(newest[1].value.status.map(|s| s.bits()), Some(0x480));
    let one = offered(wish(1, Duration::ZERO), &samples);
    assert_eq!((values(&one), one[0].value.status), (vec![4.0], None));
}

#[test]
fn deadbands_hold_small_changes_back() {
    let filter = |deadband_type, deadband_value| {
        ExtensionObject::from_message(DataChangeFilter {
            trigger: DataChangeTrigger::StatusValue,
            deadband_type,
            deadband_value,
        })
    };
    let absolute = Filter::parse(&filter(1, 0.5), None).unwrap();
    let samples = [(1, sample(1, 1.0)), (2, sample(2, 1.4)), (3, sample(3, 1.6))];
    let with = |filter| Wish { filter, ..wish(10, Duration::ZERO) };
    assert_eq!(values(&offered(with(absolute), &samples)), [1.0, 1.6]);
    let percent = Filter::parse(&filter(2, 1.0), Some((0.0, 100.0))).unwrap();
    assert_eq!(values(&offered(with(percent), &samples)), [1.0]);
    assert!(Filter::parse(&filter(2, 1.0), None).is_err());
    assert!(Filter::parse(&filter(1, f64::NAN), None).is_err());
    assert!(Filter::parse(&filter(7, 1.0), None).is_err());
}

#[test]
fn silence_is_told_and_loneliness_ends_it() {
    let mut now = Instant::now();
    let mut subscription = Subscription::new(9, true, 0, rhythm(), now);
    let mut cycle = |requested| {
        now += Duration::from_secs(1);
        let cycle = subscription.cycle(now, requested);
        if requested && cycle == Cycle::Message {
            let (message, more) = subscription.message(DateTime::null());
            assert!(message.notification_data.is_none() && !more);
            assert_eq!(message.sequence_number, 1, "a keep-alive takes no number");
        }
        cycle
    };
    // The first cycle tells that the subscription lives; then every third.
    let cycles: Vec<_> = (0..7).map(|_| cycle(true) == Cycle::Message).collect();
    assert_eq!(cycles, [true, false, false, true, false, false, true]);
    let ends = (0..40).position(|_| cycle(false) == Cycle::Expired);
    assert_eq!(ends, Some(29));
}

#[test]
fn messages_are_kept_until_they_are_acknowledged() {
    let now = Instant::now();
    let mut subscription = Subscription::new(9, true, 0, rhythm(), now);
    subscription.add(item(wish(1, Duration::ZERO), now));
    for n in 0..UNACKNOWLEDGED_MAX as i64 + 3 {
        subscription.with(1, |item| item.offer(sample(n, n as f64), Timestamp::MIN, now));
        subscription.message(DateTime::null());
    }
    assert_eq!(subscription.available().len(), UNACKNOWLEDGED_MAX);
    assert!(subscription.again(3).is_none() && subscription.again(4).is_some());
    assert_eq!(subscription.acknowledge(4), StatusCode::Good);
    assert_eq!(subscription.acknowledge(4), StatusCode::BadSequenceNumberUnknown);
}

#[test]
fn an_item_that_only_samples_is_told_when_another_triggers_it() {
    let now = Instant::now();
    let mut subscription = Subscription::new(9, true, 0, rhythm(), now);
    subscription.add(item(wish(1, Duration::ZERO), now));
    let mut other = item(Wish { client_handle: 6, ..wish(1, Duration::ZERO) }, now);
    (other.id, other.mode) = (2, MonitoringMode::Sampling);
    subscription.add(other);
    subscription.with(1, |item| item.links.push(2));
    subscription.with(2, |item| item.offer(sample(1, 7.0), Timestamp::MIN, now));
    assert!(told(&subscription.message(DateTime::null()).0).is_empty());
    subscription.with(1, |item| item.offer(sample(1, 1.0), Timestamp::MIN, now));
    assert_eq!(values(&told(&subscription.message(DateTime::null()).0)), [1.0, 7.0]);
}

#[test]
fn a_message_has_a_bound_and_says_that_more_waits() {
    let now = Instant::now();
    let rhythm = Rhythm { notifications_max: 2, ..rhythm() };
    let mut subscription = Subscription::new(9, true, 0, rhythm, now);
    subscription.add(item(wish(10, Duration::ZERO), now));
    for n in 0..5 {
        subscription.with(1, |item| item.offer(sample(n, n as f64), Timestamp::MIN, now));
    }
    let lengths: Vec<_> = (0..4)
        .map(|_| subscription.message(DateTime::null()))
        .map(|(message, more)| (told(&message).len(), more))
        .collect();
    assert_eq!(lengths, [(2, true), (2, true), (1, false), (0, false)]);
}

#[test]
fn wishes_are_brought_within_bounds() {
    let min = Duration::from_millis(50);
    for wish in [f64::NAN, -1.0, 0.0, f64::INFINITY] {
        assert_eq!(Rhythm::revised(wish, 1, 0, 0, min).interval, min, "{wish}");
    }
    let rhythm = Rhythm::revised(1e12, u32::MAX, u32::MAX, u32::MAX, min);
    assert_eq!(rhythm.interval, INTERVAL_MAX);
    assert!(rhythm.lifetime >= 3 * rhythm.keep_alive);
    assert_eq!(rhythm.notifications_max, NOTIFICATIONS_MAX);
}

#[test]
fn an_item_is_small() {
    // There may be hundreds of thousands of them.
    let bytes = size_of::<Item>();
    assert!(bytes <= 336, "{bytes}");
}

#[test]
fn no_wish_outlives_an_hour_without_its_client() {
    for interval in [0.0, 50.0, 7_777.0, 1e9, f64::MAX] {
        for (lifetime, keep_alive) in [(u32::MAX, u32::MAX), (0, 0), (0, u32::MAX), (1, 7)] {
            let rhythm =
                Rhythm::revised(interval, lifetime, keep_alive, 0, Duration::from_millis(50));
            let life = rhythm.interval * rhythm.lifetime;
            assert!(life <= LIFETIME_MAX, "{interval} {lifetime} {keep_alive}: {life:?}");
            assert!(rhythm.lifetime >= 3 * rhythm.keep_alive);
        }
    }
}
