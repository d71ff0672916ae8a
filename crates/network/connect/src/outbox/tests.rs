use std::collections::HashSet;
use std::path::Path;

use async_trait::async_trait;
use weir_model::Value;

use super::*;
use crate::SpoolFull;

/// Stores like the historian: what is not above a producer's highest sequence is a repetition.
#[derive(Default)]
struct Store {
    refuse: Mutex<Option<Refused>>,
    stall: Mutex<bool>,
    highest: Mutex<HashMap<String, u64>>,
    stored: Mutex<Vec<Batch>>,
}

#[async_trait]
impl Sink for Store {
    async fn deliver(&self, batch: Batch) -> Result<(), Refused> {
        if *lock(&self.stall) {
            std::future::pending::<()>().await;
        }
        if let Some(refused) = lock(&self.refuse).clone() {
            return Err(refused);
        }
        let producer = batch.producer.clone().unwrap();
        let mut highest = lock(&self.highest);
        let last = highest.entry(producer.name().to_owned()).or_default();
        if producer.sequence > *last {
            *last = producer.sequence;
            lock(&self.stored).push(batch);
        }
        Ok(())
    }
}

fn options(dir: &Path) -> Options {
    let mut options = Options::new(dir);
    options.deliver_timeout = Duration::from_millis(100);
    options
}

struct Running {
    outbox: Arc<Outbox>,
    stop: CancellationToken,
    drain: tokio::task::JoinHandle<()>,
    senders: Vec<mpsc::Sender<Parcel>>,
    pumps: Vec<tokio::task::JoinHandle<()>>,
}

fn start(store: &Arc<Store>, options: &Options, devices: usize) -> Running {
    let outbox = Arc::new(Outbox::open(Arc::clone(store) as Arc<dyn Sink>, options).unwrap());
    let stop = CancellationToken::new();
    let drain = tokio::spawn(Arc::clone(&outbox).drain(stop.clone()));
    let (mut senders, mut pumps) = (Vec::new(), Vec::new());
    for device in 0..devices {
        let (sender, receiver) = mpsc::channel(4);
        let key = producer_key(TenantId(1), &format!("88.100/d{device}"));
        outbox.register(key.clone(), Arc::default());
        pumps.push(tokio::spawn(Arc::clone(&outbox).pump(key, receiver)));
        senders.push(sender);
    }
    Running { outbox, stop, drain, senders, pumps }
}

impl Running {
    async fn send(&self, device: usize, n: i64) {
        let time = Timestamp::from_nanos(n);
        let samples = vec![(TagId(device as u32), Sample::good(time, Value::I64(n)))];
        let arrival = self.outbox.clock.now();
        self.senders[device]
            .send(Parcel {
                arrival,
                samples,
                backfill: false,
                continued: false,
                receipts: Vec::new(),
            })
            .await
            .unwrap();
    }

    /// Sends one part of what came together; the last part has the receipt.
    async fn send_part(&self, text: &str, backfill: bool, receipt: Option<Receipt>) {
        let arrival = self.outbox.clock.now();
        let samples = vec![(TagId(1), Sample::good(arrival, Value::Text(text.into())))];
        let continued = receipt.is_none();
        let receipts = receipt.into_iter().collect();
        let parcel = Parcel { arrival, samples, backfill, continued, receipts };
        self.senders[0].send(parcel).await.unwrap();
    }

    async fn settled(&self, text: &str, backfill: bool) -> Settled {
        let (tell, told) = tokio::sync::oneshot::channel();
        let receipt = Receipt::new(|settled| {
            let _ = tell.send(settled);
        });
        self.send_part(text, backfill, Some(receipt)).await;
        told.await.unwrap()
    }

    async fn end(self) {
        drop(self.senders);
        for pump in self.pumps {
            pump.await.unwrap();
        }
        self.stop.cancel();
        self.drain.await.unwrap();
    }
}

async fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = tokio::time::Instant::now() + Duration::from_secs(20);
    while !condition() {
        assert!(tokio::time::Instant::now() < deadline, "not in time: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Every number of every device is stored once and in order.
fn assert_complete(store: &Store, devices: usize, numbers: std::ops::Range<i64>) {
    let stored = lock(&store.stored);
    for device in 0..devices {
        let got: Vec<i64> = stored
            .iter()
            .flat_map(|b| b.samples.iter())
            .filter(|(tag, _)| tag.0 as usize == device)
            .map(|(_, sample)| sample.time.nanos())
            .collect();
        assert_eq!(got, numbers.clone().collect::<Vec<_>>(), "device {device}");
    }
}

#[tokio::test]
async fn nothing_is_lost_or_doubled_while_the_sink_comes_and_goes() {
    let dir = tempfile::tempdir().unwrap();
    let store = Arc::new(Store::default());
    let running = start(&store, &options(dir.path()), 5);
    for n in 0..400 {
        match n {
            50 => *lock(&store.refuse) = Some(Refused::Later("disk full".to_owned())),
            150 => *lock(&store.refuse) = None,
            200 => *lock(&store.stall) = true,
            300 => *lock(&store.stall) = false,
            _ => {}
        }
        for device in 0..5 {
            running.send(device, n).await;
        }
        if n == 120 {
            let status = running.outbox.status();
            assert_eq!(status.refusing.as_deref(), Some("disk full"));
            assert!(status.spooled_batches > 0 && status.spool_bytes > 0);
        }
    }
    until("the spool is empty", || {
        lock(&store.stored).iter().map(|b| b.samples.len()).sum::<usize>() == 2000
    })
    .await;
    until("the status says so", || {
        let status = running.outbox.status();
        status.spooled_batches == 0 && status.refusing.is_none()
    })
    .await;
    assert_complete(&store, 5, 0..400);
    assert_eq!(running.outbox.status().dropped_samples, 0);
    running.end().await;
}

#[tokio::test]
async fn what_waits_survives_a_restart_and_what_is_late_is_marked() {
    let dir = tempfile::tempdir().unwrap();
    let store = Arc::new(Store::default());
    *lock(&store.refuse) = Some(Refused::Later("starting".to_owned()));
    let now = Arc::new(AtomicU64::new(1_800_000_000_000_000_000));
    let mut options = options(dir.path());
    let clock = Arc::clone(&now);
    options.clock = Arc::new(move || Timestamp::from_nanos(clock.load(Relaxed) as i64));
    let running = start(&store, &options, 2);
    for n in 0..100 {
        running.send(0, n).await;
        running.send(1, n).await;
    }
    running.end().await;
    assert!(lock(&store.stored).is_empty());

    // An hour later, by a clock that was set back a day in between.
    now.fetch_sub(86_400_000_000_000, Relaxed);
    let running = start(&store, &options, 2);
    now.fetch_add(90_000_000_000_000, Relaxed);
    *lock(&store.refuse) = None;
    for n in 100..200 {
        running.send(0, n).await;
        running.send(1, n).await;
    }
    until("all are stored", || lock(&store.stored).len() == 400).await;
    assert_complete(&store, 2, 0..200);
    let late: HashSet<bool> = lock(&store.stored)
        .iter()
        .filter(|b| b.backfill)
        .map(|b| b.samples.times()[0].nanos() < 100)
        .collect();
    assert_eq!(late, HashSet::from([true]), "old batches are backfill, new ones are not");
    running.end().await;
}

#[tokio::test]
async fn a_batch_that_is_never_taken_does_not_block_the_others() {
    let dir = tempfile::tempdir().unwrap();
    let store = Arc::new(Store::default());
    *lock(&store.refuse) = Some(Refused::Never("too far in the future".to_owned()));
    let running = start(&store, &options(dir.path()), 1);
    running.send(0, 1).await;
    until("the loss is counted", || running.outbox.status().dropped_samples == 1).await;
    *lock(&store.refuse) = None;
    running.send(0, 2).await;
    until("the next is stored", || lock(&store.stored).len() == 1).await;
    running.end().await;
}

#[tokio::test]
async fn a_full_spool_drops_and_tells_by_device() {
    let dir = tempfile::tempdir().unwrap();
    let store = Arc::new(Store::default());
    *lock(&store.refuse) = Some(Refused::Later("no".to_owned()));
    let mut options = options(dir.path());
    options.spool_bytes_max = 16 << 10;
    options.spool_full = SpoolFull::DropOldest;
    let running = start(&store, &options, 1);
    for n in 0..1000 {
        running.send(0, n).await;
    }
    until("all went through the spool", || {
        let status = running.outbox.status();
        status.spooled_samples + status.dropped_samples == 1000
    })
    .await;
    let status = running.outbox.status();
    assert!(status.dropped_samples > 0 && status.spool_bytes <= 16 << 10);
    let key = producer_key(TenantId(1), "88.100/d0");
    let meters = Arc::clone(&lock(&running.outbox.meters)[&key]);
    assert_eq!(meters.dropped.load(Relaxed), status.dropped_samples);
    assert_eq!(meters.spooled.load(Relaxed), 1000);
    *lock(&store.refuse) = None;
    let left = status.spooled_samples as i64;
    until("the rest is stored", || lock(&store.stored).len() as i64 == left).await;
    assert_complete(&store, 1, 1000 - left..1000);
    running.end().await;
}

#[test]
fn producers_are_distinct_and_short_enough() {
    let name = |folded: &str| producer_key(TenantId(1), folded).1;
    assert_eq!(&*name("88.100/plc"), "device:88.100/plc");
    let long = format!("88.100/{}", "反应器".repeat(100));
    let other = format!("{long}2");
    assert_ne!(name(&long), name(&other));
    for folded in [&long, &other] {
        assert!(Producer::new(&name(folded), 1).is_ok());
    }
}

#[tokio::test]
async fn a_receipt_tells_the_worst_of_all_parcels_that_it_is_for() {
    let dir = tempfile::tempdir().unwrap();
    let store = Arc::new(Store::default());
    let mut options = options(dir.path());
    options.spool_bytes_max = 16 << 10;
    options.spool_full = SpoolFull::DropNewest;
    let running = start(&store, &options, 1);
    let lost = |samples| running.outbox.status().dropped_samples == samples;

    *lock(&store.refuse) = Some(Refused::Never("too far in the future".to_owned()));
    running.send_part("history", true, None).await;
    until("the first part is refused", || lost(1)).await;
    *lock(&store.refuse) = None;
    assert_eq!(running.settled("live", false).await, Settled::Stored, "that was of the history");
    assert_eq!(running.settled("history", true).await, Settled::Refused);
    assert_eq!(running.settled("history", true).await, Settled::Stored, "the next begins anew");

    // What is lost may be sent again, whatever became of the other parts.
    *lock(&store.refuse) = Some(Refused::Later("disk full".to_owned()));
    running.send_part(&"x".repeat(32 << 10), false, None).await;
    until("the second loss is counted", || lost(2)).await;
    *lock(&store.refuse) = Some(Refused::Never("too far in the future".to_owned()));
    running.send_part("live", false, None).await;
    until("the third loss is counted", || lost(3)).await;
    *lock(&store.refuse) = Some(Refused::Later("disk full".to_owned()));
    assert_eq!(running.settled("kept", false).await, Settled::Dropped);
    assert_eq!(running.settled("kept", false).await, Settled::Stored);
    running.end().await;
}
