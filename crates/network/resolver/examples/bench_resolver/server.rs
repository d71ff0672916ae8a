//! The serving process: the records of a folder, once for each kind of key.

use std::io::Read as _;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use base64::Engine;
use tokio_util::sync::CancellationToken;
use weir_handle::SigningKey;
use weir_resolver::{Authority, Bound, Identity, Registry, ServeOptions};

use crate::{Result, records};

/// Serves until the input closes.
pub(crate) fn run(dir: &Path) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(serve(dir))
}

async fn serve(dir: &Path) -> Result<()> {
    let registry = Arc::new(Registry::open(records::open(dir)?)?);
    let keys = [
        SigningKey::rsa_from_pkcs8(&rsa()?)?,
        SigningKey::ed25519_from_seed(&[7; 32])?,
        SigningKey::sm2_from_secret(&[7; 32])?,
    ];
    let stop = CancellationToken::new();
    let (mut addresses, mut running) = (Vec::new(), Vec::new());
    for key in keys {
        let identity =
            Identity { site: Vec::new(), serial: 1, key: Some(key), administrators: Vec::new() };
        let authority = Arc::new(Authority::new(Arc::clone(&registry), identity));
        let options = ServeOptions {
            addresses: vec![SocketAddr::from(([127, 0, 0, 1], 0))],
            udp_threads: 1,
            ..ServeOptions::default()
        };
        let bound = Bound::listen(options).await?;
        addresses.extend(bound.addresses().iter().map(ToString::to_string));
        running.push(bound.serve(authority, stop.clone())?);
    }
    println!("{}", addresses.join(" "));
    tokio::task::spawn_blocking(|| std::io::stdin().read_to_end(&mut Vec::new())).await??;
    stop.cancel();
    for serving in running {
        serving.stopped().await;
    }
    Ok(())
}

/// The key of the recorded server, which guards nothing.
fn rsa() -> Result<Vec<u8>> {
    let keys = Path::new(env!("CARGO_MANIFEST_DIR")).join("../handle/tests/data/keys.json");
    let keys: serde_json::Value = serde_json::from_str(&std::fs::read_to_string(keys)?)?;
    let pem = keys["server"]["private_key_pkcs8_pem"].as_str().ok_or("no key of a server")?;
    let body: String = pem.lines().filter(|line| !line.starts_with("---")).collect();
    Ok(base64::engine::general_purpose::STANDARD.decode(body)?)
}
