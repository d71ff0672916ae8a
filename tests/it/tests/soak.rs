//! The long loops, run by `cargo xtask soak`.

use std::net::{SocketAddr, ToSocketAddrs};
use std::time::{Duration, Instant};

use weir_it::{Weir, anonymous_kib, kill_cycles, throw_noise};

fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

#[test]
#[ignore = "long: cargo xtask soak kill"]
fn kill() {
    let data = tempfile::tempdir().unwrap();
    let cycles = setting("WEIR_SOAK_TIMES", 300) as u32;
    let mut slowest = Duration::ZERO;
    kill_cycles(data.path(), cycles, |cycle, ledger, start| {
        slowest = slowest.max(start);
        let (samples, documents) = (ledger.samples(), ledger.documents());
        println!(
            "kill {cycle} of {cycles}: {samples} samples, {documents} documents, ready after {start:?}, slowest {slowest:?}"
        );
    })
    .unwrap();
}

#[test]
#[ignore = "long: cargo xtask soak bytes"]
fn bytes() {
    let data = tempfile::tempdir().unwrap();
    let mut weir = Weir::demo(data.path()).unwrap();
    let api = weir.api().with_token(&weir.ready_text("token"));
    let own = weir.ready_text("url").trim_start_matches("http://").to_owned();
    let mut ports: Vec<SocketAddr> = own.to_socket_addrs().unwrap().collect();
    for device in api.list("/api/v1/devices").unwrap() {
        let port = device["settings"]["port"].as_u64().and_then(|port| port.try_into().ok());
        ports.extend(port.map(|port: u16| SocketAddr::from(([127, 0, 0, 1], port))));
    }
    ports.extend(weir.ready_text("mqtt").parse::<SocketAddr>());
    let minutes = setting("WEIR_SOAK_MINUTES", 10);
    let until = Instant::now() + Duration::from_secs(60 * minutes);
    let storms: Vec<_> =
        ports.iter().map(|&port| std::thread::spawn(move || throw_noise(port, until))).collect();
    let (mut after_first, mut minute) = (0, 0u64);
    let start = Instant::now();
    while Instant::now() < until {
        assert_eq!(api.get("/api/v1/tags?limit=5").unwrap().status, 200);
        if start.elapsed().as_secs() / 60 > minute {
            minute += 1;
            let now = anonymous_kib(weir.pid()).unwrap();
            after_first = if minute == 1 { now } else { after_first };
            println!(
                "minute {minute}: {now} KiB, {} KiB since the first",
                now as i64 - after_first as i64
            );
        }
    }
    for storm in storms {
        println!("{:?}", storm.join().unwrap().unwrap());
    }
    assert!(weir.running().unwrap(), "it crashed");
    let growth = anonymous_kib(weir.pid()).unwrap().saturating_sub(after_first);
    assert!(minute < 2 || growth < 5 * 1024, "it grew by {growth} KiB after the first minute");
    weir.stop().unwrap();
}
