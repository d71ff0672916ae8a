//! Settings as the command line sees them.

use std::path::{Path, PathBuf};

use weir_node::config::{self, Loaded};

use crate::args::{ConfigCommand, ConfigFormat, Global};
use crate::output;

/// The file that is read when none is named.
const FILE: &str = "weir.toml";

/// Loads the settings with the global flags and those of the command.
pub(crate) fn load(
    global: &Global,
    flags: &[(&str, &str, String)],
) -> Result<Loaded, config::ConfigError> {
    let mut flags = flags.to_vec();
    if let Some(dir) = &global.data {
        flags.push(("--data", "data.dir", dir.display().to_string()));
    }
    let file =
        global.config.clone().or_else(|| Path::new(FILE).exists().then(|| PathBuf::from(FILE)));
    config::load(file.as_deref(), std::env::vars(), &flags)
}

/// `weir config show`
pub(crate) fn show(command: &ConfigCommand, global: &Global) -> anyhow::Result<()> {
    let ConfigCommand::Show { format } = command;
    let rows = load(global, &[])?.rows();
    if let Some(ConfigFormat::Toml) = format {
        let mut section = "";
        for row in &rows {
            let (head, key) = row.key.split_once('.').unwrap_or(("", &row.key));
            if head != section {
                let gap = if section.is_empty() { "" } else { "\n" };
                output::line(&format!("{gap}[{head}]"))?;
                section = head;
            }
            output::line(&format!("{key} = {}  # {}", row.value, row.source))?;
        }
        return Ok(());
    }
    let items: Vec<_> = rows.iter().map(serde_json::to_value).collect::<Result<_, _>>()?;
    output::table(
        &items,
        global.json,
        &[("SETTING", "/key"), ("VALUE", "/value"), ("FROM", "/source")],
    )
}
