//! Why the server does not start, or a change of its trust list fails.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

/// Why the server does not start, or a change of its trust list fails.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No place to listen at was given.
    #[error("no address to listen at was given to the OPC UA server")]
    NoAddress,
    /// An address cannot be listened at.
    #[error("could not listen for OPC UA at {address}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// A socket that was handed over cannot be used.
    #[error("could not use the socket that was bound for OPC UA")]
    Socket(#[source] io::Error),
    /// A file or folder of certificates cannot be read or written.
    #[error("could not use {path} for OPC UA certificates")]
    File {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The server's own certificate or key is damaged, or the two do not fit each other or the
    /// application URI.
    #[error(
        "could not use the OPC UA server's own certificate in {path}: {cause}; \
             empty that folder to have a new one made, which clients then have to trust anew"
    )]
    Own {
        /// The folder.
        path: PathBuf,
        /// What is wrong.
        cause: String,
    },
    /// No certificate could be made.
    #[error("could not make a certificate for the OPC UA server: {0}")]
    Make(String),
    /// No certificate in the trust list has that thumbprint.
    #[error("no certificate with the thumbprint {0} is among the rejected or trusted ones")]
    NoCertificate(String),
    /// So many certificates are trusted that no more can be.
    #[error("{0} certificates are trusted already, which is the most; distrust some first")]
    Full(usize),
}
