//! The Handle protocol (RFC 3650 to 3652, versions 2.3 to 2.11) without any input or output:
//! messages, values and site records to and from bytes, the rules of names, digests, challenges,
//! signatures and sessions.
//!
//! Reading borrows: a [`Message`] and everything in it are slices of the bytes that arrived, and a
//! [`List`] is walked where it lies. Nothing that is read allocates, so no count or length of a
//! stranger can reserve anything; whatever the bytes are, reading ends with a value or an
//! [`Error`]. Writing appends to a caller's buffer. Clocks and random bytes are passed in.
//!
//! The protocol is that of the reference server as it was recorded, where it differs from the
//! RFCs.
//!
//! ```
//! use weir_handle::{Answer, Draft, Envelope, Flags, Header, List, Message, OpCode, Request,
//!     ResponseCode, Value};
//!
//! // A client asks …
//! let mut asked = Vec::new();
//! let header = Header::request(OpCode::Resolution, Flags::PUBL, 1_800_000_000);
//! let mut draft = Draft::begin(&mut asked, &Envelope::request(7), &header);
//! Request::resolution(b"99.1000/simple").encode(draft.body());
//! draft.finish();
//!
//! // … and a server answers.
//! let message = Message::decode(&asked)?;
//! let Request::Resolution { handle, .. } = message.request()? else { panic!("another request") };
//! let mut stored = Vec::new();
//! let values = List::build(&[Value::new(1, b"URL", b"https://example.org", 0)], &mut stored);
//! let header = message.header.answer(ResponseCode::Success, true, 1, 1_800_000_000);
//! let mut answered = Vec::new();
//! let mut draft = Draft::begin(&mut answered, &message.envelope.answer(), &header);
//! Answer::Resolution { handle, values }.encode(draft.body());
//! draft.finish();
//!
//! let answer = Message::decode(&answered)?.response()?;
//! assert_eq!(answer.answer, Answer::Resolution { handle, values });
//! # Ok::<(), weir_handle::Error>(())
//! ```

mod certify;
mod challenge;
mod data;
mod der;
mod digest;
mod envelope;
mod error;
mod fragment;
mod header;
pub mod json;
mod jwk;
mod message;
pub mod name;
mod public_key;
mod record;
mod request;
mod response;
mod responsible;
mod select;
mod session;
mod signature;
mod site;
pub mod trust;
mod value;
mod version;
mod wire;

pub use certify::verify_certified;
pub use challenge::{Challenge, ITERATIONS_MAX, PublicKeyAnswer, SecretKeyAnswer};
pub use data::{Admin, AdminPermissions, ValueData, is_site};
pub use digest::{Digest, DigestAlgorithm, RequestDigest};
pub use envelope::{ENVELOPE_BYTES, Envelope, MESSAGE_BYTES_MAX, set_request_id};
pub use error::Error;
pub use fragment::{
    DATAGRAM_BYTES, FRAGMENT_BYTES, Fragments, REASSEMBLY_MS_MAX, Reassembly, ReassemblyBounds,
    fragments,
};
pub use header::{
    EXPIRES_AFTER_SECONDS, Flags, HEADER_BYTES, Header, OpCode, ResponseCode, SERIAL_UNKNOWN,
};
pub use jwk::Jwk;
pub use message::{Credential, Draft, Message};
pub use name::HANDLE_BYTES_MAX;
pub use public_key::PublicKey;
pub use record::{Record, RecordIter};
pub use request::{ChallengeResponse, KeyExchange, Request, SessionSetup};
pub use response::{Answer, Response};
pub use responsible::server_of;
pub use select::{Access, Selected, Selection};
pub use session::{DhOffer, PRIVATE_BYTES, ReplayWindow, SessionKey, WINDOW};
pub use signature::{HashName, SigningKey};
pub use site::{Attribute, HashOption, Interface, Server, Site, Transport};
pub use value::{Permissions, Reference, Ttl, VALUES_MAX, Value, set_timestamp};
pub use version::Version;
pub use wire::{Element, List, ListIter, Reader, put_blob};
