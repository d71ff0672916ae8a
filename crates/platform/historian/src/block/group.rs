//! A row group on its way into the file: rows come in pages, pages become columns at once.

use std::io::{self, Write};

use parquet::basic::Encoding;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::types::SchemaDescriptor;
use weir_model::push_run;

use super::chunk::{Bounds, Chunk, Compressor, io_error};
use super::columns::{BytesColumn, DoubleColumn, Number, RunColumn, Scratch};
use super::encoding::delta;
use super::scale::{self, Scale};
use super::schema::{column, kind};
use super::steps;
use super::times;

/// Rows whose tags, times and numbers wait to become a page.
#[derive(Default)]
pub(crate) struct Pending {
    /// Runs of tags.
    pub(crate) tags: Vec<(u32, u32)>,
    /// Nanoseconds since the epoch.
    pub(crate) times: Vec<i64>,
    /// Runs of kinds, but [`kind::SINGLE`], which is found out here.
    pub(crate) kinds: Vec<(u32, u32)>,
    /// Runs of codes of qualities.
    pub(crate) qualities: Vec<(u32, u32)>,
    /// The 64 bits of each number; anything where there is none.
    pub(crate) numbers: Vec<u64>,
}

impl Pending {
    /// Takes rows off the end but for so many.
    pub(crate) fn split_off(&mut self, rows: usize) -> Self {
        Self {
            tags: split_runs(&mut self.tags, rows),
            times: self.times.split_off(rows),
            kinds: split_runs(&mut self.kinds, rows),
            qualities: split_runs(&mut self.qualities, rows),
            numbers: self.numbers.split_off(rows),
        }
    }
}

fn split_runs(runs: &mut Vec<(u32, u32)>, rows: usize) -> Vec<(u32, u32)> {
    let (mut left, mut place) = (rows as u32, 0);
    while let Some((_, count)) = runs.get(place).filter(|(_, count)| *count <= left) {
        left -= count;
        place += 1;
    }
    let rest = runs[place..].iter().enumerate();
    // The run that both parts have is divided.
    let rest = rest.map(|(index, (number, count))| match index {
        0 => (*number, count - left),
        _ => (*number, *count),
    });
    let rest = rest.collect();
    if let Some((_, count)) = runs.get_mut(place).filter(|_| left > 0) {
        *count = left;
        place += 1;
    }
    runs.truncate(place);
    rest
}

/// The columns of a row group.
pub(crate) struct Group {
    rows: usize,
    tag: RunColumn,
    time: Chunk,
    nanos: RunColumn,
    kind: RunColumn,
    k: Chunk,
    k_steps_max: Option<u8>,
    /// Whether a page of `k` without a dictionary was written: none with one follows it. See
    /// [`RunColumn`].
    k_each: bool,
    o: RunColumn,
    g: RunColumn,
    p: RunColumn,
    f64: DoubleColumn,
    pub(crate) text: BytesColumn,
    pub(crate) bytes: BytesColumn,
    pub(crate) quality: RunColumn,
    pub(crate) position: RunColumn,
}

/// What pages are made with, for all groups of a block.
pub(crate) struct Press {
    pub(crate) compressor: Compressor,
    pub(crate) scratch: Scratch,
    /// Whether every way of writing a page is tried.
    pub(crate) thorough: bool,
    integers: Vec<i64>,
    doubles: Vec<f64>,
    exact: Vec<bool>,
    steps: Vec<i64>,
    millis: Vec<i64>,
    other: Vec<u8>,
}

impl Press {
    /// Compresses at a level.
    pub(crate) fn new(level: i32, thorough: bool) -> io::Result<Self> {
        Ok(Self {
            compressor: Compressor::new(level)?,
            scratch: Scratch::default(),
            thorough,
            integers: Vec::new(),
            doubles: Vec::new(),
            exact: Vec::new(),
            steps: Vec::new(),
            millis: Vec::new(),
            other: Vec::new(),
        })
    }
}

impl Group {
    /// An empty group.
    pub(crate) fn new(schema: &SchemaDescriptor) -> Self {
        let run = |index, number| RunColumn::new(schema.column(index), number, true);
        Self {
            rows: 0,
            tag: RunColumn::new(schema.column(column::TAG), Number::U32, false),
            time: Chunk::new(schema.column(column::TIME), true),
            nanos: run(column::NANOS, Number::U32),
            kind: run(column::KIND, Number::U32),
            k: Chunk::new(schema.column(column::K), true),
            k_steps_max: None,
            k_each: false,
            o: run(column::O, Number::I64),
            g: run(column::G, Number::I64),
            p: run(column::P, Number::F64),
            f64: DoubleColumn::new(schema.column(column::F64)),
            text: BytesColumn::new(schema.column(column::TEXT), true),
            bytes: BytesColumn::new(schema.column(column::BYTES), false),
            quality: run(column::QUALITY, Number::U32),
            position: run(column::POSITION, Number::U64),
        }
    }

    /// Rows of its pages.
    pub(crate) fn rows(&self) -> usize {
        self.rows
    }

    /// Makes a page of rows. Their qualities, positions, texts and arrays are in their columns.
    pub(crate) fn add(&mut self, pending: &mut Pending, press: &mut Press) -> io::Result<()> {
        press.steps.clear();
        press.millis.clear();
        let (mut from, mut kinds) = (0, pending.kinds.iter().copied());
        let mut left = kinds.next();
        let mut of_tag = Vec::new();
        for &(tag, rows) in &pending.tags {
            self.tag.push(tag.into(), rows as usize);
            let span = from..from + rows as usize;
            times::split(&pending.times[span.clone()], &mut press.millis, |nanos, count| {
                self.nanos.push(nanos.into(), count);
            });
            of_tag.clear();
            let mut wanted = rows;
            while let Some((kind, count)) = left.filter(|_| wanted > 0) {
                let taken = count.min(wanted);
                of_tag.push((kind as u8, taken as usize));
                wanted -= taken;
                left = if taken == count { kinds.next() } else { Some((kind, count - taken)) };
            }
            self.add_numbers(&of_tag, &pending.numbers[span.clone()], press);
            from = span.end;
        }
        let rows = from as u32;
        self.rows += from;
        self.tag.end_page(&mut press.compressor, &mut press.scratch)?;
        self.end_time_page(press, rows)?;
        self.end_steps_page(press, rows)?;
        pending.tags.clear();
        pending.times.clear();
        pending.kinds.clear();
        pending.qualities.clear();
        pending.numbers.clear();
        self.end_full_pages(press)
    }

    /// Writes the numbers of one tag: a scale for each stretch of numbers of one class.
    fn add_numbers(&mut self, kinds: &[(u8, usize)], numbers: &[u64], press: &mut Press) {
        let (mut kinds, mut numbers) = (kinds, numbers);
        while !kinds.is_empty() {
            let class = kinds.iter().find_map(|(kind, _)| Class::of(*kind));
            let fits = |(kind, _): &(u8, usize)| Class::of(*kind).is_none_or(|c| Some(c) == class);
            let runs = kinds.iter().take_while(|run| fits(run)).count();
            let rows = kinds[..runs].iter().map(|(_, count)| count).sum();
            let (here, rest) = numbers.split_at(rows);
            self.add_stretch(class, &kinds[..runs], here, press);
            (kinds, numbers) = (&kinds[runs..], rest);
        }
    }

    fn add_stretch(
        &mut self,
        class: Option<Class>,
        kinds: &[(u8, usize)],
        numbers: &[u64],
        press: &mut Press,
    ) {
        let Press { integers, doubles, exact, .. } = press;
        let (mut scale, mut exceptions) = (Some(Scale::ONE), false);
        integers.clear();
        match class {
            None => {}
            Some(Class::Double) => {
                doubles.clear();
                doubles.extend(with_numbers(kinds, numbers).map(f64::from_bits));
                (scale, exceptions) = scale::scale_doubles(doubles, integers, exact);
            }
            Some(Class::Integer) => {
                integers.extend(with_numbers(kinds, numbers).map(|number| number as i64));
                let (origin, grain) = scale::steps(integers, None);
                scale = Some(Scale { origin, grain, ..Scale::ONE });
            }
        }
        let used = scale.unwrap_or(Scale::ONE);
        self.o.push(used.origin as u64, numbers.len());
        self.g.push(used.grain as u64, numbers.len());
        self.p.push(used.divisor.to_bits(), numbers.len());
        self.add_kinds(kinds, scale, exceptions, press);
    }

    /// Writes kinds, steps, and the doubles that are kept as they are. A row without a step
    /// repeats the one before it.
    fn add_kinds(
        &mut self,
        kinds: &[(u8, usize)],
        scale: Option<Scale>,
        exceptions: bool,
        press: &mut Press,
    ) {
        let Press { integers, doubles, exact, steps, .. } = press;
        let (mut at, mut step) = (0, integers.first().copied().unwrap_or_default());
        for &(kind, count) in kinds {
            let span = at..at + count;
            match Class::of(kind) {
                None => {
                    self.kind.push(kind.into(), count);
                    self.f64.skip(count);
                    steps.extend(std::iter::repeat_n(step, count));
                    continue;
                }
                Some(Class::Double) if exceptions => {
                    let single = scale.is_some_and(|scale| scale.single);
                    for row in span.clone() {
                        let exact = scale.is_some() && exact[row];
                        let single = single && exact;
                        self.kind.push(if single { kind::SINGLE } else { kind }.into(), 1);
                        if exact { self.f64.skip(1) } else { self.f64.push(doubles[row]) }
                    }
                }
                Some(_) => {
                    let single = scale.is_some_and(|scale| scale.single);
                    self.kind.push(if single { kind::SINGLE } else { kind }.into(), count);
                    self.f64.skip(count);
                }
            }
            match scale {
                Some(_) => steps.extend_from_slice(&integers[span.clone()]),
                None => steps.extend(std::iter::repeat_n(step, count)),
            }
            step = steps.last().copied().unwrap_or_default();
            at = span.end;
        }
    }

    fn end_time_page(&mut self, press: &mut Press, rows: u32) -> io::Result<()> {
        let Press { compressor, scratch, millis, .. } = press;
        let min = millis.iter().copied().min().unwrap_or_default();
        let max = millis.iter().copied().max().unwrap_or_default();
        scratch.body.clear();
        delta::put_integers(&mut scratch.body, millis, &mut scratch.differences);
        let (encoding, bounds) = (Encoding::DELTA_BINARY_PACKED, Bounds::I64(min, max));
        self.time.add_page(compressor, &scratch.body, encoding, rows, Some(bounds))
    }

    fn end_steps_page(&mut self, press: &mut Press, rows: u32) -> io::Result<()> {
        let Press { compressor, scratch, steps, other, thorough, .. } = press;
        let choice = steps::choose(steps);
        let as_places = |scratch: &mut Scratch, out: &mut Vec<u8>, max: u8| {
            scratch.runs.clear();
            steps.iter().for_each(|k| push_run(&mut scratch.runs, *k as u32, 1));
            steps::put_places(out, max, &scratch.runs, &mut scratch.literals);
        };
        let mut encoding = Encoding::DELTA_BINARY_PACKED;
        scratch.body.clear();
        let mut body = std::mem::take(&mut scratch.body);
        match choice.places.filter(|_| !self.k_each) {
            Some(max) if choice.is_clear && choice.places_are_smaller && !*thorough => {
                as_places(scratch, &mut body, max);
                encoding = Encoding::RLE_DICTIONARY;
            }
            Some(max) if *thorough || !choice.is_clear => {
                delta::put_integers(&mut body, steps, &mut scratch.differences);
                other.clear();
                as_places(scratch, other, max);
                if compressor.compress(other)?.len() < compressor.compress(&body)?.len() {
                    std::mem::swap(&mut body, other);
                    encoding = Encoding::RLE_DICTIONARY;
                }
            }
            _ => delta::put_integers(&mut body, steps, &mut scratch.differences),
        }
        self.k_each |= encoding != Encoding::RLE_DICTIONARY;
        if encoding == Encoding::RLE_DICTIONARY {
            self.k_steps_max = self.k_steps_max.max(choice.places);
        }
        let added = self.k.add_page(compressor, &body, encoding, rows, None);
        scratch.body = body;
        added
    }

    fn end_full_pages(&mut self, press: &mut Press) -> io::Result<()> {
        let Press { compressor, scratch, .. } = press;
        for column in [
            &mut self.nanos,
            &mut self.kind,
            &mut self.o,
            &mut self.g,
            &mut self.p,
            &mut self.quality,
            &mut self.position,
        ] {
            if column.is_full() {
                column.end_page(compressor, scratch)?;
            }
        }
        for column in [&mut self.text, &mut self.bytes] {
            if column.is_full() {
                column.end_page(compressor, scratch)?;
            }
        }
        if self.f64.is_full() {
            self.f64.end_page(compressor, scratch)?;
        }
        Ok(())
    }

    /// Ends the group and writes it.
    pub(crate) fn write<W: Write + Send>(
        self,
        file: &mut SerializedFileWriter<W>,
        press: &mut Press,
    ) -> io::Result<()> {
        let Press { compressor, scratch, .. } = press;
        let dictionary = self.k_steps_max.map(steps::dictionary);
        let dictionary = dictionary.as_ref().map(|(bytes, count)| (&bytes[..], *count));
        let (time, k) = (self.time.statistics(0), self.k.statistics(0));
        let chunks = [
            self.tag.finish(compressor, scratch)?,
            self.time.finish(compressor, None, time)?,
            self.nanos.finish(compressor, scratch)?,
            self.kind.finish(compressor, scratch)?,
            self.k.finish(compressor, dictionary, k)?,
            self.o.finish(compressor, scratch)?,
            self.g.finish(compressor, scratch)?,
            self.p.finish(compressor, scratch)?,
            self.f64.finish(compressor, scratch)?,
            self.text.finish(compressor, scratch)?,
            self.bytes.finish(compressor, scratch)?,
            self.quality.finish(compressor, scratch)?,
            self.position.finish(compressor, scratch)?,
        ];
        let mut group = file.next_row_group().map_err(io_error)?;
        for (bytes, close) in chunks {
            group.append_column(&bytes, close).map_err(io_error)?;
        }
        group.close().map_err(io_error)?;
        Ok(())
    }
}

/// Numbers that one scale is made for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Class {
    Double,
    Integer,
}

impl Class {
    fn of(kind: u8) -> Option<Self> {
        match kind {
            kind::F64 => Some(Self::Double),
            kind::I64 | kind::U64 | kind::BOOL | kind::ENUMERATION => Some(Self::Integer),
            _ => None,
        }
    }
}

/// The numbers of rows that have one.
fn with_numbers<'a>(
    kinds: &'a [(u8, usize)],
    numbers: &'a [u64],
) -> impl Iterator<Item = u64> + 'a {
    let mut rest = numbers;
    kinds.iter().flat_map(move |(kind, count)| {
        let (here, after) = rest.split_at(*count);
        rest = after;
        let here = if Class::of(*kind).is_some() { here } else { &[] };
        here.iter().copied()
    })
}
