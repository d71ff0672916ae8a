//! Identifiers over HTTP, through the router of their listener: the records of the reference
//! server, things of GS1, and what hostile clients send and hostile records hold.

mod hostile;
mod pages;
mod recorded;
mod service;
mod things;
