use std::collections::HashSet;
use std::sync::Mutex;
use std::sync::atomic::Ordering::Relaxed;

use super::*;
use crate::Settled;

fn outlet(points: usize) -> (Outlet, mpsc::Receiver<Parcel>, Arc<Meters>) {
    let (parcels, pump) = mpsc::channel(1);
    let meters = Arc::<Meters>::default();
    (Outlet::new(parcels, Arc::clone(&meters), points), pump, meters)
}

const NOW: Timestamp = Timestamp::from_nanos(7);

fn sample(value: Value) -> Sample {
    Sample::good(NOW, value)
}

#[tokio::test]
async fn what_cannot_leave_waits_within_bounds_and_the_newest_stay() {
    let (mut outlet, mut pump, meters) = outlet(10);
    assert!(!outlet.is_ready());
    let pushed = 3 * WAITING_SAMPLES_MIN;
    for n in 0..pushed {
        outlet.push(TagId(1), sample(Value::U64(n as u64)), NOW, false);
    }
    assert!(outlet.is_ready());
    outlet.send().await;
    assert!(!outlet.is_ready());
    let parcel = pump.recv().await.unwrap();
    assert!(parcel.samples.len() <= WAITING_SAMPLES_MIN + 20);
    let dropped = meters.dropped.load(Relaxed) as usize;
    assert_eq!(dropped + parcel.samples.len(), pushed);
    let last = parcel.samples.last().unwrap().1.value.clone();
    assert_eq!(last.and_then(|v| v.as_f64()), Some((pushed - 1) as f64));

    // While more is due, what waits travels together.
    outlet.push(TagId(1), sample(Value::U64(1)), NOW, false);
    outlet.expect_more(true);
    assert!(!outlet.is_ready());
    outlet.expect_more(false);
    assert!(outlet.is_ready());
    outlet.finish().await;
    assert_eq!(pump.recv().await.unwrap().samples.len(), 1);
}

#[tokio::test]
async fn large_values_are_cut_into_parcels_and_receipts_go_with_the_last() {
    let (mut outlet, mut pump, _) = outlet(1);
    let settled = Arc::new(Mutex::new(None));
    let told = Arc::clone(&settled);
    let wave = Value::Array(vec![Value::F64(0.5); 1 << 16].into());
    for _ in 0..10 {
        outlet.push(TagId(1), sample(wave.clone()), NOW, false);
    }
    outlet.receipt(Receipt::new(move |s| *told.lock().unwrap() = Some(s)), NOW, false);
    let mut samples = 0;
    while samples < 10 {
        outlet.send().await;
        let parcel = pump.recv().await.unwrap();
        let bytes: usize = parcel.samples.iter().map(|(_, s)| bytes_of(s)).sum();
        assert!(bytes <= PARCEL_BYTES_MAX);
        samples += parcel.samples.len();
        assert_eq!(parcel.receipts.len(), usize::from(samples == 10));
        assert_eq!(parcel.continued, samples < 10);
        assert_eq!(*settled.lock().unwrap(), None);
        parcel.receipts.into_iter().for_each(|receipt| receipt.settle(Settled::Stored));
    }
    assert_eq!(*settled.lock().unwrap(), Some(Settled::Stored));
    assert!(!outlet.is_ready());
    assert_eq!(outlet.live.bytes, 0);
}

#[tokio::test]
async fn history_and_live_samples_never_share_a_parcel() {
    let (mut outlet, mut pump, _) = outlet(1);
    outlet.push(TagId(1), sample(Value::U64(1)), NOW, true);
    outlet.push(TagId(1), sample(Value::U64(2)), NOW, false);
    outlet.send().await;
    assert!(!pump.recv().await.unwrap().backfill, "live samples leave first");
    assert!(outlet.is_ready());
    outlet.send().await;
    assert!(pump.recv().await.unwrap().backfill);
}

#[tokio::test]
async fn what_is_dropped_is_not_acknowledged_and_a_peer_that_can_wait_is_told_to() {
    let (mut outlet, _pump, _) = outlet(0);
    let settled = Arc::new(Mutex::new(None));
    let told = Arc::clone(&settled);
    outlet.push(TagId(1), sample(Value::U64(0)), NOW, false);
    outlet.receipt(Receipt::new(move |s| *told.lock().unwrap() = Some(s)), NOW, false);
    assert!(!outlet.is_full());
    for n in 0..WAITING_SAMPLES_MIN as u64 {
        outlet.push(TagId(1), sample(Value::U64(n)), NOW, false);
    }
    assert_eq!(*settled.lock().unwrap(), Some(Settled::Dropped));
    outlet.begin();
    outlet.receipt(Receipt::new(|_| ()), NOW, false);
    assert!(outlet.is_full());
}

#[tokio::test]
async fn a_receipt_whose_own_samples_were_dropped_does_not_say_stored() {
    for backfill in [false, true] {
        let (mut outlet, mut pump, meters) = outlet(0);
        let (tell, mut settled) = mpsc::unbounded_channel();
        let receipt = || {
            let tell = tell.clone();
            Receipt::new(move |settled| {
                let _ = tell.send(settled);
            })
        };
        outlet.begin();
        for n in 0..=WAITING_SAMPLES_MIN as u64 {
            outlet.push(TagId(1), sample(Value::U64(n)), NOW, backfill);
        }
        assert!(meters.dropped.load(Relaxed) > 0);
        outlet.receipt(receipt(), NOW, backfill);
        assert_eq!(settled.try_recv(), Ok(Settled::Dropped));

        // What comes next is whole.
        outlet.begin();
        outlet.push(TagId(1), sample(Value::U64(0)), NOW, backfill);
        outlet.receipt(receipt(), NOW, backfill);
        outlet.send().await;
        let receipts = pump.recv().await.unwrap().receipts;
        receipts.into_iter().for_each(|receipt| receipt.settle(Settled::Stored));
        assert_eq!(settled.try_recv(), Ok(Settled::Stored));
    }
}

#[tokio::test]
async fn no_parcel_has_more_days_than_the_historian_takes() {
    const DAYS: usize = 2 * BATCH_DAYS_MAX + 1;
    let (mut outlet, mut pump, _) = outlet(1);
    // Each day comes twice, its second time far from the first.
    let days: Vec<usize> = (0..DAYS).chain(0..DAYS).collect();
    for day in &days {
        let time = Timestamp::start_of_day(i32::try_from(*day).unwrap());
        outlet.push(TagId(1), Sample::good(time, Value::U64(1)), NOW, true);
    }
    outlet.receipt(Receipt::new(|_| ()), NOW, true);
    let mut sent = Vec::new();
    while sent.len() < days.len() {
        outlet.send().await;
        let parcel = pump.recv().await.unwrap();
        let times = || parcel.samples.iter().map(|(_, sample)| sample.time.day());
        let count = times().collect::<HashSet<_>>().len();
        assert!((1..=BATCH_DAYS_MAX).contains(&count), "{count} days");
        sent.extend(times().map(|day| day as usize));
        assert_eq!(parcel.continued, sent.len() < days.len());
        assert_eq!(parcel.receipts.len(), usize::from(!parcel.continued));
    }
    assert_eq!(sent, days);
    assert!(!outlet.is_ready());
    // A receipt alone is a parcel, too.
    outlet.receipt(Receipt::new(|_| ()), NOW, true);
    outlet.send().await;
    assert!(pump.recv().await.unwrap().samples.is_empty());
}
