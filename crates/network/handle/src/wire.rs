//! Integers, blobs and lists as they stand in every message: big-endian, length first.

use std::fmt;
use std::marker::PhantomData;

use crate::Error;

/// Reads fields from the front of borrowed bytes. Nothing is copied and nothing is allocated.
#[derive(Debug, Clone, Copy)]
pub struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    /// A reader at the start of `bytes`.
    #[must_use]
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// What was not read yet.
    #[must_use]
    pub const fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// Whether everything was read.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// The next `want` bytes.
    ///
    /// # Errors
    /// [`Error::Short`] if there are fewer.
    #[inline]
    pub fn take(&mut self, want: usize, field: &'static str) -> Result<&'a [u8], Error> {
        match self.rest.split_at_checked(want) {
            Some((front, rest)) => {
                self.rest = rest;
                Ok(front)
            }
            None => Err(Error::Short { field, want, have: self.rest.len() }),
        }
    }

    #[inline]
    fn array<const N: usize>(&mut self, field: &'static str) -> Result<[u8; N], Error> {
        match self.rest.split_first_chunk::<N>() {
            Some((front, rest)) => {
                self.rest = rest;
                Ok(*front)
            }
            None => Err(Error::Short { field, want: N, have: self.rest.len() }),
        }
    }

    /// One byte.
    ///
    /// # Errors
    /// [`Error::Short`] at the end.
    #[inline]
    pub fn u8(&mut self, field: &'static str) -> Result<u8, Error> {
        self.array::<1>(field).map(|[byte]| byte)
    }

    /// Two bytes.
    ///
    /// # Errors
    /// [`Error::Short`] if there are fewer.
    #[inline]
    pub fn u16(&mut self, field: &'static str) -> Result<u16, Error> {
        self.array(field).map(u16::from_be_bytes)
    }

    /// Four bytes, unsigned.
    ///
    /// # Errors
    /// [`Error::Short`] if there are fewer.
    #[inline]
    pub fn u32(&mut self, field: &'static str) -> Result<u32, Error> {
        self.array(field).map(u32::from_be_bytes)
    }

    /// Four bytes, two's complement.
    ///
    /// # Errors
    /// [`Error::Short`] if there are fewer.
    #[inline]
    pub fn i32(&mut self, field: &'static str) -> Result<i32, Error> {
        self.array(field).map(i32::from_be_bytes)
    }

    /// Eight bytes, two's complement.
    ///
    /// # Errors
    /// [`Error::Short`] if there are fewer.
    #[inline]
    pub fn i64(&mut self, field: &'static str) -> Result<i64, Error> {
        self.array(field).map(i64::from_be_bytes)
    }

    /// A length of four bytes, then that many bytes.
    ///
    /// # Errors
    /// [`Error::Short`] if there are fewer.
    #[inline]
    pub fn blob(&mut self, field: &'static str) -> Result<&'a [u8], Error> {
        let length = self.u32(field)?;
        self.take(length as usize, field)
    }

    /// A count of four bytes, then that many items; all of them are checked now, so that reading
    /// the list later cannot fail.
    ///
    /// # Errors
    /// [`Error::Count`] before anything is read if the items cannot be in what is left; otherwise
    /// what reading the items gives.
    pub fn list<T: Element<'a>>(&mut self) -> Result<List<'a, T>, Error> {
        let count = self.u32(T::NAME)?;
        let left = self.rest.len();
        if (count as usize).checked_mul(T::BYTES_MIN).is_none_or(|least| least > left) {
            return Err(Error::Count { field: T::NAME, count, left });
        }
        let from = self.rest;
        for _ in 0..count {
            T::read(self)?;
        }
        Ok(List { count, bytes: &from[..left - self.rest.len()], items: PhantomData })
    }
}

/// What a list on the wire is made of.
pub trait Element<'a>: Sized {
    /// Bytes of the smallest item: by it a count is checked before items are read. At least one.
    const BYTES_MIN: usize;
    /// The name in errors.
    const NAME: &'static str;
    /// Reads one item.
    ///
    /// # Errors
    /// What is wrong with the bytes.
    fn read(reader: &mut Reader<'a>) -> Result<Self, Error>;
    /// Appends one item.
    fn write(&self, out: &mut Vec<u8>);
}

impl<'a> Element<'a> for i32 {
    const BYTES_MIN: usize = 4;
    const NAME: &'static str = "an index list";
    fn read(reader: &mut Reader<'a>) -> Result<Self, Error> {
        reader.i32(Self::NAME)
    }
    fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.to_be_bytes());
    }
}

impl<'a> Element<'a> for &'a [u8] {
    const BYTES_MIN: usize = 4;
    const NAME: &'static str = "a list of names";
    fn read(reader: &mut Reader<'a>) -> Result<Self, Error> {
        reader.blob(Self::NAME)
    }
    fn write(&self, out: &mut Vec<u8>) {
        put_blob(out, self);
    }
}

/// A list in its wire form, checked when it was read: borrowed bytes, walked anew by each iteration.
pub struct List<'a, T> {
    count: u32,
    bytes: &'a [u8],
    items: PhantomData<T>,
}

impl<'a, T: Element<'a>> List<'a, T> {
    /// A list of nothing.
    #[must_use]
    pub const fn empty() -> Self {
        Self { count: 0, bytes: &[], items: PhantomData }
    }

    /// Writes `items` into `buffer`, whose former content is dropped, and borrows them as a list.
    pub fn build(items: &[T], buffer: &'a mut Vec<u8>) -> Self {
        buffer.clear();
        for item in items {
            item.write(buffer);
        }
        Self { count: items.len() as u32, bytes: buffer, items: PhantomData }
    }

    /// A list of stored wire bytes, without the count in front.
    ///
    /// # Errors
    /// As [`Reader::list`]; [`Error::Count`] too if bytes are left over.
    pub fn from_wire(count: u32, bytes: &'a [u8]) -> Result<Self, Error> {
        let mut reader = Reader::new(bytes);
        if (count as usize).checked_mul(T::BYTES_MIN).is_none_or(|least| least > bytes.len()) {
            return Err(Error::Count { field: T::NAME, count, left: bytes.len() });
        }
        for _ in 0..count {
            T::read(&mut reader)?;
        }
        match reader.is_empty() {
            true => Ok(Self { count, bytes, items: PhantomData }),
            false => Err(Error::Count { field: T::NAME, count, left: reader.rest().len() }),
        }
    }

    /// Number of items.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.count as usize
    }

    /// Whether there is none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The items' bytes, without the count.
    #[must_use]
    pub const fn wire(&self) -> &'a [u8] {
        self.bytes
    }

    /// The items.
    #[must_use]
    pub fn iter(&self) -> ListIter<'a, T> {
        ListIter { reader: Reader::new(self.bytes), left: self.count, items: PhantomData }
    }

    /// Appends the count and the items.
    pub fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.count.to_be_bytes());
        out.extend_from_slice(self.bytes);
    }
}

impl<T> Clone for List<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for List<'_, T> {}

impl<T> PartialEq for List<'_, T> {
    fn eq(&self, other: &Self) -> bool {
        self.count == other.count && self.bytes == other.bytes
    }
}

impl<T> Eq for List<'_, T> {}

impl<'a, T: Element<'a> + fmt::Debug> fmt::Debug for List<'a, T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_list().entries(self.iter()).finish()
    }
}

impl<'a, T: Element<'a>> IntoIterator for List<'a, T> {
    type Item = T;
    type IntoIter = ListIter<'a, T>;
    fn into_iter(self) -> ListIter<'a, T> {
        self.iter()
    }
}

/// The items of a [`List`].
#[derive(Debug, Clone)]
pub struct ListIter<'a, T> {
    reader: Reader<'a>,
    left: u32,
    items: PhantomData<T>,
}

impl<'a, T: Element<'a>> ListIter<'a, T> {
    /// The next item together with its wire bytes.
    pub fn next_with_wire(&mut self) -> Option<(T, &'a [u8])> {
        let from = self.reader.rest();
        let item = self.next()?;
        Some((item, &from[..from.len() - self.reader.rest().len()]))
    }
}

impl<'a, T: Element<'a>> Iterator for ListIter<'a, T> {
    type Item = T;

    fn next(&mut self) -> Option<T> {
        self.left = self.left.checked_sub(1)?;
        // The list was walked when it was made; a failure here cannot be.
        T::read(&mut self.reader).ok()
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left as usize, Some(self.left as usize))
    }
}

impl<'a, T: Element<'a>> ExactSizeIterator for ListIter<'a, T> {}

/// Appends a length and the bytes.
pub fn put_blob(out: &mut Vec<u8>, bytes: &[u8]) {
    out.extend_from_slice(&(bytes.len() as u32).to_be_bytes());
    out.extend_from_slice(bytes);
}

pub(crate) fn put_u16(out: &mut Vec<u8>, value: u16) {
    out.extend_from_slice(&value.to_be_bytes());
}

pub(crate) fn put_u32(out: &mut Vec<u8>, value: u32) {
    out.extend_from_slice(&value.to_be_bytes());
}

pub(crate) fn put_i32(out: &mut Vec<u8>, value: i32) {
    out.extend_from_slice(&value.to_be_bytes());
}
