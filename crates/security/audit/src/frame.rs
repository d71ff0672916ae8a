//! The frame around an entry on disk: a fixed header, then the entry's bytes.
//!
//! All numbers are little endian. The layout is that of format 1 (see [`crate::segment`]).

use weir_model::TenantId;

use crate::entry::ENTRY_BYTES_MAX;

/// Bytes of the header.
pub(crate) const HEADER_BYTES: usize = 36;

/// What stands for "records of several tenants" in a header; such a tenant is never made.
const SEVERAL: u32 = u32::MAX;

/// What a frame says of its entry, so that most questions need not read the entry itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Header {
    /// Bytes of the entry.
    pub(crate) length: u32,
    /// CRC-32C of the rest of the header and of the entry.
    pub(crate) checksum: u32,
    /// The leaf's index.
    pub(crate) index: u64,
    /// The index of the first leaf of the group it was made durable with. A group is only written
    /// once the one before it is on disk, so a damaged frame with an intact one of a later group
    /// behind it is no torn tail.
    pub(crate) group: u64,
    /// The highest feed position recorded up to and with this entry.
    pub(crate) position: u64,
    /// The tenant it is about; none for an entry about several.
    pub(crate) tenant: Option<TenantId>,
}

impl Header {
    /// Appends the frame of an entry; `length` and `checksum` are computed.
    pub(crate) fn encode(mut self, entry: &[u8], out: &mut Vec<u8>) {
        self.length = entry.len() as u32;
        let start = out.len();
        out.extend_from_slice(&self.length.to_le_bytes());
        out.extend_from_slice(&[0; 4]);
        out.extend_from_slice(&self.index.to_le_bytes());
        out.extend_from_slice(&self.group.to_le_bytes());
        out.extend_from_slice(&self.position.to_le_bytes());
        out.extend_from_slice(&self.tenant.map_or(SEVERAL, |tenant| tenant.0).to_le_bytes());
        let checksum = checksum(&out[start..], entry);
        out[start + 4..start + 8].copy_from_slice(&checksum.to_le_bytes());
        out.extend_from_slice(entry);
    }

    /// Reads a header; none when no entry can be that long.
    pub(crate) fn decode(bytes: &[u8; HEADER_BYTES]) -> Option<Self> {
        let u32_at = |at: usize| u32::from_le_bytes(std::array::from_fn(|i| bytes[at + i]));
        let u64_at = |at: usize| u64::from_le_bytes(std::array::from_fn(|i| bytes[at + i]));
        let length = u32_at(0);
        if length as usize > ENTRY_BYTES_MAX {
            return None;
        }
        let tenant = u32_at(32);
        Some(Self {
            length,
            checksum: u32_at(4),
            index: u64_at(8),
            group: u64_at(16),
            position: u64_at(24),
            tenant: (tenant != SEVERAL).then_some(TenantId(tenant)),
        })
    }

    /// Whether the header's bytes and the entry are as they were written.
    pub(crate) fn matches(&self, header: &[u8; HEADER_BYTES], entry: &[u8]) -> bool {
        self.checksum == checksum(header, entry)
    }
}

fn checksum(header: &[u8], entry: &[u8]) -> u32 {
    let sum = crc32c::crc32c_append(crc32c::crc32c(&header[..4]), &header[8..]);
    crc32c::crc32c_append(sum, entry)
}
