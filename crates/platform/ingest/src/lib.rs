//! Samples as other systems send them: InfluxDB line protocol and Prometheus remote write, read into
//! columns.
//!
//! A reader walks the bytes once, asks which tag a series is ([`Lookup`]) and fills the columns of a
//! [`Samples`](weir_model::Samples). What it learned of a series it keeps in a [`SeriesCache`] under
//! the very bytes that were sent, so that the next request with them asks nobody. It does no I/O,
//! unpacks nothing and knows neither HTTP nor who may see which tag: that is the lookup's business.
//!
//! ```
//! use weir_ingest::{Found, Lookup, Precision, Read, Series, SeriesCache, TagFacts, Unknown, line};
//! use weir_model::{DataType, TagId, Timestamp};
//!
//! struct Plant;
//! impl Lookup for Plant {
//!     fn find(&self, series: &Series<'_>) -> Result<Found, Unknown> {
//!         match series.name().as_str() {
//!             "88.100/furnace" => Ok(TagFacts { tag: TagId(7), data_type: DataType::F64 }.into()),
//!             name => Err(Unknown::Refused(format!("there is no tag {name}"))),
//!         }
//!     }
//! }
//!
//! let (cache, now) = (SeriesCache::new(1 << 20), Timestamp::from_nanos(0));
//! let body = "88.100/furnace value=812.5 1795420800000000000\n";
//! let mut room = |_| Ok::<(), ()>(());
//! let read = line::read(body, Precision::Nanoseconds, now, &cache.at(1), &Plant, &mut room);
//! let Ok(Read::Samples(samples)) = read else { panic!() };
//! assert_eq!(samples.tags(), [TagId(7)]);
//! ```

mod budget;
mod columns;
mod error;
pub mod line;
mod name;
mod number;
pub mod remote_write;
mod series;
mod wire;

pub use budget::Budget;
pub use columns::{Read, SAMPLES_MAX};
pub use error::{FAULTS_MAX, Fault, FaultKind, ReadError};
pub use line::Precision;
pub use name::{NAME_BYTES_MAX, Series};
pub use series::{
    CREATED_MAX, Found, Lookup, NewTag, Revision, SERIES_BYTES_MAX, SeriesCache, TagFacts, Unknown,
};
