//! A broker to which everybody may connect, for trying clients and test suites against.
//!
//! `cargo run -p weir-broker --example open_broker -- DIR [ADDRESS] [WEBSOCKET-ADDRESS]`
//!
//! It prints its addresses and serves until its standard input ends. Anybody may publish and
//! subscribe, but to `test/nosubscribe` nobody may subscribe, as Paho's suite expects.

use std::io::Read as _;
use std::sync::Arc;

use futures::future::{BoxFuture, FutureExt, ready};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use weir_broker::{Act, Broker, BrokerOptions, Denied, Gate, Login, Principal};
use weir_model::TenantId;

struct Everybody;

impl Gate for Everybody {
    fn authenticate<'a>(&'a self, _: Login<'a>) -> BoxFuture<'a, Result<Principal, Denied>> {
        ready(Ok(Principal::new(TenantId(1), "anonymous"))).boxed()
    }

    fn may(&self, _: &Principal, act: Act, topic: &str) -> bool {
        act == Act::Publish || topic != "test/nosubscribe"
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let dir = arguments.next().ok_or("the first argument is the folder of the journal")?;
    let address = arguments.next().unwrap_or_else(|| "127.0.0.1:0".to_owned());
    let mut options = BrokerOptions::new(dir);
    options.limits.keep_alive_seconds_max = 60; // Paho's suite asks for 120 and expects to get this
    let broker = Broker::open(options, Arc::new(Everybody))?;
    let stop = CancellationToken::new();
    let listener = TcpListener::bind(address).await?;
    println!("{}", listener.local_addr()?);
    let serving = broker.clone();
    let token = stop.clone();
    tokio::spawn(async move { serving.serve_tcp(listener, token).await });
    if let Some(address) = arguments.next() {
        let listener = TcpListener::bind(address).await?;
        println!("{}", listener.local_addr()?);
        let (serving, token) = (broker.clone(), stop.clone());
        tokio::spawn(async move { serving.serve_websocket(listener, None, token).await });
    }
    tokio::task::spawn_blocking(|| std::io::stdin().read_to_end(&mut Vec::new())).await??;
    stop.cancel();
    broker.shutdown().await;
    Ok(())
}
