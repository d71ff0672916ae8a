//! Which server of a site has a handle (RFC 3651, 3.2.2; RFC 3652, 3.1).

use md5::{Digest, Md5};

use crate::{HashOption, name};

/// The place of the handle's server among `servers`; none if there is no server.
///
/// MD5 of the part of the name that the option says, its ASCII letters in upper case; the last
/// four bytes as a signed number; its absolute value modulo the servers. (The one number without
/// a positive counterpart stays negative in the reference software, which then knows no server.)
#[must_use]
pub fn server_of(option: HashOption, handle: &[u8], servers: usize) -> Option<usize> {
    if servers < 2 {
        return servers.checked_sub(1);
    }
    let parts = name::split(handle).unwrap_or((handle, b""));
    let part = match option {
        HashOption::Prefix => parts.0,
        HashOption::Suffix => parts.1,
        HashOption::Handle | HashOption::Other(_) => handle,
    };
    let mut md5 = Md5::new();
    for chunk in part.chunks(64) {
        let mut folded = [0; 64];
        let folded = &mut folded[..chunk.len()];
        folded.copy_from_slice(chunk);
        folded.make_ascii_uppercase();
        md5.update(folded);
    }
    let digest: [u8; 16] = md5.finalize().into();
    let [.., a, b, c, d] = digest;
    Some(i32::from_be_bytes([a, b, c, d]).unsigned_abs() as usize % servers)
}
