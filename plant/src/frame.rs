//! Modbus requests and answers as bytes, by the Modbus Application Protocol Specification V1.1b3
//! and the TCP messaging guide V1.0b. Requests come from strangers: everything is checked here
//! before anything is done.

use crate::image::Table;

/// Bytes of the MBAP header, unit included.
pub(crate) const HEADER_BYTES: usize = 7;

/// Longest protocol data unit: 256 bytes of a serial line less address and checksum.
pub(crate) const PDU_BYTES_MAX: usize = 253;

/// Most bits that one request may read, and write.
const BITS_READ_MAX: u16 = 2000;
const BITS_WRITTEN_MAX: u16 = 1968;

/// Most registers that one request may read, and write.
const REGISTERS_READ_MAX: u16 = 125;
const REGISTERS_WRITTEN_MAX: u16 = 123;

/// Why a device refuses a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Exception {
    IllegalFunction = 1,
    IllegalDataAddress = 2,
    IllegalDataValue = 3,
    /// There is no such unit behind this port.
    GatewayTargetFailed = 11,
}

/// The header of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) transaction: u16,
    pub(crate) unit: u8,
    /// Length of the protocol data unit, 1 to [`PDU_BYTES_MAX`].
    pub(crate) pdu_bytes: usize,
}

impl Header {
    /// Reads a header; none for bytes that are not Modbus, after which the only thing to do is to
    /// close the connection: nobody knows where the next request would start.
    pub(crate) fn parse(bytes: [u8; HEADER_BYTES]) -> Option<Self> {
        let [t0, t1, p0, p1, l0, l1, unit] = bytes;
        let length = usize::from(u16::from_be_bytes([l0, l1]));
        if [p0, p1] != [0, 0] || !(2..=PDU_BYTES_MAX + 1).contains(&length) {
            return None;
        }
        let transaction = u16::from_be_bytes([t0, t1]);
        Some(Self { transaction, unit, pdu_bytes: length - 1 })
    }

    /// The frame that answers with `pdu`.
    pub(crate) fn answer(self, pdu: &[u8]) -> Vec<u8> {
        let mut frame = Vec::with_capacity(HEADER_BYTES + pdu.len());
        frame.extend(self.transaction.to_be_bytes());
        frame.extend([0, 0]);
        frame.extend((pdu.len() as u16 + 1).to_be_bytes());
        frame.push(self.unit);
        frame.extend(pdu);
        frame
    }
}

/// What a client asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Request {
    /// Functions 1 to 4.
    Read { table: Table, start: u16, count: u16 },
    /// Functions 5, 6, 15 and 16; bits are words of 0 and 1.
    Write { table: Table, start: u16, words: Vec<u16>, echo: Echo },
}

/// How a write is acknowledged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Echo {
    /// Functions 5 and 6 send the request back.
    Request,
    /// Functions 15 and 16 send start and count.
    Count,
}

impl Request {
    /// Reads a protocol data unit.
    pub(crate) fn parse(pdu: &[u8]) -> Result<Self, Exception> {
        let (function, body) = pdu.split_first().ok_or(Exception::IllegalFunction)?;
        match *function {
            1 => read(Table::Coil, body, BITS_READ_MAX),
            2 => read(Table::Discrete, body, BITS_READ_MAX),
            3 => read(Table::Holding, body, REGISTERS_READ_MAX),
            4 => read(Table::Input, body, REGISTERS_READ_MAX),
            5 => {
                let (start, state) = two(body)?;
                let bit = match state {
                    0xFF00 => 1,
                    0x0000 => 0,
                    _ => return Err(Exception::IllegalDataValue),
                };
                Ok(single(Table::Coil, start, bit))
            }
            6 => two(body).map(|(start, word)| single(Table::Holding, start, word)),
            15 => {
                let (start, count, data) = many(body, BITS_WRITTEN_MAX, |n| n.div_ceil(8))?;
                let bit = |i: usize| u16::from(data[i / 8] >> (i % 8) & 1);
                let words = (0..count).map(bit).collect();
                Ok(Self::Write { table: Table::Coil, start, words, echo: Echo::Count })
            }
            16 => {
                let (start, _, data) = many(body, REGISTERS_WRITTEN_MAX, |n| n * 2)?;
                let words =
                    data.chunks_exact(2).map(|p| u16::from_be_bytes([p[0], p[1]])).collect();
                Ok(Self::Write { table: Table::Holding, start, words, echo: Echo::Count })
            }
            _ => Err(Exception::IllegalFunction),
        }
    }
}

fn read(table: Table, body: &[u8], count_max: u16) -> Result<Request, Exception> {
    let (start, count) = two(body)?;
    if !(1..=count_max).contains(&count) {
        return Err(Exception::IllegalDataValue);
    }
    Ok(Request::Read { table, start, count })
}

fn single(table: Table, start: u16, word: u16) -> Request {
    Request::Write { table, start, words: vec![word], echo: Echo::Request }
}

fn two(body: &[u8]) -> Result<(u16, u16), Exception> {
    let [a0, a1, b0, b1] = *body else { return Err(Exception::IllegalDataValue) };
    Ok((u16::from_be_bytes([a0, a1]), u16::from_be_bytes([b0, b1])))
}

fn many(
    body: &[u8],
    count_max: u16,
    bytes: impl Fn(usize) -> usize,
) -> Result<(u16, usize, &[u8]), Exception> {
    let (head, data) = body.split_at_checked(5).ok_or(Exception::IllegalDataValue)?;
    let (start, count) = two(&head[..4])?;
    let expected = bytes(usize::from(count));
    let stated = usize::from(head[4]);
    if !(1..=count_max).contains(&count) || stated != expected || data.len() != expected {
        return Err(Exception::IllegalDataValue);
    }
    Ok((start, usize::from(count), data))
}

/// The answer to a read: registers, or bits eight to a byte.
pub(crate) fn values(function: u8, table: Table, words: &[u16]) -> Vec<u8> {
    let data: Vec<u8> = match table {
        Table::Input | Table::Holding => words.iter().flat_map(|w| w.to_be_bytes()).collect(),
        Table::Coil | Table::Discrete => words.chunks(8).map(packed).collect(),
    };
    let mut pdu = Vec::with_capacity(2 + data.len());
    pdu.push(function);
    pdu.push(data.len() as u8);
    pdu.extend(data);
    pdu
}

fn packed(bits: &[u16]) -> u8 {
    bits.iter().enumerate().fold(0, |byte, (i, bit)| byte | ((*bit != 0) as u8) << i)
}

/// The answer to a write.
pub(crate) fn written(request: &[u8], echo: Echo) -> Vec<u8> {
    match echo {
        Echo::Request => request.to_vec(),
        Echo::Count => request[..request.len().min(5)].to_vec(),
    }
}

/// The refusal of a request.
pub(crate) fn refused(function: u8, exception: Exception) -> Vec<u8> {
    vec![function | 0x80, exception as u8]
}

#[cfg(test)]
mod tests;
