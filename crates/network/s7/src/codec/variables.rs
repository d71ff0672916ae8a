//! Items of read and write requests.

use super::message::{ANSWER_HEADER_BYTES, Answer, REQUEST_HEADER_BYTES};
use super::{CodecError, head};
use crate::Area;

const READ: u8 = 0x04;
const WRITE: u8 = 0x05;

/// Bytes of one item's address in a request.
const ITEM_BYTES: usize = 12;

/// Bytes before an item's data: return code, kind and length.
const DATA_HEADER_BYTES: usize = 4;

/// Most items of one request; CPUs take no more.
pub(crate) const ITEMS_MAX: usize = 20;

/// The return code of an item that is well.
const OK: u8 = 0xFF;

/// Kinds of addressed units.
mod unit {
    pub(super) const BIT: u8 = 0x01;
    pub(super) const BYTE: u8 = 0x02;
    pub(super) const WORD: u8 = 0x04;
    pub(super) const DWORD: u8 = 0x06;
    pub(super) const COUNTER: u8 = 0x1C;
    pub(super) const TIMER: u8 = 0x1D;
}

/// Kinds of data. The lengths of the first three are in bits, of the others in bytes.
mod data {
    pub(super) const BIT: u8 = 0x03;
    pub(super) const BYTES: u8 = 0x04;
    pub(super) const INTEGER: u8 = 0x05;
}

/// A run of bytes, or of timers or counters, to read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ReadItem {
    pub(crate) area: Area,
    pub(crate) db: u16,
    /// The first byte, timer or counter.
    pub(crate) start: u32,
    /// How many bytes, timers or counters.
    pub(crate) count: u16,
}

/// What is written, and where.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct WriteItem<'a> {
    pub(crate) area: Area,
    pub(crate) db: u16,
    pub(crate) start: u32,
    pub(crate) content: Content<'a>,
}

/// What is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Content<'a> {
    Bit { bit: u8, on: bool },
    Bytes(&'a [u8]),
}

/// What came for one item: its bytes, or a return code.
pub(crate) type ItemAnswer = Result<Vec<u8>, u8>;

impl ReadItem {
    /// How many bytes its data has.
    pub(crate) fn bytes(&self) -> usize {
        usize::from(self.count) * usize::from(self.area.unit_bytes())
    }
}

/// Most bytes of one item's data in an answer of a message size.
pub(crate) fn read_bytes_max(pdu_bytes: u16) -> usize {
    usize::from(pdu_bytes).saturating_sub(ANSWER_HEADER_BYTES + 2 + DATA_HEADER_BYTES)
}

/// Most bytes that one write carries in a message size.
pub(crate) fn write_bytes_max(pdu_bytes: u16) -> usize {
    let around = REQUEST_HEADER_BYTES + 2 + ITEM_BYTES + DATA_HEADER_BYTES;
    usize::from(pdu_bytes).saturating_sub(around)
}

/// Whether items of these lengths in bytes fit one request and its answer.
pub(crate) fn fit(lengths: impl IntoIterator<Item = usize>, pdu_bytes: u16) -> bool {
    let (mut request, mut answer) = (REQUEST_HEADER_BYTES + 2, ANSWER_HEADER_BYTES + 2);
    let mut count = 0;
    for length in lengths {
        count += 1;
        request += ITEM_BYTES;
        answer += DATA_HEADER_BYTES + length.next_multiple_of(2);
    }
    // The last item is not filled up to an even length; that one byte is not worth a rule.
    let pdu_bytes = usize::from(pdu_bytes) + 1;
    count <= ITEMS_MAX && request < pdu_bytes && answer <= pdu_bytes
}

/// Parameters of a read.
pub(crate) fn read(items: &[ReadItem]) -> Vec<u8> {
    let mut parameters = vec![READ, items.len() as u8];
    for item in items {
        let (unit, address) = match item.area {
            Area::Timer => (unit::TIMER, item.start),
            Area::Counter => (unit::COUNTER, item.start),
            _ => (unit::BYTE, item.start << 3),
        };
        push_item(&mut parameters, unit, item.count, item.db, item.area, address);
    }
    parameters
}

/// What came for each item of a read.
pub(crate) fn read_answer(
    answer: &Answer,
    items: &[ReadItem],
) -> Result<Vec<ItemAnswer>, CodecError> {
    let [function, count] = head(&answer.parameters)?;
    if function != READ {
        return Err(CodecError::Function);
    }
    if usize::from(count) != items.len() {
        return Err(CodecError::Length);
    }
    let mut rest = answer.data.as_slice();
    let mut answers = Vec::with_capacity(items.len());
    for item in items {
        let [code, kind, high, low] = head(rest)?;
        rest = rest.get(DATA_HEADER_BYTES..).unwrap_or_default();
        if code != OK {
            // A refused item has no data, whatever its length says: some peers count the header.
            answers.push(Err(code));
            continue;
        }
        let length = usize::from(u16::from_be_bytes([high, low]));
        let length = match kind {
            data::BIT | data::BYTES | data::INTEGER => length.div_ceil(8),
            _ => length,
        };
        if length != item.bytes() {
            return Err(CodecError::Length);
        }
        let (bytes, behind) = rest.split_at_checked(length).ok_or(CodecError::Truncated)?;
        answers.push(Ok(bytes.to_vec()));
        // Data are filled up to an even length, except for the last.
        rest = behind.get(length % 2..).unwrap_or_default();
    }
    Ok(answers)
}

/// Parameters and data of a write. Words and double words are written as such, so that the CPU never shows its
/// program a half of one.
pub(crate) fn write(item: &WriteItem<'_>) -> (Vec<u8>, Vec<u8>) {
    let mut parameters = vec![WRITE, 1];
    let address = item.start << 3;
    let mut bytes = vec![0];
    match item.content {
        Content::Bit { bit, on } => {
            let address = address | u32::from(bit & 7);
            push_item(&mut parameters, unit::BIT, 1, item.db, item.area, address);
            bytes.extend([data::BIT, 0, 1, u8::from(on)]);
        }
        Content::Bytes(content) => {
            let (unit, count) = match content.len() {
                2 => (unit::WORD, 1),
                4 => (unit::DWORD, 1),
                length => (unit::BYTE, length as u16),
            };
            push_item(&mut parameters, unit, count, item.db, item.area, address);
            bytes.push(data::BYTES);
            bytes.extend(((content.len() * 8) as u16).to_be_bytes());
            bytes.extend(content);
        }
    }
    (parameters, bytes)
}

/// Whether a write was carried out, or its return code.
pub(crate) fn write_answer(answer: &Answer) -> Result<Result<(), u8>, CodecError> {
    let [function, count] = head(&answer.parameters)?;
    if function != WRITE {
        return Err(CodecError::Function);
    }
    let [code] = head(&answer.data)?;
    match (count, code) {
        (1, OK) => Ok(Ok(())),
        (1, code) => Ok(Err(code)),
        _ => Err(CodecError::Length),
    }
}

fn push_item(out: &mut Vec<u8>, unit: u8, count: u16, db: u16, area: Area, address: u32) {
    out.extend([0x12, 0x0A, 0x10, unit]);
    out.extend(count.to_be_bytes());
    out.extend(db.to_be_bytes());
    out.push(area.code());
    let [_, high, middle, low] = address.to_be_bytes();
    out.extend([high, middle, low]);
}
