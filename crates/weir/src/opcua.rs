//! `weir opcua`

use anyhow::bail;
use serde_json::json;

use crate::args::{Global, OpcUa};
use crate::client::{Client, encode};
use crate::output;

const CLIENTS: &[(&str, &str)] = &[
    ("TRUSTED", "/trusted"),
    ("THUMBPRINT", "/certificate/thumbprint"),
    ("APPLICATION", "/application_uri"),
    ("VALID UNTIL", "/certificate/not_after"),
    ("TRUSTED SINCE, LAST REFUSED", "/since"),
    ("SUBJECT", "/certificate/subject"),
];

/// Runs a command about the OPC UA server's clients.
pub(crate) fn run(command: OpcUa, client: &Client, global: &Global) -> anyhow::Result<()> {
    let (thumbprint, done) = match command {
        OpcUa::Clients => return list(client, global),
        OpcUa::Trust { thumbprint } => {
            let thumbprint = plain(&thumbprint);
            client.post(&path(&thumbprint, "/trust"), &json!({}))?;
            (thumbprint, "trusted")
        }
        OpcUa::Distrust { thumbprint } => {
            let thumbprint = plain(&thumbprint);
            client.post(&path(&thumbprint, "/distrust"), &json!({}))?;
            (thumbprint, "no longer trusted")
        }
        OpcUa::Forget { thumbprint } => {
            let thumbprint = plain(&thumbprint);
            client.delete(&path(&thumbprint, ""))?;
            (thumbprint, "forgotten")
        }
    };
    if global.quiet { Ok(()) } else { output::line(&format!("{thumbprint} is {done}")) }
}

fn list(client: &Client, global: &Global) -> anyhow::Result<()> {
    let mut found = client.get("/opcua/clients")?;
    if found["server"].is_null() {
        bail!(
            "the node runs no OPC UA server; start it with `weir serve --opcua 0.0.0.0:4840`, or set \
             opcua.enabled in weir.toml"
        );
    }
    let items = found["items"].take();
    output::table(items.as_array().map_or(&[][..], Vec::as_slice), global.json, CLIENTS)
}

/// Thumbprints are copied from programs that write them in groups and in capitals.
fn plain(thumbprint: &str) -> String {
    thumbprint.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_ascii_lowercase()
}

fn path(thumbprint: &str, act: &str) -> String {
    format!("/opcua/clients/{}{act}", encode(thumbprint))
}
