//! The program's commands, as somebody types them.

use std::path::Path;
use std::process::{Command, Output};

use crate::Weir;

/// A command on a data folder, from within it, that knows of no other node.
///
/// # Panics
/// When there is no program.
pub fn command(data: &Path, words: &[&str]) -> Command {
    let binary = Weir::binary().unwrap_or_else(|error| panic!("{error:#}"));
    let mut command = Command::new(binary);
    command.args(words).arg("--data").arg(data).current_dir(data);
    command.env_remove("WEIR_URL").env_remove("WEIR_TOKEN");
    command
}

/// What such a command says, however it ends.
///
/// # Panics
/// When it does not start.
pub fn weir(data: &Path, words: &[&str]) -> Output {
    command(data, words).output().unwrap_or_else(|error| panic!("{words:?}: {error}"))
}

/// What a command that succeeded printed.
///
/// # Panics
/// When it did not, or printed no text.
#[track_caller]
pub fn out(output: &Output) -> String {
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout.clone()).unwrap_or_else(|_| panic!("no text: {output:?}"))
}
