//! Turns `console/dist`, when it is there, into a table of assets. Needs nothing of npm: plain
//! `cargo build` works without the console and then embeds the page that says how to build it.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

/// Files smaller than this are embedded uncompressed too, and so is every page: nothing is gained
/// by compressing them. A browser accepts gzip, so the rest needs no third copy in the program.
const IDENTITY_BYTES_MAX: u64 = 4096;

fn main() -> io::Result<()> {
    let here = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").unwrap_or_default());
    let dist = here.join("../dist");
    println!("cargo:rerun-if-changed=build.rs");
    // Cargo watches a folder with all that is in it, but counts a missing one as changed at every
    // build, and all that depends on this crate with it. So an empty one is made; where that is
    // not allowed, builds are only slower.
    let _ = fs::create_dir_all(&dist);
    println!("cargo:rerun-if-changed={}", dist.display());
    let table = if dist.join("index.html").is_file() { table(&dist)? } else { missing() };
    let out = PathBuf::from(env::var_os("OUT_DIR").unwrap_or_default());
    fs::write(out.join("table.rs"), table)
}

fn missing() -> String {
    "pub(crate) const BUILT: bool = false;\npub(crate) static ASSETS: &[(&str, crate::Asset)] = &[];\n"
        .to_owned()
}

fn table(dist: &Path) -> io::Result<String> {
    let mut files = BTreeMap::new();
    collect(dist, "", &mut files)?;
    let mut out = String::from(
        "pub(crate) const BUILT: bool = true;\n\
         /// Sorted by path, for binary search.\n\
         pub(crate) static ASSETS: &[(&str, crate::Asset)] = &[\n",
    );
    for (path, file) in &files {
        if variant_of(path, &files) {
            continue;
        }
        let bytes = fs::read(file)?;
        let gzip = files.get(&format!("{path}.gz"));
        let brotli = files.get(&format!("{path}.br"));
        let identity =
            path.ends_with(".html") || bytes.len() as u64 <= IDENTITY_BYTES_MAX || gzip.is_none();
        let _ = writeln!(
            out,
            "({path:?}, crate::Asset {{ identity: {}, gzip: {}, brotli: {}, length: {}, \
             content_type: {:?}, etag: {:?}, immutable: {} }}),",
            include(identity.then_some(file)),
            include(gzip),
            include(brotli),
            bytes.len(),
            content_type(path),
            format!("\"{:016x}\"", fnv1a(&bytes)),
            immutable(path),
        );
    }
    out.push_str("];\n");
    Ok(out)
}

fn collect(dir: &Path, prefix: &str, files: &mut BTreeMap<String, PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        let name = format!("{prefix}{}", entry.file_name().to_string_lossy());
        if entry.file_type()?.is_dir() {
            collect(&entry.path(), &format!("{name}/"), files)?;
        } else if !name.ends_with(".map") {
            files.insert(name, entry.path().canonicalize()?);
        }
    }
    Ok(())
}

/// Whether `path` is the compressed form of another file.
fn variant_of(path: &str, files: &BTreeMap<String, PathBuf>) -> bool {
    path.strip_suffix(".gz")
        .or_else(|| path.strip_suffix(".br"))
        .is_some_and(|plain| files.contains_key(plain))
}

fn include(file: Option<&PathBuf>) -> String {
    file.map_or_else(
        || "None".to_owned(),
        |file| format!("Some(include_bytes!({:?}))", file.display().to_string()),
    )
}

/// Vite puts what it names by its content under `assets/`.
fn immutable(path: &str) -> bool {
    path.starts_with("assets/")
}

fn content_type(path: &str) -> &'static str {
    match path.rsplit('.').next().unwrap_or_default() {
        "html" => "text/html; charset=utf-8",
        "js" | "mjs" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "json" => "application/json",
        "webmanifest" => "application/manifest+json",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "jpg" | "jpeg" => "image/jpeg",
        "webp" => "image/webp",
        "ico" => "image/vnd.microsoft.icon",
        "woff2" => "font/woff2",
        "wasm" => "application/wasm",
        "txt" => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    }
}

/// FNV-1a, 64 bits: tells one build's file from another's. Nothing secret hangs on it.
fn fnv1a(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}
