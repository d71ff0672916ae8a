//! The "user data" services: lists of blocks, facts about a block, system status lists.

use super::message::Answer;
use super::{CodecError, head, word};

/// Most bytes of one list, over all its parts. 65,535 data blocks of four bytes each fit.
pub(crate) const LIST_BYTES_MAX: usize = 256 * 1024;

/// The data blocks among the kinds of blocks.
const DATA_BLOCK: [u8; 2] = *b"0A";

/// Where a block's facts give the length of its content, in bytes.
const BLOCK_LENGTH_AT: usize = 40;

/// A service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Service {
    /// The numbers of all data blocks.
    ListDataBlocks,
    /// Facts about one data block.
    DataBlock(u16),
    /// A system status list.
    SystemStatus { list: u16, index: u16 },
}

/// What came for one request of a service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Part {
    /// Links the parts of one answer.
    pub(crate) sequence: u8,
    pub(crate) unit: u8,
    /// Whether more is to be asked for.
    pub(crate) more: bool,
    /// The content, or the error word.
    pub(crate) content: Result<Vec<u8>, u16>,
}

impl Service {
    fn group(self) -> u8 {
        match self {
            Self::ListDataBlocks | Self::DataBlock(_) => 3,
            Self::SystemStatus { .. } => 4,
        }
    }

    fn function(self) -> u8 {
        match self {
            Self::ListDataBlocks => 2,
            Self::DataBlock(_) => 3,
            Self::SystemStatus { .. } => 1,
        }
    }

    /// Parameters and data of the first request.
    pub(crate) fn request(self) -> (Vec<u8>, Vec<u8>) {
        let parameters = vec![0, 1, 0x12, 4, 0x11, 0x40 | self.group(), self.function(), 0];
        let content = match self {
            Self::ListDataBlocks => DATA_BLOCK.to_vec(),
            Self::DataBlock(number) => {
                let mut content = DATA_BLOCK.to_vec();
                content.extend(format!("{number:05}A").into_bytes());
                content
            }
            Self::SystemStatus { list, index } => {
                [list.to_be_bytes(), index.to_be_bytes()].concat()
            }
        };
        let mut data = vec![0xFF, 0x09];
        data.extend((content.len() as u16).to_be_bytes());
        data.extend(content);
        (parameters, data)
    }

    /// Parameters and data of the request for the part after one.
    pub(crate) fn next_request(self, last: &Part) -> (Vec<u8>, Vec<u8>) {
        let what = [0x40 | self.group(), self.function(), last.sequence, last.unit];
        let mut parameters = vec![0, 1, 0x12, 8, 0x12];
        parameters.extend(what);
        parameters.extend([0, 0, 0]);
        (parameters, vec![0x0A, 0, 0, 0])
    }

    /// What came.
    pub(crate) fn answer(self, answer: &Answer) -> Result<Part, CodecError> {
        let [_, _, _, _, _, group, function, sequence, unit, more, high, low] =
            head(&answer.parameters)?;
        if (group & 0x0F, function) != (self.group(), self.function()) {
            return Err(CodecError::Function);
        }
        let error = u16::from_be_bytes([high, low]);
        let content = match (error, head::<4>(&answer.data)) {
            (0, Ok([0xFF, _, high, low])) => {
                let length = usize::from(u16::from_be_bytes([high, low]));
                let content = answer.data.get(4..4 + length).ok_or(CodecError::Truncated)?;
                Ok(content.to_vec())
            }
            (0, Ok([code, ..])) => Err(u16::from(code)),
            (0, Err(error)) => return Err(error),
            (error, _) => Err(error),
        };
        Ok(Part { sequence, unit, more: more != 0, content })
    }
}

/// The numbers in a list of blocks.
pub(crate) fn block_numbers(list: &[u8]) -> Vec<u16> {
    let number = |block: &[u8]| word(block, 0).ok();
    list.chunks_exact(4).filter_map(number).collect()
}

/// The length of a data block's content, in bytes, from its facts.
pub(crate) fn block_length(facts: &[u8]) -> Result<u16, CodecError> {
    word(facts, BLOCK_LENGTH_AT)
}

/// The records of a system status list, each beginning with its index.
pub(crate) fn records(list: &[u8]) -> Result<Vec<&[u8]>, CodecError> {
    let (length, count) = (usize::from(word(list, 4)?), usize::from(word(list, 6)?));
    if length == 0 {
        return Ok(Vec::new());
    }
    let body = list.get(8..).unwrap_or_default();
    Ok(body.chunks_exact(length).take(count).collect())
}
