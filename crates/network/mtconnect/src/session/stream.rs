//! A stream that is open: parts as they arrive, and the silence between them.

use std::time::Duration;

use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use tokio::time::{Instant, timeout_at};

use crate::http::{Connection, Opened};
use crate::multipart::Multipart;

/// A stream that is open.
pub(crate) struct Streaming {
    body: Incoming,
    _connection: Connection,
    pub(super) opened: Instant,
    parts: Multipart,
    /// How many parts have arrived, the end among them.
    pub(super) parts_read: u64,
    arrived: Option<Arrived>,
    /// The longest that a part may take: heartbeat and time-out.
    pub(super) patience: Duration,
    deadline: Instant,
}

pub(super) enum Arrived {
    Part(Bytes),
    Ended,
    Late,
    Broken(String),
}

impl Streaming {
    pub(super) fn new(opened: Opened, boundary: &str, patience: Duration) -> Self {
        Self {
            body: opened.body,
            _connection: opened.connection,
            opened: Instant::now(),
            parts: Multipart::new(boundary),
            parts_read: 0,
            arrived: None,
            patience,
            deadline: Instant::now() + patience,
        }
    }

    /// Waits for a part, or for the end. What has arrived is kept where this is dropped.
    pub(super) async fn wait(&mut self) {
        while self.arrived.is_none() {
            match self.parts.next() {
                Ok(Some(part)) => self.arrived = Some(Arrived::Part(part.into())),
                Ok(None) if self.parts.is_ended() => self.arrived = Some(Arrived::Ended),
                Ok(None) => match timeout_at(self.deadline, self.body.frame()).await {
                    Ok(Some(Ok(frame))) => {
                        if let Some(bytes) = frame.data_ref() {
                            self.parts.push(bytes);
                        }
                    }
                    Ok(Some(Err(_)) | None) => self.arrived = Some(Arrived::Ended),
                    Err(_) => self.arrived = Some(Arrived::Late),
                },
                Err(error) => self.arrived = Some(Arrived::Broken(error.to_string())),
            }
        }
    }

    pub(super) fn take(&mut self) -> Option<Arrived> {
        let arrived = self.arrived.take()?;
        self.deadline = Instant::now() + self.patience;
        self.parts_read += 1;
        Some(arrived)
    }
}
