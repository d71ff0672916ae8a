//! `cargo xtask dist`: the release archive.

use std::path::Path;
use std::{env, fs};

use anyhow::{Context, Result, bail};

use crate::prerequisites::{self, Need};
use crate::process::{self, cargo, root, target};
use crate::{console, metadata};

/// Shells whose completions go into the archive.
const SHELLS: &[&str] = &["bash", "zsh", "fish"];

/// Packs a folder so that equal content gives equal bytes, and prints the archive's SHA-256.
const PACK: &str = r#"
import gzip, hashlib, sys, tarfile
folder, name, archive = sys.argv[1:4]
def same(entry):
    entry.mtime = entry.uid = entry.gid = 0
    entry.uname = entry.gname = ""
    return entry
with open(archive, "wb") as raw, gzip.GzipFile("", "wb", 9, raw, 0) as packed:
    with tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as tar:
        tar.add(folder, arcname=name, filter=same)
print(hashlib.sha256(open(archive, "rb").read()).hexdigest())
"#;

pub(crate) fn run() -> Result<()> {
    let missing = prerequisites::missing(&[Need::Node, Need::Python, Need::Cc]);
    if !missing.is_empty() {
        bail!("{}", missing.join("\n       "));
    }
    console::build()?;
    process::run(&mut cargo(&["build", "--release", "--locked", "--workspace", "--bin", "weir"]))?;
    let program = target().join("release").join("weir").with_extension(env::consts::EXE_EXTENSION);
    let version = version()?;
    let name = format!("weir-{version}-{}-{}", env::consts::ARCH, env::consts::OS);
    let folder = target().join("dist").join(&name);
    if folder.exists() {
        fs::remove_dir_all(&folder)?;
    }
    fs::create_dir_all(folder.join("completions"))?;
    copy(&program, &folder)?;
    for file in ["README.md", "LICENSE", "CHANGELOG.md", "plant/data/LICENSE-TEP.txt"] {
        copy(&root().join(file), &folder)?;
    }
    let weir =
        |args: &[&str]| process::output(process::command(&program.to_string_lossy()).args(args));
    for shell in SHELLS {
        let file = folder.join("completions").join(format!("weir.{shell}"));
        fs::write(file, weir(&["completions", shell])?)?;
    }
    fs::write(folder.join("weir.1"), weir(&["man"])?)?;

    let archive = target().join("dist").join(format!("{name}.tar.gz"));
    let mut pack = process::command("python3");
    pack.args(["-c", PACK]).arg(&folder).arg(&name).arg(&archive);
    let digest = process::output(&mut pack)?;
    let digest = digest.trim();
    let sum = format!("{digest}  {name}.tar.gz\n");
    fs::write(archive.with_extension("gz.sha256"), &sum)?;
    let bytes = fs::metadata(&archive)?.len();
    println!("{} ({:.1} MB)\n{sum}", archive.display(), bytes as f64 / 1e6);
    Ok(())
}

fn copy(file: &Path, folder: &Path) -> Result<()> {
    let name = file.file_name().context("a file has a name")?;
    fs::copy(file, folder.join(name)).with_context(|| format!("cannot copy {}", file.display()))?;
    Ok(())
}

fn version() -> Result<String> {
    let metadata = metadata::load()?;
    let weir = metadata.members().find(|package| package.name == "weir");
    Ok(weir.context("there is no crate weir")?.version.clone())
}
