//! What a GS1-conformant resolver answers, without HTTP: links, the levels that they stand on, the
//! request, and the answer (GS1-Conformant Resolver Standard 1.2).
//!
//! A resolver reads the path as a [`DigitalLink`](crate::DigitalLink), asks [`levels`] which records may
//! speak about it, loads the [`Standing`]s that it has, and asks [`answer`].

mod answer;
mod description;
mod level;
mod link;
mod linkset;
mod negotiation;
mod request;
#[cfg(test)]
mod tests;

pub use answer::{Answer, CORS, answer};
pub use description::{Description, WELL_KNOWN};
pub use level::{Level, levels};
pub use link::{GS1_VOCABULARY, Link, LinkType, Standing};
pub use linkset::{Form, Linkset};
pub use negotiation::{Accept, AcceptLanguage, HEADER_BYTES_MAX, HEADER_ITEMS_MAX};
pub use request::Request;
