//! Random bytes on every open port while somebody works.

use std::net::{SocketAddr, ToSocketAddrs};
use std::time::{Duration, Instant};

use weir_it::{Weir, throw_noise};

/// A short storm on every run; `cargo xtask soak bytes` storms for ten minutes.
const STORM: Duration = Duration::from_secs(5);

#[test]
fn random_bytes_disturb_nobody() {
    let data = tempfile::tempdir().unwrap();
    let mut weir = Weir::demo(data.path()).unwrap();
    let api = weir.api().with_token(&weir.ready_text("token"));
    let mut ports: Vec<SocketAddr> = Vec::new();
    let own = weir.ready_text("url").trim_start_matches("http://").to_owned();
    ports.extend(own.to_socket_addrs().unwrap());
    for device in api.list("/api/v1/devices").unwrap() {
        let settings = &device["settings"];
        if let Some(port) = settings["port"].as_u64() {
            ports.push(SocketAddr::from(([127, 0, 0, 1], port as u16)));
        } else if let Some((_, peer)) = settings["url"].as_str().and_then(|u| u.split_once("://")) {
            ports.push(peer.parse().unwrap());
        }
    }
    ports.sort_unstable();
    ports.dedup();
    let until = Instant::now() + STORM;
    let storms: Vec<_> =
        ports.iter().map(|&port| std::thread::spawn(move || throw_noise(port, until))).collect();
    let mut served = 0u32;
    while Instant::now() < until {
        assert_eq!(api.get("/api/v1/tags?limit=5").unwrap().status, 200);
        served += 1;
    }
    for storm in storms {
        let noise = storm.join().unwrap().unwrap();
        assert!(noise.connections > 0);
        println!("{noise:?}");
    }
    assert!(weir.running().unwrap(), "it crashed");
    println!("{served} requests were served meanwhile");
    weir.stop().unwrap();
}
