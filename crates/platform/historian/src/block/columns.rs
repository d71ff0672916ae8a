//! Columns of a row group: numbers that stay the same for long, and values that few rows have.

use std::io;
use std::sync::Arc;

use bytes::Bytes;
use hashbrown::HashMap;
use parquet::basic::Encoding;
use parquet::column::writer::ColumnCloseResult;
use parquet::schema::types::ColumnDescPtr;
use weir_model::push_run;

use super::chunk::{Bounds, Chunk, Compressor};
use super::encoding::{aligned_width, delta, hybrid};

/// Distinct numbers of a column that are written by their place in a dictionary: a read of any page
/// reads the dictionary first.
const DICTIONARY_MAX: usize = 4096;

/// Runs after which a page of a column ends.
const PAGE_RUNS_MAX: usize = 8192;

/// Bytes of values after which a page of texts or arrays ends.
const PAGE_BYTES_MAX: usize = 64 << 10;

/// Bytes of distinct texts that are written by their place in a dictionary: four thousand alarms.
const TEXTS_BYTES_MAX: usize = 128 << 10;

/// Doubles after which a page of them ends.
const PAGE_DOUBLES_MAX: usize = 8192;

/// Doubles from which on splitting them by byte saves more than it costs.
const SPLIT_MIN: usize = 64;

/// The type of a column of numbers, all of which are held as 64 bits.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Number {
    U32,
    I64,
    U64,
    F64,
}

impl Number {
    fn bounds(self, min: u64, max: u64) -> Bounds {
        match self {
            Self::U32 => Bounds::U32(min as u32, max as u32),
            Self::I64 => Bounds::I64(min as i64, max as i64),
            Self::U64 => Bounds::U64(min, max),
            Self::F64 => Bounds::F64(f64::from_bits(min), f64::from_bits(max)),
        }
    }

    fn put(self, out: &mut Vec<u8>, number: u64) {
        match self {
            Self::U32 => out.extend_from_slice(&(number as u32).to_le_bytes()),
            _ => out.extend_from_slice(&number.to_le_bytes()),
        }
    }
}

/// Room that columns write pages in, one after the other.
#[derive(Default)]
pub(crate) struct Scratch {
    pub(crate) body: Vec<u8>,
    pub(crate) integers: Vec<i64>,
    pub(crate) differences: Vec<i64>,
    pub(crate) literals: Vec<u32>,
    pub(crate) runs: Vec<(u32, u32)>,
}

/// A column of numbers that seldom change, or that are few.
pub(crate) struct RunColumn {
    number: Number,
    chunk: Chunk,
    dictionary: Vec<u64>,
    places: HashMap<u64, u32>,
    last: Option<u64>,
    /// Runs of places in the dictionary, or of numbers outside it: see `loose`.
    runs: Vec<(u32, u32)>,
    /// Numbers beyond those that the dictionary takes; a run's place behind it counts these.
    loose: Vec<u64>,
    /// Whether a page of dictionary places was written.
    placed: bool,
    /// Whether a page without them was written. None with them follows it: Spark's vectorized reader takes places
    /// behind such a page, within a batch of rows, for those of the rows before them too.
    each: bool,
    rows: u32,
}

impl RunColumn {
    /// An empty column.
    pub(crate) fn new(column: ColumnDescPtr, number: Number, compressed: bool) -> Self {
        Self {
            number,
            chunk: Chunk::new(column, compressed),
            dictionary: Vec::new(),
            places: HashMap::new(),
            last: None,
            runs: Vec::new(),
            loose: Vec::new(),
            placed: false,
            each: false,
            rows: 0,
        }
    }

    /// Adds a number, so many times.
    pub(crate) fn push(&mut self, number: u64, count: usize) {
        if count == 0 {
            return;
        }
        self.rows += count as u32;
        if self.last == Some(number)
            && let Some((_, times)) = self.runs.last_mut()
        {
            *times += count as u32;
            return;
        }
        self.last = Some(number);
        let place = match self.places.get(&number) {
            Some(place) => *place,
            None if self.dictionary.len() < DICTIONARY_MAX => {
                let place = self.dictionary.len() as u32;
                self.dictionary.push(number);
                self.places.insert(number, place);
                place
            }
            None => {
                self.loose.push(number);
                (DICTIONARY_MAX + self.loose.len() - 1) as u32
            }
        };
        self.runs.push((place, count as u32));
    }

    /// Whether its page is long enough.
    pub(crate) fn is_full(&self) -> bool {
        self.runs.len() >= PAGE_RUNS_MAX
    }

    /// Ends a page.
    pub(crate) fn end_page(
        &mut self,
        compressor: &mut Compressor,
        scratch: &mut Scratch,
    ) -> io::Result<()> {
        if self.rows == 0 {
            return Ok(());
        }
        let bounds = self.bounds();
        scratch.body.clear();
        let as_places = self.loose.is_empty() && !self.each && !self.is_smaller_as_differences();
        let encoding = if as_places {
            self.placed = true;
            let bits = 32 - (self.dictionary.len() as u32 - 1).leading_zeros();
            let width = aligned_width(bits.max(1));
            scratch.body.push(width as u8);
            hybrid::put_runs(&mut scratch.body, width, &self.runs, &mut scratch.literals);
            Encoding::RLE_DICTIONARY
        } else {
            self.each = true;
            self.put_each(scratch)
        };
        self.chunk.add_page(compressor, &scratch.body, encoding, self.rows, Some(bounds))?;
        self.runs.clear();
        self.loose.clear();
        self.last = None;
        self.rows = 0;
        Ok(())
    }

    /// Whether nearly every row has another number, of very many: such as rise with the rows.
    fn is_smaller_as_differences(&self) -> bool {
        let many = self.dictionary.len() > 256 && self.runs.len() * 4 > self.rows as usize;
        many && self.number == Number::U64
    }

    fn put_each(&self, scratch: &mut Scratch) -> Encoding {
        let each = self.runs.iter().flat_map(|(place, count)| {
            std::iter::repeat_n(self.number_at(*place), *count as usize)
        });
        if self.number == Number::F64 {
            each.for_each(|number| self.number.put(&mut scratch.body, number));
            return Encoding::PLAIN;
        }
        scratch.integers.clear();
        scratch.integers.extend(each.map(|number| number as i64));
        let Scratch { body, integers, differences, .. } = scratch;
        match self.number {
            Number::U32 => delta::put_integers_32(body, integers, differences),
            _ => delta::put_integers(body, integers, differences),
        }
        Encoding::DELTA_BINARY_PACKED
    }

    fn number_at(&self, place: u32) -> u64 {
        let loose = || self.loose[place as usize - DICTIONARY_MAX];
        self.dictionary.get(place as usize).copied().unwrap_or_else(loose)
    }

    fn bounds(&self) -> Bounds {
        let numbers = self.runs.iter().map(|(place, _)| self.number_at(*place));
        let bounds = numbers.map(|number| self.number.bounds(number, number)).reduce(Bounds::join);
        bounds.unwrap_or(self.number.bounds(0, 0))
    }

    /// Ends the column.
    pub(crate) fn finish(
        mut self,
        compressor: &mut Compressor,
        scratch: &mut Scratch,
    ) -> io::Result<(Bytes, ColumnCloseResult)> {
        self.end_page(compressor, scratch)?;
        scratch.body.clear();
        for number in &self.dictionary {
            self.number.put(&mut scratch.body, *number);
        }
        let dictionary = self.placed.then_some((&scratch.body[..], self.dictionary.len()));
        let statistics = self.chunk.statistics(0);
        self.chunk.finish(compressor, dictionary, statistics)
    }
}

/// Which rows have a value in a column that few have one in.
#[derive(Default)]
struct Levels {
    runs: Vec<(u32, u32)>,
    rows: u32,
    nulls: u64,
}

impl Levels {
    fn push(&mut self, present: bool, count: usize) {
        push_run(&mut self.runs, present.into(), count as u32);
        self.rows += count as u32;
        self.nulls += if present { 0 } else { count as u64 };
    }

    /// Begins a page's body with them; gives its rows.
    fn begin(&mut self, scratch: &mut Scratch) -> u32 {
        let body = &mut scratch.body;
        body.clear();
        body.extend_from_slice(&[0; 4]);
        hybrid::put_runs(body, 1, &self.runs, &mut scratch.literals);
        let length = (body.len() - 4) as u32;
        body[..4].copy_from_slice(&length.to_le_bytes());
        self.runs.clear();
        std::mem::take(&mut self.rows)
    }
}

/// Doubles that are kept as they are.
pub(crate) struct DoubleColumn {
    chunk: Chunk,
    levels: Levels,
    values: Vec<f64>,
}

impl DoubleColumn {
    /// An empty column.
    pub(crate) fn new(column: ColumnDescPtr) -> Self {
        Self { chunk: Chunk::new(column, true), levels: Levels::default(), values: Vec::new() }
    }

    /// Adds rows without a value here.
    pub(crate) fn skip(&mut self, count: usize) {
        self.levels.push(false, count);
    }

    /// Adds a double.
    pub(crate) fn push(&mut self, value: f64) {
        self.levels.push(true, 1);
        self.values.push(value);
    }

    /// Whether its page is long enough.
    pub(crate) fn is_full(&self) -> bool {
        self.values.len() >= PAGE_DOUBLES_MAX
    }

    /// Ends a page.
    pub(crate) fn end_page(
        &mut self,
        compressor: &mut Compressor,
        scratch: &mut Scratch,
    ) -> io::Result<()> {
        if self.levels.rows == 0 {
            return Ok(());
        }
        let rows = self.levels.begin(scratch);
        let body = &mut scratch.body;
        let encoding = if self.values.len() < SPLIT_MIN {
            self.values.iter().for_each(|x| body.extend_from_slice(&x.to_le_bytes()));
            Encoding::PLAIN
        } else {
            for byte in 0..8 {
                body.extend(self.values.iter().map(|x| x.to_le_bytes()[byte]));
            }
            Encoding::BYTE_STREAM_SPLIT
        };
        self.values.clear();
        self.chunk.add_page(compressor, body, encoding, rows, None)
    }

    /// Ends the column.
    pub(crate) fn finish(
        mut self,
        compressor: &mut Compressor,
        scratch: &mut Scratch,
    ) -> io::Result<(Bytes, ColumnCloseResult)> {
        self.end_page(compressor, scratch)?;
        let statistics = self.chunk.statistics(self.levels.nulls);
        self.chunk.finish(compressor, None, statistics)
    }
}

/// Texts, which repeat, or bytes, which do not.
pub(crate) struct BytesColumn {
    chunk: Chunk,
    levels: Levels,
    places: Option<HashMap<Arc<[u8]>, u32>>,
    /// The distinct values that have a place, as a dictionary page holds them.
    dictionary: Vec<u8>,
    /// Runs of places, or nothing where the page holds values as they are.
    runs: Vec<(u32, u32)>,
    values: Vec<u8>,
    placed: bool,
    /// Whether a page of values as they are was written: see [`RunColumn`].
    each: bool,
}

impl BytesColumn {
    /// An empty column.
    pub(crate) fn new(column: ColumnDescPtr, repeats: bool) -> Self {
        Self {
            chunk: Chunk::new(column, true),
            levels: Levels::default(),
            places: repeats.then(HashMap::new),
            dictionary: Vec::new(),
            runs: Vec::new(),
            values: Vec::new(),
            placed: false,
            each: false,
        }
    }

    /// Adds rows without a value here.
    pub(crate) fn skip(&mut self, count: usize) {
        self.levels.push(false, count);
    }

    /// Adds a value.
    pub(crate) fn push(
        &mut self,
        value: &[u8],
        compressor: &mut Compressor,
        scratch: &mut Scratch,
    ) -> io::Result<()> {
        // A page has places or values as they are, not both. One that has values keeps to them: with a
        // page for each value that has a place among many that have none, pages would be longer than values.
        let may_have_place = self.values.is_empty() && !self.each;
        let place = if may_have_place { self.place(value) } else { None };
        if place.is_none() && !self.runs.is_empty() {
            self.end_page(compressor, scratch)?;
        }
        self.levels.push(true, 1);
        match place {
            Some(place) => push_run(&mut self.runs, place, 1),
            None => put_bytes(&mut self.values, value),
        }
        Ok(())
    }

    fn place(&mut self, value: &[u8]) -> Option<u32> {
        let places = self.places.as_mut()?;
        if let Some(place) = places.get(value) {
            return Some(*place);
        }
        if self.dictionary.len() + value.len() + 4 > TEXTS_BYTES_MAX {
            return None;
        }
        let place = places.len() as u32;
        places.insert(value.into(), place);
        put_bytes(&mut self.dictionary, value);
        Some(place)
    }

    /// Whether its page is long enough.
    pub(crate) fn is_full(&self) -> bool {
        self.values.len() >= PAGE_BYTES_MAX || self.runs.len() >= PAGE_RUNS_MAX
    }

    /// Ends a page.
    pub(crate) fn end_page(
        &mut self,
        compressor: &mut Compressor,
        scratch: &mut Scratch,
    ) -> io::Result<()> {
        if self.levels.rows == 0 {
            return Ok(());
        }
        let rows = self.levels.begin(scratch);
        let encoding = if self.runs.is_empty() {
            self.each |= !self.values.is_empty();
            scratch.body.append(&mut self.values);
            Encoding::PLAIN
        } else {
            self.placed = true;
            let count = self.places.as_ref().map_or(1, HashMap::len) as u32;
            let width = aligned_width((32 - (count - 1).leading_zeros()).max(1));
            scratch.body.push(width as u8);
            hybrid::put_runs(&mut scratch.body, width, &self.runs, &mut scratch.literals);
            self.runs.clear();
            Encoding::RLE_DICTIONARY
        };
        self.chunk.add_page(compressor, &scratch.body, encoding, rows, None)
    }

    /// Ends the column.
    pub(crate) fn finish(
        mut self,
        compressor: &mut Compressor,
        scratch: &mut Scratch,
    ) -> io::Result<(Bytes, ColumnCloseResult)> {
        self.end_page(compressor, scratch)?;
        let count = self.places.as_ref().map_or(0, HashMap::len);
        let dictionary = self.placed.then_some((&self.dictionary[..], count));
        let statistics = self.chunk.statistics(self.levels.nulls);
        self.chunk.finish(compressor, dictionary, statistics)
    }
}

fn put_bytes(out: &mut Vec<u8>, value: &[u8]) {
    out.extend_from_slice(&(value.len() as u32).to_le_bytes());
    out.extend_from_slice(value);
}
