//! Answers that may be long: written piece by piece by a task of their own, for readers who may be slow.
//!
//! What is small ([`SMALL_BYTES`]) is sent as a whole and bounded by nothing here. Beyond that an answer
//! takes its memory from a bound that all of them share ([`Room`]), and ends, cut, when its reader takes
//! nothing for [`STALL`], when its caller is no longer what it was, when the node stops and when a piece
//! cannot be made. One that is cut ends with an error and never as if it were whole. It is no buffer: one
//! part of [`PART_BYTES`] waits for the reader, the next piece is made when that is taken.

use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::response::{IntoResponse, Response};
use futures::{Stream, StreamExt, stream};
use http::{HeaderValue, header};
use tokio::sync::{OwnedSemaphorePermit, mpsc};
use weir_model::ProblemCode;

use crate::door::Visit;
use crate::failure::Failure;
use crate::state::{ANSWER_PERMIT_BYTES, ApiState};

/// Bytes up to which an answer is gathered and sent at once: a chart of some thousand points.
const SMALL_BYTES: usize = 256 << 10;

/// What a long answer counts for at the least: a page of samples or rows, and what is written of it.
const PAGE_BYTES: usize = 4 << 20;

/// Bytes that are handed over at one time.
const PART_BYTES: usize = 64 << 10;

/// How long a reader may take for a part: 2 KiB a second are read by any line.
const STALL: Duration = Duration::from_secs(30);

/// Memory for a long answer, given back on drop.
#[derive(Debug, Default)]
pub(crate) struct Room(Option<OwnedSemaphorePermit>);

impl Room {
    /// Room for so many bytes; nothing is taken for what is small.
    ///
    /// # Errors
    /// A problem where other answers have it by now.
    pub(crate) fn of(state: &ApiState, bytes: usize) -> Result<Self, Failure> {
        match bytes <= SMALL_BYTES {
            true => Ok(Self::default()),
            false => Self::take(state, bytes),
        }
    }

    fn take(state: &ApiState, bytes: usize) -> Result<Self, Failure> {
        let permits = bytes.max(PAGE_BYTES).div_ceil(ANSWER_PERMIT_BYTES);
        let permits = u32::try_from(permits).unwrap_or(u32::MAX);
        let Ok(permit) = Arc::clone(&state.answers).try_acquire_many_owned(permits) else {
            let detail = "Too many long answers are being read; ask for less, or again soon.";
            return Err(Failure::unavailable(detail));
        };
        Ok(Self(Some(permit)))
    }
}

/// Answers with pieces of a media type. The first ones are made at once, so that what cannot be read is
/// a problem and no answer that is cut.
///
/// # Errors
/// The failure of one of the first pieces; a problem where there is no room for a long answer.
pub(crate) async fn answer(
    visit: &Visit,
    kind: &'static str,
    room: Room,
    pieces: impl Stream<Item = Result<Bytes, Failure>> + Send + 'static,
) -> Result<Response, Failure> {
    let mut pieces = Box::pin(pieces);
    let (mut ready, mut bytes) = (Vec::new(), 0);
    while bytes <= SMALL_BYTES {
        let Some(piece) = pieces.next().await.transpose()? else {
            return Ok(of_kind(kind, Body::from(ready.concat())));
        };
        bytes += piece.len();
        ready.push(piece);
    }
    let room = match room {
        Room(None) => Room::take(visit.state(), PAGE_BYTES)?,
        taken => taken,
    };
    let (sender, receiver) = mpsc::channel(1);
    let pieces = stream::iter(ready.into_iter().map(Ok)).chain(pieces);
    let ended = visit.ended();
    tokio::spawn(async move {
        write(sender, pieces, ended, STALL).await;
        drop(room);
    });
    Ok(of_kind(kind, body(receiver)))
}

/// Pieces with what stands before and behind them.
pub(crate) fn between(
    head: impl Into<Bytes>,
    pieces: impl Stream<Item = Result<Bytes, Failure>> + Send + 'static,
    tail: impl Into<Bytes>,
) -> impl Stream<Item = Result<Bytes, Failure>> + Send + 'static {
    let end = |bytes| stream::iter([Ok(bytes)]);
    end(head.into()).chain(pieces).chain(end(tail.into()))
}

fn of_kind(kind: &'static str, body: Body) -> Response {
    ([(header::CONTENT_TYPE, HeaderValue::from_static(kind))], body).into_response()
}

/// A part of an answer; none is its end, without which it is cut.
type Part = Option<Bytes>;

/// Hands pieces over until the last, the end of the reader, or what cuts the answer.
async fn write(
    sender: mpsc::Sender<Part>,
    pieces: impl Stream<Item = Result<Bytes, Failure>> + Send,
    ended: impl Future<Output = Failure> + Send,
    stall: Duration,
) {
    let failure = tokio::select! {
        biased;
        () = sender.closed() => return,
        failure = ended => failure,
        sent = send(&sender, pieces, stall) => match sent {
            Ok(()) => return,
            Err(failure) => failure,
        },
    };
    tracing::warn!(detail = %failure.problem.detail, "an answer was cut");
}

async fn send(
    sender: &mpsc::Sender<Part>,
    pieces: impl Stream<Item = Result<Bytes, Failure>> + Send,
    stall: Duration,
) -> Result<(), Failure> {
    let mut pieces = pin!(pieces);
    while let Some(mut piece) = pieces.next().await.transpose()? {
        while !piece.is_empty() {
            let part = piece.split_to(piece.len().min(PART_BYTES));
            hand_over(sender, Some(part), stall).await?;
        }
    }
    hand_over(sender, None, stall).await
}

async fn hand_over(
    sender: &mpsc::Sender<Part>,
    part: Part,
    stall: Duration,
) -> Result<(), Failure> {
    let sent = tokio::time::timeout(stall, sender.send(part)).await;
    // A reader that is gone is found by whoever waits for that.
    sent.map(|_| ()).map_err(|_| {
        let detail = format!("Nothing of the answer was read for {} s.", stall.as_secs());
        Failure::new(ProblemCode::Timeout, detail)
    })
}

fn body(receiver: mpsc::Receiver<Part>) -> Body {
    Body::from_stream(stream::unfold(Some(receiver), |receiver| async move {
        let mut receiver = receiver?;
        match receiver.recv().await {
            Some(Some(part)) => Some((Ok(part), Some(receiver))),
            Some(None) => None,
            None => Some((Err(io::Error::other("the answer was cut")), None)),
        }
    }))
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use http_body_util::BodyExt;
    use tokio::sync::{Semaphore, oneshot};

    use super::*;

    const LONG: Duration = Duration::from_secs(3600);

    fn piece() -> Result<Bytes, Failure> {
        Ok(Bytes::from(vec![7; PART_BYTES + 1]))
    }

    #[tokio::test]
    async fn pieces_come_in_parts_and_to_an_end() {
        let (sender, receiver) = mpsc::channel(1);
        let pieces = stream::iter([piece(), Ok(Bytes::new()), piece()]);
        tokio::spawn(write(sender, pieces, pending(), LONG));
        let mut body = body(receiver);
        let mut sizes = Vec::new();
        while let Some(frame) = body.frame().await {
            sizes.push(frame.unwrap().into_data().unwrap().len());
        }
        assert_eq!(sizes, [PART_BYTES, 1, PART_BYTES, 1]);
    }

    #[tokio::test]
    async fn a_reader_that_stalls_gives_back_what_it_held() {
        let room = Arc::new(Semaphore::new(1));
        let held = Arc::clone(&room).try_acquire_owned().unwrap();
        let (sender, receiver) = mpsc::channel(1);
        let pieces = stream::repeat_with(move || {
            let _ = &held;
            piece()
        });
        tokio::spawn(write(sender, pieces, pending(), Duration::from_millis(1)));
        // Nothing is read, and it ends by itself.
        let _ = room.acquire().await.unwrap();
        let cut = body(receiver).collect().await.unwrap_err();
        assert!(cut.to_string().contains("cut"), "{cut}");
    }

    #[tokio::test]
    async fn who_is_gone_and_who_may_no_more_end_it() {
        for by_revocation in [true, false] {
            let (sender, receiver) = mpsc::channel(1);
            let (revoke, revoked) = oneshot::channel::<()>();
            let ended = async move {
                match revoked.await {
                    Ok(()) => Failure::unavailable("over"),
                    Err(_) => pending().await,
                }
            };
            let task = tokio::spawn(write(sender, stream::repeat_with(piece), ended, LONG));
            let mut body = body(receiver);
            body.frame().await.unwrap().unwrap();
            if by_revocation {
                revoke.send(()).unwrap();
                assert!(body.collect().await.is_err());
            } else {
                drop(body);
            }
            task.await.unwrap();
        }
    }

    #[tokio::test]
    async fn a_piece_that_cannot_be_made_cuts_it() {
        let (sender, receiver) = mpsc::channel(1);
        let pieces = stream::iter([piece(), Err(Failure::unavailable("no more"))]);
        tokio::spawn(write(sender, pieces, pending(), LONG));
        assert!(body(receiver).collect().await.is_err());
    }
}
