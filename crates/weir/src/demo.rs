//! `weir demo`: a node, a plant of recorded signals beside it, and the documents that connect them.
//!
//! The demo talks to its own node through the HTTP interface, as a user's program would.

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use anyhow::{Context, bail};
use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};
use weir_model::Timestamp;
use weir_node::Node;
use weir_plant::{Model, ORGANISATION, Options, Plant};

use crate::args::{Demo, Global};
use crate::client::{Client, Refused, encode};
use crate::{config, output, query, run};

/// The data folder unless one is named.
const DATA: &str = "weir-demo";

/// Since when the plant has been calibrated as it is.
const EPOCH: &str = "1970-01-01T00:00:00Z";

/// How long the demo's token lives.
const TOKEN_LIFE: Duration = Duration::from_secs(365 * 24 * 3600);

/// What the demo tells when it is ready; kept in the data folder so that it can tell it again.
#[derive(Debug, Serialize, Deserialize)]
struct Credentials {
    user: String,
    password: String,
    token: String,
    /// The password of the fleet's edge nodes at the broker. Folders of a demo that had no fleet
    /// have none.
    #[serde(default)]
    fleet: Option<String>,
}

/// Runs the demo until it is interrupted.
pub(crate) fn demo(global: &Global, args: &Demo) -> anyhow::Result<()> {
    run::runtime()?.block_on(async {
        let stop = run::stop_signal()?;
        let mut plant = Plant::start(Options {
            speed: args.speed,
            fault: args.fault.into(),
            ..Options::default()
        })
        .await
        .context("could not start the demo plant")?;
        let config = settings(global, args)?;
        run::log_to_stderr(&config, global.quiet || global.json)?;
        let data = config.data.dir.clone();
        let node = Node::start(config.clone(), query::engine(&config)?).await?;
        let model = plant.model().clone();
        // Making the control system's certificate takes as long as the documents do.
        let (credentials, started) = tokio::join!(
            prepare(&node, &data, &model),
            plant.start_control_system(data.join("plant").join("opcua")),
        );
        started.context("could not start the demo plant")?;
        let (credentials, fleet) = credentials?;
        let broker = node.mqtt_address().context("the demo's MQTT broker does not run")?;
        plant.publish(broker, &fleet);
        announce(&node, &credentials, global.json)?;
        stop.cancelled().await;
        node.stop().await;
        plant.stop().await;
        Ok(())
    })
}

fn settings(global: &Global, args: &Demo) -> anyhow::Result<weir_node::config::Config> {
    let mut flags = vec![
        ("demo", "organisation.prefix", ORGANISATION.prefix.to_owned()),
        ("demo", "organisation.name", ORGANISATION.names.en.to_string()),
        ("demo", "organisation.grade", "general".to_owned()),
        // The fleet publishes to the node's own broker.
        ("demo", "mqtt.enabled", "true".to_owned()),
        ("demo", "mqtt.tls", "off".to_owned()),
    ];
    if global.data.is_none() {
        flags.push(("demo", "data.dir", DATA.to_owned()));
    }
    let broker = args.listeners.mqtt;
    if let Some(address) = broker.filter(|address| !address.ip().is_loopback()) {
        bail!(
            "the demo's broker has no TLS and stays on this machine: not {address}, but 127.0.0.1 or [::1]"
        );
    }
    if broker.is_none() {
        flags.push(("demo", "mqtt.address", "127.0.0.1:0".to_owned()));
    }
    flags.extend(args.listeners.settings());
    Ok(config::load(global, &flags)?.config)
}

/// Creates what is missing and points the devices at the ports that the plant opened this time. With
/// the credentials comes the token of the fleet.
async fn prepare(node: &Node, data: &Path, model: &Model) -> anyhow::Result<(Credentials, String)> {
    let file = data.join("demo.json");
    let first = node.first_administrator().map(|f| (f.user.clone(), f.password.clone()));
    let (url, certificate) = (node.url().to_owned(), node.certificate().map(Path::to_owned));
    let model = model.clone();
    tokio::task::spawn_blocking(move || {
        let credentials = match first {
            Some((user, password)) => {
                first_credentials(&file, user, password, &url, certificate.as_deref())?
            }
            None => known_credentials(&file)?,
        };
        let fleet = credentials.fleet.clone().with_context(|| {
            format!(
                "{} was made by a demo whose plant was another one: name another folder with --data, or delete this one",
                data_of(&file).display()
            )
        })?;
        let client = Client::new(url, Some(credentials.token.clone()), certificate.as_deref())?;
        create(&client, &model).context("could not create the demo plant's documents")?;
        Ok((credentials, fleet))
    })
    .await?
}

fn data_of(file: &Path) -> &Path {
    file.parent().unwrap_or(file)
}

fn first_credentials(
    file: &Path,
    user: String,
    password: String,
    url: &str,
    certificate: Option<&Path>,
) -> anyhow::Result<Credentials> {
    let mut client = Client::new(url.to_owned(), None, certificate)?;
    let session = client.sign_in(&user, &password)?;
    let expires = Timestamp::from_system(SystemTime::now() + TOKEN_LIFE);
    let token = |name: &str, scopes: Json| -> anyhow::Result<String> {
        let body = json!({ "name": name, "scopes": scopes, "expires": expires });
        Ok(output::cell(&client.post("/tokens", &body)?, "/token"))
    };
    let fleet = token("demo fleet", json!(["sample:read", "sample:write"]))?;
    let token = token("demo", session["permissions"].clone())?;
    let credentials = Credentials { user, password, token, fleet: Some(fleet) };
    weir_node::private_file::write(file, &serde_json::to_vec_pretty(&credentials)?)
        .with_context(|| format!("could not write {}", file.display()))?;
    Ok(credentials)
}

fn known_credentials(file: &PathBuf) -> anyhow::Result<Credentials> {
    let text = std::fs::read_to_string(file).with_context(|| {
        format!("{} is missing: this data folder was not made by `weir demo`", file.display())
    })?;
    Ok(serde_json::from_str(&text)?)
}

fn create(client: &Client, model: &Model) -> anyhow::Result<()> {
    let organisation = &model.organisation;
    let path = format!("/organisations/{}", encode(organisation.prefix));
    let names = json!(organisation.names.to_map());
    if client.get(&path)?["names"] != names {
        client.patch(&path, &json!({ "names": names }))?;
    }
    let id = |suffix: &str| format!("{}/{suffix}", organisation.prefix);
    for asset in &model.assets {
        let body = json!({
            "id": id(&asset.suffix),
            "name": asset.names.en,
            "names": asset.names.to_map(),
            "level": asset.level,
            "parent": asset.parent.as_deref().map(id),
        });
        create_unless_there(client, "/assets", &id(&asset.suffix), &body, None)?;
    }
    for device in &model.devices {
        let points: Vec<Json> = device.points.iter().map(|point| {
            let scaling = point.scaling.iter();
            json!({
                "id": id(&point.suffix),
                "name": point.names.en,
                "names": point.names.to_map(),
                "description": point.description,
                "unit": point.unit,
                "data_type": point.data_type,
                "labels": point.labels,
                "address": point.address,
                "scaling": scaling.map(|s| json!({ "effective": EPOCH, "factor": s.factor, "offset": s.offset })).collect::<Vec<_>>(),
                "range": point.range,
                "asset": id(&point.asset),
                "write": point.write,
            })
        }).collect();
        let body = json!({
            "id": id(&device.suffix),
            "name": device.names.en,
            "names": device.names.to_map(),
            "protocol": device.protocol,
            "asset": id(&device.asset),
            "settings": device.settings,
            "points": points,
        });
        let moved = json!({ "settings": device.settings });
        create_unless_there(client, "/devices", &id(&device.suffix), &body, Some(&moved))?;
    }
    Ok(())
}

/// Creates a thing; where it is there already, applies `change` instead.
fn create_unless_there(
    client: &Client,
    list: &str,
    id: &str,
    body: &Json,
    change: Option<&Json>,
) -> anyhow::Result<()> {
    let path = format!("{list}/{}", encode(id));
    match (client.get(&path), change) {
        (Ok(_), None) => Ok(()),
        (Ok(_), Some(change)) => client.patch(&path, change).map(drop),
        (Err(error), _) => match error.downcast_ref::<Refused>() {
            Some(refused) if refused.exit_code() == 3 => client.post(list, body).map(drop),
            _ => Err(error),
        },
    }
}

fn announce(node: &Node, credentials: &Credentials, as_json: bool) -> anyhow::Result<()> {
    if as_json {
        return output::line(&json!({
            "url": node.url(),
            "user": credentials.user,
            "password": credentials.password,
            "token": credentials.token,
            "mqtt": node.mqtt_address(),
            "opcua": node.opcua_address(),
            "handle": node.resolver_addresses(),
            "identifiers": node.resolver_web_address(),
        }));
    }
    output::line(&format!(
        "The demo plant runs. Open {}\n  user      {}\n  password  {}\n  token     {}",
        node.url(),
        credentials.user,
        credentials.password,
        credentials.token,
    ))?;
    run::announce_others(node)?;
    output::line(&"Stop it with Ctrl-C.")
}
