//! What the server reports: publish requests that wait at the server, and their answers.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use futures::StreamExt;
use futures::stream::FuturesUnordered;
use opcua::client::services::Publish;
use opcua::client::{Session, UARequest};
use opcua::types::{
    DataChangeNotification, DataValue, Error, PublishResponse, StatusChangeNotification,
    StatusCode, SubscriptionAcknowledgement,
};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use weir_connect::ErrorKind;
use weir_model::Timestamp;

use crate::link::Pulse;
use crate::status::{Failure, plain, told};

/// Most reports that wait to be collected. Beyond, no more are asked for, and the server's own queues fill.
const REPORTS_MAX: usize = 16;

/// Most publish requests that wait at the server; two for each subscription suffice.
const PUBLISHES_MAX: usize = 16;

/// A value of a point, as the server reported it.
#[derive(Debug)]
pub(super) struct Change {
    pub(super) handle: u32,
    pub(super) value: DataValue,
    pub(super) arrival: Timestamp,
}

type Report = VecDeque<Change>;

/// What publishing needs to know of the subscriptions.
#[derive(Debug, Default)]
struct Shared {
    subscriptions: AtomicUsize,
    /// The longest that a server without news may be silent, in milliseconds.
    silence_ms: AtomicU64,
}

/// The reports of a session.
pub(super) struct Reports {
    sender: mpsc::Sender<Report>,
    receiver: mpsc::Receiver<Report>,
    next: Option<Report>,
    shared: Arc<Shared>,
    pulse: Arc<Pulse>,
    task: Option<JoinHandle<()>>,
}

impl Reports {
    pub(super) fn new(pulse: Arc<Pulse>) -> Self {
        let (sender, receiver) = mpsc::channel(REPORTS_MAX);
        Self { sender, receiver, next: None, shared: Arc::default(), pulse, task: None }
    }

    /// Asks for the reports of one more subscription, whose server may be silent for so long.
    pub(super) fn expect(&mut self, session: &Arc<Session>, silence: Duration, time: Duration) {
        let silence_ms = u64::try_from(silence.as_millis()).unwrap_or(u64::MAX);
        self.shared.silence_ms.fetch_max(silence_ms, Relaxed);
        self.shared.subscriptions.fetch_add(1, Relaxed);
        if self.task.is_none() {
            let publisher = Publisher {
                session: Arc::clone(session),
                shared: Arc::clone(&self.shared),
                pulse: Arc::clone(&self.pulse),
                reports: self.sender.clone(),
                time,
            };
            self.task = Some(tokio::spawn(publisher.run()));
        }
    }

    /// Waits for a report without taking it; may be dropped at any time.
    pub(super) async fn arrive(&mut self) {
        if self.next.is_none() {
            self.next = self.receiver.recv().await;
        }
    }

    pub(super) fn take(&mut self) -> Option<Report> {
        self.next.take().or_else(|| self.receiver.try_recv().ok())
    }

    pub(super) fn is_waiting(&self) -> bool {
        self.next.is_some() || !self.receiver.is_empty()
    }
}

impl Drop for Reports {
    fn drop(&mut self) {
        if let Some(task) = &self.task {
            task.abort();
        }
    }
}

struct Publisher {
    session: Arc<Session>,
    shared: Arc<Shared>,
    pulse: Arc<Pulse>,
    reports: mpsc::Sender<Report>,
    time: Duration,
}

impl Publisher {
    async fn run(self) {
        if let Err(failure) = self.publish().await {
            self.pulse.end(failure);
        }
    }

    /// Keeps requests waiting at the server. What it reports is acknowledged once it waits to be collected; were
    /// it lost after that, then with the whole program, and the server's history would have to help.
    async fn publish(&self) -> Result<(), Failure> {
        let mut waiting = FuturesUnordered::new();
        let mut acknowledged = Vec::new();
        let mut limit = PUBLISHES_MAX;
        loop {
            let wanted = (2 * self.shared.subscriptions.load(Relaxed)).clamp(1, limit);
            while waiting.len() < wanted {
                waiting.push(self.ask(std::mem::take(&mut acknowledged), wanted));
            }
            match waiting.next().await {
                Some(Ok(response)) => self.accept(response, &mut acknowledged).await?,
                Some(Err(error))
                    if plain(error.status()) == StatusCode::BadTooManyPublishRequests =>
                {
                    limit = waiting.len().max(1);
                }
                Some(Err(error)) => {
                    let failure = Failure::of("the server no longer reports", &error);
                    let kind = if failure.kind.ends_session() {
                        failure.kind
                    } else {
                        ErrorKind::Disconnected
                    };
                    return Err(Failure { kind, ..failure });
                }
                None => {}
            }
        }
    }

    async fn ask(
        &self,
        acknowledgements: Vec<SubscriptionAcknowledgement>,
        wanted: usize,
    ) -> Result<PublishResponse, Error> {
        let silence = Duration::from_millis(self.shared.silence_ms.load(Relaxed));
        // A request waits behind the others that lie at the server.
        let turns = u32::try_from(wanted).unwrap_or(1) + 1;
        let time = silence.saturating_mul(turns) + self.time;
        let request = Publish::new(&self.session).acks(acknowledgements).timeout(time);
        request.send(self.session.channel()).await
    }

    async fn accept(
        &self,
        response: PublishResponse,
        acknowledged: &mut Vec<SubscriptionAcknowledgement>,
    ) -> Result<(), Failure> {
        let arrival = self.pulse.now();
        let message = response.notification_message;
        let notifications = message.notification_data.unwrap_or_default();
        if !notifications.is_empty() {
            let subscription_id = response.subscription_id;
            let sequence_number = message.sequence_number;
            acknowledged.push(SubscriptionAcknowledgement { subscription_id, sequence_number });
        }
        let mut report = Report::new();
        for notification in notifications {
            if let Some(ended) = notification.inner_as::<StatusChangeNotification>() {
                let cause =
                    format!("the server has ended the subscription: {}", told(ended.status));
                return Err(Failure::new(ErrorKind::Disconnected, cause));
            }
            let Some(changes) = notification.into_inner_as::<DataChangeNotification>() else {
                continue;
            };
            let items = changes.monitored_items.unwrap_or_default();
            report.extend(items.into_iter().map(|item| Change {
                handle: item.client_handle,
                value: item.value,
                arrival,
            }));
        }
        // An empty one is a sign of life. It is worth telling too, but not worth waiting for.
        if report.is_empty() {
            let _ = self.reports.try_send(report);
        } else if self.reports.send(report).await.is_err() {
            return Err(Failure::new(
                ErrorKind::Disconnected,
                "nobody collects what the server reports",
            ));
        }
        Ok(())
    }
}
