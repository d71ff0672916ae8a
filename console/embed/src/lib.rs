//! The console as the program carries it: every file of `console/dist`, already compressed.
//!
//! The table is made by the build script from what `cargo xtask demo` built. Where nothing was
//! built, [`index`] is a page that says so, in Chinese and English. Nothing here knows HTTP; the
//! API chooses a form by `Accept-Encoding` with [`Asset::best`] and writes the headers.
//!
//! ```
//! let index = weir_console::index();
//! assert!(index.content_type.starts_with("text/html"));
//! let (encoding, bytes) = index.best(false, false).unwrap();
//! assert_eq!(encoding, None);
//! assert!(!bytes.is_empty());
//! ```

mod table {
    include!(concat!(env!("OUT_DIR"), "/table.rs"));
}

/// One file of the console.
#[derive(Debug)]
pub struct Asset {
    /// The file as it is; pages and small files only.
    pub identity: Option<&'static [u8]>,
    /// The file in gzip.
    pub gzip: Option<&'static [u8]>,
    /// The file in Brotli.
    pub brotli: Option<&'static [u8]>,
    /// Length of the file as it is, in bytes.
    pub length: usize,
    /// Its media type, for `Content-Type`.
    pub content_type: &'static str,
    /// A strong entity tag of its content, quotes included. With a content coding, weaken it or
    /// send `Vary: Accept-Encoding`.
    pub etag: &'static str,
    /// Whether its name changes whenever its content does, so that it may be cached for ever.
    pub immutable: bool,
}

/// What is served where the console was not built.
static MISSING: Asset = Asset {
    identity: Some(include_bytes!("missing.html")),
    gzip: None,
    brotli: None,
    length: include_bytes!("missing.html").len(),
    content_type: "text/html; charset=utf-8",
    etag: "\"console-not-built\"",
    immutable: false,
};

impl Asset {
    /// The smallest form that the client takes: its `Content-Encoding` (none for the file as it
    /// is) and its bytes. None when the client takes none of the forms that are there, which
    /// deserves status 406; every browser takes gzip.
    pub fn best(&self, brotli: bool, gzip: bool) -> Option<(Option<&'static str>, &'static [u8])> {
        let brotli = self.brotli.filter(|_| brotli).map(|bytes| (Some("br"), bytes));
        let gzip = self.gzip.filter(|_| gzip).map(|bytes| (Some("gzip"), bytes));
        brotli.or(gzip).or(self.identity.map(|bytes| (None, bytes)))
    }
}

/// The file at `path`, which has no leading slash (`assets/index-5f3c.js`).
pub fn asset(path: &str) -> Option<&'static Asset> {
    let found = table::ASSETS.binary_search_by(|(name, _)| (*name).cmp(path)).ok()?;
    Some(&table::ASSETS[found].1)
}

/// The page that every route of the console starts from, or the one that says how to build it.
pub fn index() -> &'static Asset {
    asset("index.html").unwrap_or(&MISSING)
}

/// Whether the console was built before the program was.
pub fn is_built() -> bool {
    table::BUILT
}

/// The paths of all files, in order.
pub fn paths() -> impl Iterator<Item = &'static str> {
    table::ASSETS.iter().map(|(name, _)| *name)
}

#[cfg(test)]
mod tests;
