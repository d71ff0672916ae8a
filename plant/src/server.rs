//! One port of the plant: Modbus TCP for one device, or for several units as behind a gateway.
//!
//! The frames are read by [`crate::frame`] and not by `tokio-modbus`: its server's decoder
//! multiplies the register count of function 16 in 16 bits and indexes by the coil count of
//! function 15 before checking them, so that a stranger's bytes would panic the task.

use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;

use crate::accept::accept;
use crate::connections::Place;
use crate::devices::{Controller, Source};
use crate::frame::{self, Exception, HEADER_BYTES, Header, PDU_BYTES_MAX, Request};
use crate::image::Change;
use crate::replay::Replay;

/// A client that asks for nothing for so long has gone.
const IDLE_MAX: Duration = Duration::from_secs(120);

/// A frame that has begun arrives, and an answer leaves, within this time.
const FRAME_MAX: Duration = Duration::from_secs(5);

/// The devices behind one port.
pub(crate) struct Port {
    pub(crate) controllers: Vec<Arc<Controller>>,
    pub(crate) replay: Arc<Replay>,
}

impl Port {
    /// Serves until `stop` is cancelled.
    pub(crate) async fn serve(self: Arc<Self>, listener: TcpListener, stop: CancellationToken) {
        accept(listener, stop, |stream, place| {
            let port = Arc::clone(&self);
            async move { port.connection(stream, &place).await }
        })
        .await;
    }

    async fn connection(&self, mut stream: TcpStream, place: &Place) {
        // Answers are small and waited for.
        if stream.set_nodelay(true).is_err() {
            return;
        }
        while self.exchange(&mut stream, place).await.is_some() {}
    }

    /// Reads one request and answers it; none when the connection is of no more use.
    async fn exchange(&self, stream: &mut TcpStream, place: &Place) -> Option<()> {
        let mut header = [0; HEADER_BYTES];
        timeout(IDLE_MAX, stream.read_exact(&mut header[..1])).await.ok()?.ok()?;
        let mut pdu = [0; PDU_BYTES_MAX];
        let rest = async {
            stream.read_exact(&mut header[1..]).await.ok()?;
            let header = Header::parse(header)?;
            stream.read_exact(&mut pdu[..header.pdu_bytes]).await.ok()?;
            Some(header)
        };
        let header = timeout(FRAME_MAX, rest).await.ok()??;
        let request = &pdu[..header.pdu_bytes];
        let function = request[0];
        if function >= 0x80 {
            return None;
        }
        let answer = match self.answer(header.unit, request) {
            Ok(answer) => {
                place.served(Instant::now());
                answer
            }
            Err(exception) => frame::refused(function, exception),
        };
        timeout(FRAME_MAX, stream.write_all(&header.answer(&answer))).await.ok()?.ok()
    }

    fn answer(&self, unit: u8, pdu: &[u8]) -> Result<Vec<u8>, Exception> {
        let controller = self
            .controllers
            .iter()
            .find(|controller| controller.unit == unit)
            .ok_or(Exception::GatewayTargetFailed)?;
        let now = Instant::now();
        let moment = self.replay.moment(now);
        match Request::parse(pdu)? {
            Request::Read { table, start, count } => {
                let words = controller.registers(table, start, count, &moment)?;
                Ok(frame::values(pdu[0], table, &words))
            }
            Request::Write { table, start, words, echo } => {
                for change in controller.write(table, start, &words, &moment)? {
                    self.apply(change, now)?;
                }
                Ok(frame::written(pdu, echo))
            }
        }
    }

    fn apply(&self, Change { source, value }: Change, now: Instant) -> Result<(), Exception> {
        match source {
            Source::Recorded(column) => self.replay.write(column, value as f32, now),
            // Within its limits, so a whole number of 16 bits.
            Source::Fault => {
                self.replay.set_fault(value as u16, now).map_err(|_| Exception::IllegalDataValue)?
            }
            Source::Speed => {
                self.replay.set_speed(value, now).map_err(|_| Exception::IllegalDataValue)?;
            }
            Source::Held => self.replay.hold(value != 0.0, now),
            Source::Failure => {
                let chosen = self.replay.set_failure(value as u16, now);
                chosen.map_err(|_| Exception::IllegalDataValue)?;
            }
            Source::Wear => {
                let chosen = self.replay.set_wear(value as u16, now);
                chosen.map_err(|_| Exception::IllegalDataValue)?;
            }
            Source::AtLeast(..)
            | Source::AtMost(..)
            | Source::Row
            | Source::RowsPlayed
            | Source::Hours => return Err(Exception::IllegalDataAddress),
        }
        Ok(())
    }
}
