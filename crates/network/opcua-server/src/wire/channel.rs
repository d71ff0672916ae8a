//! A secure channel: its keys, their renewal, and the numbering of its frames.

use std::time::{Duration, Instant};

use opcua::crypto::SecurityPolicy;
use opcua::types::{MessageSecurityMode, StatusCode};

use super::frame::{Frame, HEADER, Last};
use super::symmetric::{Protection, SEQUENCE, Token};
use super::{Reader, asymmetric::Sender};

/// Sequence numbers wrap this far below their end (OPC 10000-6, clause 6.7.2.4).
const WRAP: u32 = 1_024;

/// An open channel.
pub(crate) struct Channel {
    id: u32,
    protection: Protection,
    sender: Option<Sender>,
    /// The newest token under which the client has sent something.
    current: Token,
    /// Handed out, but not used by the client yet.
    next: Option<Token>,
    /// Replaced, for messages that were on their way.
    previous: Option<Token>,
    tokens: u32,
    received: Numbers,
    sent: u32,
}

/// What came in one frame.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Piece {
    pub(crate) request: u32,
    pub(crate) body: Vec<u8>,
}

/// The numbers of received frames.
#[derive(Debug, Default)]
pub(crate) struct Numbers(Option<u32>);

impl Numbers {
    /// Checks that a frame's number follows the last one, and takes the sequence header off.
    pub(crate) fn piece(&mut self, plain: &[u8]) -> Result<Piece, StatusCode> {
        const WRONG: StatusCode = StatusCode::BadSecurityChecksFailed;
        let mut reader = Reader::new(plain);
        let number = reader.u32().ok_or(WRONG)?;
        let request = reader.u32().ok_or(WRONG)?;
        let follows = match self.0 {
            None => true,
            Some(last) if last >= u32::MAX - WRAP && number < WRAP => true,
            Some(last) => last.checked_add(1) == Some(number),
        };
        if !follows {
            return Err(StatusCode::BadSequenceNumberInvalid);
        }
        self.0 = Some(number);
        Ok(Piece { request, body: reader.rest().to_vec() })
    }
}

/// What a channel is opened or renewed with.
pub(crate) struct Opening<'a> {
    pub(crate) policy: SecurityPolicy,
    pub(crate) mode: MessageSecurityMode,
    pub(crate) server_nonce: &'a [u8],
    pub(crate) client_nonce: &'a [u8],
    pub(crate) lifetime: Duration,
    pub(crate) now: Instant,
}

impl Opening<'_> {
    fn token(&self, id: u32) -> Token {
        let expires = self.now + self.lifetime + self.lifetime / 4;
        Token::new(id, expires, self.policy, self.server_nonce, self.client_nonce)
    }
}

impl Channel {
    /// Opens a channel.
    pub(crate) fn open(
        id: u32,
        sender: Option<Sender>,
        received: Numbers,
        opening: &Opening<'_>,
    ) -> Self {
        Self {
            id,
            protection: Protection { policy: opening.policy, mode: opening.mode },
            sender,
            current: opening.token(1),
            next: None,
            previous: None,
            tokens: 1,
            received,
            sent: 0,
        }
    }

    /// Renews it: the client, its policy and its mode must be the same.
    pub(crate) fn renew(
        &mut self,
        sender: Option<&Sender>,
        opening: &Opening<'_>,
    ) -> Result<(), StatusCode> {
        let same = Protection { policy: opening.policy, mode: opening.mode } == self.protection
            && sender.map(|s| &s.der) == self.sender.as_ref().map(|s| &s.der);
        if !same {
            return Err(StatusCode::BadSecurityChecksFailed);
        }
        self.tokens = self.tokens.wrapping_add(1);
        self.next = Some(opening.token(self.tokens));
        Ok(())
    }

    pub(crate) fn id(&self) -> u32 {
        self.id
    }

    /// The number of the newest token.
    pub(crate) fn token(&self) -> u32 {
        self.tokens
    }

    pub(crate) fn policy(&self) -> SecurityPolicy {
        self.protection.policy
    }

    pub(crate) fn mode(&self) -> MessageSecurityMode {
        self.protection.mode
    }

    pub(crate) fn sender(&self) -> Option<&Sender> {
        self.sender.as_ref()
    }

    pub(crate) fn numbers(&mut self) -> &mut Numbers {
        &mut self.received
    }

    /// When the client must have renewed.
    pub(crate) fn expires(&self) -> Instant {
        self.next.as_ref().unwrap_or(&self.current).expires
    }

    /// Checks and opens a frame of a message.
    pub(crate) fn receive(&mut self, frame: &Frame, now: Instant) -> Result<Piece, StatusCode> {
        let mut reader = Reader::new(frame.bytes.get(HEADER..).unwrap_or_default());
        let (channel, token) = (reader.u32(), reader.u32());
        if channel != Some(self.id) {
            return Err(StatusCode::BadTcpSecureChannelUnknown);
        }
        if let Some(next) = self.next.take_if(|next| Some(next.id) == token) {
            self.previous = Some(std::mem::replace(&mut self.current, next));
        }
        let known = [Some(&self.current), self.previous.as_ref()];
        let mut known = known.into_iter().flatten();
        let token = known
            .find(|known| Some(known.id) == token && now < known.expires)
            .ok_or(StatusCode::BadSecureChannelTokenUnknown)?;
        let plain = self.protection.remove(token, &frame.bytes)?;
        self.received.piece(&plain)
    }

    /// How much of a message fits into one frame.
    pub(crate) fn body_max(&self, frame_bytes_max: usize) -> usize {
        self.protection.body_max(frame_bytes_max)
    }

    /// A frame of a message, ready to be sent.
    pub(crate) fn send(
        &mut self,
        last: Last,
        request: u32,
        body: &[u8],
    ) -> Result<Vec<u8>, StatusCode> {
        let mut frame = Vec::with_capacity(body.len() + 128);
        frame.extend_from_slice(b"MSG");
        frame.push(match last {
            Last::Intermediate => b'C',
            Last::Final => b'F',
            Last::Abort => b'A',
        });
        frame.extend_from_slice(&[0; 4]);
        for number in [self.id, self.current.id, self.number(), request] {
            frame.extend_from_slice(&number.to_le_bytes());
        }
        debug_assert_eq!(frame.len(), super::symmetric::HEADERS + SEQUENCE);
        frame.extend_from_slice(body);
        self.protection.add(&self.current, frame)
    }

    /// The number of the next frame that is sent.
    pub(crate) fn number(&mut self) -> u32 {
        self.sent = if self.sent >= u32::MAX - WRAP { 1 } else { self.sent + 1 };
        self.sent
    }
}

/// Puts the frames of a message together again.
#[derive(Debug, Default)]
pub(crate) struct Assembly {
    request: Option<u32>,
    body: Vec<u8>,
    pieces: usize,
}

impl Assembly {
    /// Adds a frame; the message once it is complete.
    pub(crate) fn add(
        &mut self,
        piece: Piece,
        last: Last,
        message_bytes_max: usize,
    ) -> Result<Option<Piece>, StatusCode> {
        if self.request.is_some_and(|request| request != piece.request) {
            return Err(StatusCode::BadSecurityChecksFailed);
        }
        if last == Last::Abort {
            *self = Self::default();
            return Ok(None);
        }
        let pieces_max = message_bytes_max / super::frame::FRAME_BYTES_MIN + 1;
        self.pieces += 1;
        if self.pieces > pieces_max || self.body.len() + piece.body.len() > message_bytes_max {
            return Err(StatusCode::BadTcpMessageTooLarge);
        }
        if self.pieces == 1 {
            self.body = piece.body;
        } else {
            self.body.extend_from_slice(&piece.body);
        }
        self.request = Some(piece.request);
        if last == Last::Intermediate {
            return Ok(None);
        }
        let whole = std::mem::take(self);
        Ok(Some(Piece { request: piece.request, body: whole.body }))
    }
}
