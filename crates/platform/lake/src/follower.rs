//! Following: a round every few minutes, and patience where one fails.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use weir_model::Timestamp;

use crate::LakeError;
use crate::history::History;
use crate::place::{Place, PlaceSettings};
use crate::status::{Phase, Status};
use crate::table::{Table, TableOptions, new_identity};

/// First and longest pause after a round that failed.
const RETRY: (Duration, Duration) = (Duration::from_secs(5), Duration::from_secs(300));

/// How long a round may take to end when it is asked to.
const GRACE: Duration = Duration::from_secs(2);

/// Between two looks for files that nobody needs.
const VACUUM_EVERY: Duration = Duration::from_secs(24 * 3600);

/// What a follower does.
#[derive(Debug, Clone)]
pub struct FollowerOptions {
    /// Where to.
    pub place: PlaceSettings,
    /// How the table is written.
    pub table: TableOptions,
    /// From one round to the next.
    pub every: Duration,
}

/// Brings a table to where the history is, again and again, until `stop`. It never fails: how it is
/// can be seen in `status`.
pub async fn follow(
    options: FollowerOptions,
    history: Arc<dyn History>,
    status: watch::Sender<Status>,
    stop: CancellationToken,
) {
    let mut follower = Follower { options, history, status, stop, table: None, vacuumed: None };
    let mut pause = RETRY.0;
    while !follower.stop.is_cancelled() {
        let Some(round) = follower.round_or_stop().await else { return };
        let wait = match round {
            Ok(()) => {
                pause = RETRY.0;
                follower.options.every
            }
            Err(LakeError::Interrupted) if follower.stop.is_cancelled() => return,
            Err(error) => {
                tracing::warn!(
                    error = crate::status::chain(&error),
                    advice = error.advice(),
                    "the lake is behind"
                );
                follower.status.send_modify(|status| status.fail(&error));
                if !error.is_passing() {
                    return;
                }
                // What was open may not be what is there.
                follower.table = None;
                let wait = jitter(pause);
                pause = (pause * 2).min(RETRY.1);
                wait
            }
        };
        tokio::select! {
            () = tokio::time::sleep(wait) => {}
            () = follower.stop.cancelled() => return,
        }
    }
}

struct Follower {
    options: FollowerOptions,
    history: Arc<dyn History>,
    status: watch::Sender<Status>,
    stop: CancellationToken,
    table: Option<Table>,
    vacuumed: Option<Instant>,
}

impl Follower {
    /// A round; none where it was asked to end and the round did not do so in time. What it leaves
    /// then is what a crash would: the next one goes on from there.
    async fn round_or_stop(&mut self) -> Option<Result<(), LakeError>> {
        let stop = self.stop.clone();
        let round = self.round();
        tokio::pin!(round);
        tokio::select! {
            round = &mut round => Some(round),
            () = stop.cancelled() => tokio::time::timeout(GRACE, round).await.ok(),
        }
    }

    async fn round(&mut self) -> Result<(), LakeError> {
        let table = match &mut self.table {
            Some(table) => table,
            None => {
                let place = self.options.place.clone();
                let place = tokio::task::spawn_blocking(move || Place::open(&place)).await;
                let place = place.map_err(|_| LakeError::Interrupted)??;
                let table = Table::open(place, self.options.table.clone()).await?;
                self.table.insert(table)
            }
        };
        let as_of = (self.options.table.now)();
        let history = Arc::clone(&self.history);
        let state = tokio::task::spawn_blocking(move || history.state()).await;
        let state = state.map_err(|_| LakeError::Interrupted)?.map_err(LakeError::Withheld)?;
        let before = self.status.borrow().clone();
        let sender = &self.status;
        let brought = table
            .bring(&state, &self.stop, &mut |brought| {
                sender.send_modify(|status| {
                    status.phase = Phase::Copying;
                    status.count(&before, brought);
                });
            })
            .await?;
        let (contents, position) = (table.contents(), table.position());
        let committed = table.committed();
        self.status.send_modify(|status| {
            status.count(&before, &brought);
            status.phase = Phase::Following;
            status.contents = contents;
            status.position = position;
            status.committed = committed;
            // A month that waits is a part of the history that the table has not.
            if brought.waiting.is_empty() {
                status.as_of = Some(as_of);
            }
            status.waiting = brought.waiting.clone();
            (status.error, status.advice) = (None, None);
        });
        if self.vacuumed.is_none_or(|at| at.elapsed() > VACUUM_EVERY) {
            let deleted = table.vacuum().await?;
            if deleted > 0 {
                tracing::info!(deleted, "files that the lake's table had replaced were deleted");
            }
            self.vacuumed = Some(Instant::now());
        }
        Ok(())
    }
}

/// Brings a table to where the history is, once.
///
/// # Errors
/// [`LakeError`]; what was committed by then stays, and the next attempt goes on from there.
pub async fn export(
    place: &PlaceSettings,
    options: TableOptions,
    history: Arc<dyn History>,
    stop: &CancellationToken,
    watch: &mut (dyn FnMut(&crate::Brought) + Send),
) -> Result<(crate::Brought, crate::TableContents), LakeError> {
    let mut table = Table::open(Place::open(place)?, options).await?;
    let state = tokio::task::spawn_blocking(move || history.state()).await;
    let state = state.map_err(|_| LakeError::Interrupted)?.map_err(LakeError::Withheld)?;
    let brought = table.bring(&state, stop, watch).await?;
    Ok((brought, table.contents()))
}

/// Half of a pause to all of it, at random, so that nodes that lost one store do not all come back
/// at once.
fn jitter(pause: Duration) -> Duration {
    let mut bytes = [0; 4];
    // Without randomness the whole pause will do.
    let share = getrandom::fill(&mut bytes).map_or(u32::MAX, |()| u32::from_le_bytes(bytes));
    pause.mul_f64(0.5 + 0.5 * f64::from(share) / f64::from(u32::MAX))
}

/// The identity of the node that a folder belongs to: made when it is asked for first, and the same
/// ever after. A table belongs to one identity.
///
/// # Errors
/// What the operating system says.
pub fn identity(dir: &Path) -> io::Result<String> {
    let path = dir.join("identity");
    match std::fs::read_to_string(&path) {
        Ok(text) if is_identity(text.trim()) => return Ok(text.trim().to_owned()),
        Ok(_) => {
            let reason = format!("{} is damaged: it has no 32 hexadecimal digits", path.display());
            return Err(io::Error::new(io::ErrorKind::InvalidData, reason));
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    std::fs::create_dir_all(dir)?;
    let identity = new_identity();
    let draft = dir.join("identity.tmp");
    {
        let mut file = std::fs::File::create(&draft)?;
        io::Write::write_all(&mut file, identity.as_bytes())?;
        file.sync_all()?;
    }
    std::fs::rename(&draft, &path)?;
    std::fs::File::open(dir)?.sync_all()?;
    Ok(identity)
}

fn is_identity(text: &str) -> bool {
    text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// How long ago the table had all of the history, in seconds; none where it never had since the
/// start.
pub fn behind_s(status: &Status, now: Timestamp) -> Option<f64> {
    let nanos = now.nanos().saturating_sub(status.as_of?.nanos());
    Some(nanos.max(0) as f64 / 1e9)
}

#[cfg(test)]
mod tests {
    #[test]
    fn an_identity_stays() {
        let dir = tempfile::tempdir().unwrap();
        let first = super::identity(dir.path()).unwrap();
        assert_eq!(super::identity(dir.path()).unwrap(), first);
        std::fs::write(dir.path().join("identity"), "x").unwrap();
        assert!(super::identity(dir.path()).is_err());
    }
}
