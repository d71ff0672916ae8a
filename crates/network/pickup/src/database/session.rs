//! A query that is asked again and again, and how far its rows were read.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures::TryStreamExt;
use serde::{Deserialize, Serialize};
use tokio::task::spawn_blocking;
use tokio::time::{Instant, sleep_until};
use tokio_postgres::Row;
use weir_connect::dial::Lookups;
use weir_connect::{
    Circumstances, Clock, Collected, DeviceSpec, DriverError, ErrorKind, RawWrite, Reading, Session,
};
use weir_model::{DataType, Quality, Timestamp, Value};

use super::connection::{Connection, connect, within};
use super::query::{Columns, Shape, Text, complete, described};
use super::settings::Settings;
use crate::memory::Memory;
use crate::settlement::Underway;
use crate::table::{Matcher, PointAddress};
use crate::{FUTURE_MAX, LATE, cell};

/// Readings that one collect hands over, about.
const READINGS_MAX: usize = 2000;

/// Readings of one page, about: so many wait in memory.
const PAGE_READINGS_MAX: usize = 50_000;

/// Bytes of the rows of one page: so many are kept in memory.
const PAGE_BYTES_MAX: usize = 32 * 1024 * 1024;

/// Most rows with one value of the cursor. More cannot be read without losing some.
const TIED_MAX: usize = 100_000;

/// Rows that are looked at for the newest value of each point.
const NEWEST_ROWS: usize = 1000;

/// Rows that could not be stored are asked for again after this.
const RETRY: Duration = Duration::from_secs(1);

/// What the file of a device keeps. A version that is not known is as good as none.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Progress {
    version: u32,
    cursor_column: String,
    /// Another start in the settings means to begin again there.
    cursor_start: String,
    cursor: String,
}

const VERSION: u32 = 1;

pub(crate) struct SqlSession {
    spec: Arc<DeviceSpec>,
    clock: Arc<dyn Clock>,
    settings: Settings,
    connection: Connection,
    shape: Shape,
    columns: Columns,
    matcher: Matcher,
    types: Vec<DataType>,
    memory: Memory,
    progress: Progress,
    parts: VecDeque<(Vec<Reading>, bool)>,
    underway: Underway,
    /// Where it goes on once what is underway is stored, and whether more waits there.
    reached: Option<(String, bool)>,
    next_poll: Instant,
    bad_rows: u64,
    last_bad: Option<String>,
    is_missing_told: bool,
}

impl SqlSession {
    pub(crate) async fn connect(
        spec: Arc<DeviceSpec>,
        circumstances: Circumstances,
        settings: Settings,
        addresses: Vec<PointAddress>,
        memory: Memory,
        lookups: &Lookups,
    ) -> Result<Self, DriverError> {
        let (server, label) = (&settings.server, spec.label());
        let connection = connect(server, lookups, &label).await?;
        let wrong = |cause: String| {
            DriverError::new(ErrorKind::Misconfigured, label.clone(), server.place(), cause)
        };
        let query = described(&settings);
        let statement = within(server, &label, connection.client.prepare(&query)).await?;
        let shape = Shape::new(&statement).map_err(wrong)?;
        let columns = Columns::new(&settings, &addresses, &shape).map_err(wrong)?;
        let matcher = Matcher::new(&addresses, Some(&shape.names));
        let kept = memory.clone();
        let kept = match spawn_blocking(move || kept.load::<Progress>()).await {
            Ok(Ok(kept)) => kept,
            Ok(Err(error)) => {
                let cause = format!(
                    "could not read how far it came from {}: {error}",
                    memory.path().display()
                );
                return Err(DriverError::new(ErrorKind::Unreachable, label, "", cause));
            }
            Err(_) => None,
        };
        let fresh = Progress {
            version: VERSION,
            cursor_column: settings.cursor_column.clone(),
            cursor_start: settings.cursor_start.clone(),
            cursor: settings.cursor_start.clone(),
        };
        let is_same = |kept: &Progress| {
            let of = |p: &Progress| (p.version, p.cursor_column.clone(), p.cursor_start.clone());
            of(kept) == of(&fresh)
        };
        let progress = kept.filter(is_same).unwrap_or(fresh);
        Ok(Self {
            types: spec.points.iter().map(|point| point.data_type).collect(),
            spec,
            clock: circumstances.clock,
            settings,
            connection,
            shape,
            columns,
            matcher,
            memory,
            progress,
            parts: VecDeque::new(),
            underway: Underway::default(),
            reached: None,
            next_poll: Instant::now(),
            bad_rows: 0,
            last_bad: None,
            is_missing_told: false,
        })
    }

    /// Asks in a transaction that cannot write. Says besides whether rows were left out because there
    /// were too many bytes of them.
    async fn ask(&mut self, query: &str, cursor: &str) -> Result<(Vec<Row>, bool), DriverError> {
        let client = &mut self.connection.client;
        let asking = async {
            let transaction = client.build_transaction().read_only(true).start().await?;
            let stream = transaction.query_raw(query, [Text(cursor)]).await?;
            let mut stream = std::pin::pin!(stream);
            let (mut rows, mut bytes, mut is_cut) = (Vec::new(), 0, false);
            while let Some(row) = stream.try_next().await? {
                bytes += row.raw_size_bytes();
                if !is_cut {
                    rows.push(row);
                }
                // What comes behind is let go by, for the sake of the connection.
                is_cut = bytes > PAGE_BYTES_MAX;
            }
            transaction.commit().await?;
            Ok((rows, is_cut))
        };
        within(&self.settings.server, &self.spec.label(), asking).await
    }

    /// Asks for what comes behind the cursor.
    async fn poll(&mut self) -> Result<u32, DriverError> {
        let now = Instant::now();
        let late = now.saturating_duration_since(self.next_poll);
        let skipped = late.as_nanos() / self.settings.poll.as_nanos().max(1);
        let skipped = u32::try_from(skipped).unwrap_or(u32::MAX);
        self.next_poll += self.settings.poll.saturating_mul(skipped.saturating_add(1));
        let per_row = self.matcher.points_per_row().max(1);
        let rows_max = usize::try_from(self.settings.rows_max).unwrap_or(usize::MAX);
        let mut limit = rows_max.min(PAGE_READINGS_MAX / per_row).max(1);
        let cursor = self.progress.cursor.clone();
        let rows = loop {
            let query = self.columns.page(&self.settings, &self.shape, limit + 1, false);
            let (mut rows, is_too_large) = self.ask(&query, &cursor).await?;
            let is_more = is_too_large || rows.len() > limit;
            let unsettled = self.unsettled(&rows);
            // The first row that is not taken is looked at, to leave out those that share its cursor.
            let seen = unsettled.map_or(rows.len(), |at| at + 1);
            let cursors: Vec<&str> = rows
                .iter()
                .take(seen)
                .map(|row| self.columns.cursor(row).unwrap_or_default())
                .collect();
            match complete(&cursors, is_more || unsettled.is_some()) {
                None if unsettled.is_some() => break Vec::new(),
                Some(count) => {
                    let last = count.checked_sub(1).and_then(|at| cursors.get(at));
                    let goes_on = is_more && unsettled.is_none();
                    self.reached = last.map(|cursor| ((*cursor).to_owned(), goes_on));
                    rows.truncate(count);
                    break rows;
                }
                None if limit < TIED_MAX && !is_too_large => limit = (2 * limit).min(TIED_MAX),
                None => {
                    let column = &self.settings.cursor_column;
                    let cause = format!(
                        "too many rows have the same {column} (more than {TIED_MAX}, or {PAGE_BYTES_MAX} bytes); choose a column whose values differ"
                    );
                    let (label, place) = (self.spec.label(), self.settings.server.place());
                    return Err(DriverError::new(ErrorKind::Rejected, label, place, cause));
                }
            }
        };
        self.take(&rows);
        if self.parts.is_empty() && self.reached.is_some() {
            self.move_on().await;
        }
        Ok(skipped)
    }

    /// The first row that is too young to be taken.
    fn unsettled(&self, rows: &[Row]) -> Option<usize> {
        if self.settings.settle.is_zero() {
            return None;
        }
        let settle = i64::try_from(self.settings.settle.as_nanos()).unwrap_or(i64::MAX);
        let youngest = self.clock.now().saturating_add(-settle);
        let time = |row: &Row| {
            let cell = self.columns.cell(row, self.columns.time?)?;
            self.settings.moments.read(cell).ok()
        };
        rows.iter().position(|row| time(row).is_some_and(|time| time > youngest))
    }

    /// Cuts rows into parts to be handed over.
    fn take(&mut self, rows: &[Row]) {
        let now = self.clock.now();
        let (mut late, mut live) = (Vec::new(), Vec::new());
        if !self.is_missing_told {
            self.is_missing_told = true;
            for (point, column) in &self.matcher.missing {
                let cause = format!("the query gives no {}", column.shown());
                live.push(Reading::fault(*point, now, Quality::CONFIGURATION_ERROR, cause));
            }
        }
        for row in rows {
            let readings = match self.row(row, now) {
                Ok((readings, wrong)) => {
                    if let Some(cause) = wrong {
                        self.tell_bad(row, &cause);
                    }
                    readings
                }
                Err(cause) => {
                    self.tell_bad(row, &cause);
                    continue;
                }
            };
            let is_late = readings.first().is_some_and(|r| r.time < now.saturating_add(-LATE));
            let part = if is_late { &mut late } else { &mut live };
            part.extend(readings);
            if part.len() >= READINGS_MAX {
                self.parts.push_back((std::mem::take(part), is_late));
            }
        }
        let rest = [(late, true), (live, false)];
        self.parts.extend(rest.into_iter().filter(|(readings, _)| !readings.is_empty()));
    }

    /// The readings of one row, and what was wrong with single cells.
    fn row(&self, row: &Row, now: Timestamp) -> Result<(Vec<Reading>, Option<String>), String> {
        let time = match self.columns.time {
            None => now,
            Some(at) => {
                let cell = self.columns.cell(row, at).ok_or("its time is NULL")?;
                self.settings.moments.read(cell)?
            }
        };
        if time > now.saturating_add(FUTURE_MAX) {
            return Err(format!("its time {time} lies in the future; is the time zone right?"));
        }
        let mut readings = Vec::new();
        let mut wrong = None;
        self.matcher.each(
            |at| self.columns.cell(row, at),
            |point, at| {
                // NULL is no value, as an empty cell is.
                let Some(cell) = self.columns.cell(row, at) else { return };
                let Some(to) = self.types.get(point) else { return };
                match cell::value(cell, *to, false) {
                    Ok(None) => {}
                    Ok(Some(value)) => readings.push(Reading::good(point, time, value)),
                    Err(cause) => {
                        let name = self.shape.names.get(at).map_or("", String::as_str);
                        let cause = format!("column {name}: {cause}");
                        readings.push(Reading::fault(point, time, Quality::BAD, cause.clone()));
                        wrong.get_or_insert(cause);
                    }
                }
            },
        );
        Ok((readings, wrong))
    }

    fn tell_bad(&mut self, row: &Row, cause: &str) {
        self.bad_rows = self.bad_rows.saturating_add(1);
        let cursor = self.columns.cursor(row).unwrap_or_default();
        let told = format!("row {} = {cursor}: {cause}", self.settings.cursor_column);
        if self.last_bad.is_none() {
            tracing::warn!(
                device = self.spec.label(),
                told,
                "a row could not be read; further ones are counted"
            );
        }
        self.last_bad = Some(told);
    }

    /// What was underway is stored: the next page begins behind it.
    async fn move_on(&mut self) {
        let Some((cursor, is_more)) = self.reached.take() else { return };
        if is_more {
            self.next_poll = Instant::now();
        }
        if self.progress.cursor == cursor {
            return;
        }
        self.progress.cursor = cursor;
        let (memory, progress) = (self.memory.clone(), self.progress.clone());
        let saved = spawn_blocking(move || memory.store(&progress)).await;
        // Rows are then read again after a restart, which stores nothing twice; so it is no reason to stop.
        if let Ok(Err(error)) = saved {
            let told = format!(
                "could not write down how far it came in {}: {error}",
                self.memory.path().display()
            );
            tracing::warn!(device = self.spec.label(), told, "progress is not durable");
            self.last_bad = Some(told);
        }
    }

    /// Hands over what waits, with a receipt to give back when it is on disk.
    fn hand_over(&mut self, requests: u32) -> Collected {
        let Some((readings, backfill)) = self.parts.pop_front() else {
            return Collected { requests, ..Collected::default() };
        };
        Collected {
            readings,
            requests,
            backfill,
            more: !self.parts.is_empty(),
            receipt: Some(self.underway.add()),
            ..Collected::default()
        }
    }
}

#[async_trait]
impl Session for SqlSession {
    fn peer(&self) -> String {
        let place = self.settings.server.place();
        match (&self.last_bad, self.bad_rows) {
            (None, _) => place,
            (Some(last), 0) => format!("{place}; {last}"),
            (Some(last), bad) => format!("{place}; {bad} bad rows, the last: {last}"),
        }
    }

    async fn due(&mut self) {
        if !self.parts.is_empty() {
            return;
        }
        if !self.underway.is_empty() {
            return self.underway.wait().await;
        }
        sleep_until(self.next_poll).await;
    }

    async fn collect(&mut self) -> Result<Collected, DriverError> {
        if !self.parts.is_empty() {
            return Ok(self.hand_over(0));
        }
        if !self.underway.is_empty() {
            match self.underway.finish() {
                None => return Ok(Collected::default()),
                Some(true) => self.move_on().await,
                Some(false) => {
                    self.reached = None;
                    self.next_poll = Instant::now() + RETRY;
                    return Ok(Collected::default());
                }
            }
        }
        if Instant::now() < self.next_poll {
            return Ok(Collected::default());
        }
        let since = Instant::now();
        let missed = self.poll().await?;
        let latency = since.elapsed();
        Ok(Collected { missed, latency, ..self.hand_over(1) })
    }

    async fn read(&mut self, points: &[usize]) -> Result<Vec<Reading>, DriverError> {
        let query = self.columns.page(&self.settings, &self.shape, NEWEST_ROWS, true);
        let start = self.settings.cursor_start.clone();
        let (rows, _) = self.ask(&query, &start).await?;
        let now = self.clock.now();
        let mut last: HashMap<usize, Reading> = HashMap::new();
        let mut wrong = None;
        for row in &rows {
            match self.row(row, now) {
                Ok((readings, _)) => readings.into_iter().for_each(|reading| {
                    last.entry(reading.point).or_insert(reading);
                }),
                Err(cause) => {
                    wrong.get_or_insert(cause);
                }
            }
        }
        let missing = |point: usize| {
            let column = self.matcher.missing.iter().find(|(p, _)| *p == point).map(|(_, c)| c);
            match (column, &wrong) {
                (Some(column), _) => {
                    let cause = format!("the query gives no {}", column.shown());
                    Reading::fault(point, now, Quality::CONFIGURATION_ERROR, cause)
                }
                (None, Some(cause)) => Reading::fault(point, now, Quality::BAD, cause.clone()),
                (None, None) => {
                    let cause = format!("none of the newest {NEWEST_ROWS} rows has a value of it");
                    Reading::fault(point, now, Quality::WAITING, cause)
                }
            }
        };
        Ok(points.iter().map(|p| last.remove(p).unwrap_or_else(|| missing(*p))).collect())
    }

    async fn write(&mut self, _: usize, _: &Value) -> Result<RawWrite, DriverError> {
        let (device, place) = (self.spec.label(), self.settings.server.place());
        Err(DriverError::new(ErrorKind::Unsupported, device, place, "the query only reads"))
    }
}
