//! The long loops, run by `cargo xtask soak`.

#![expect(clippy::unwrap_used, reason = "a test fails by a panic")]

use std::net::SocketAddr;
use std::path::Path;
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

/// How much the program in the storm may grow after its first minute, in KiB.
const GROWTH_KIB_MAX: i64 = 5 * 1024;

/// A demo under watch: what it holds now and how much it has grown since its first minute.
struct Watched {
    weir: Weir,
    first_kib: Option<i64>,
}

impl Watched {
    fn start(data: &Path) -> Self {
        Self { weir: Weir::demo(data).unwrap(), first_kib: None }
    }

    fn growth_kib(&mut self) -> (i64, i64) {
        let now = i64::try_from(anonymous_kib(self.weir.pid()).unwrap()).unwrap();
        (now, now - *self.first_kib.get_or_insert(now))
    }
}

#[test]
#[ignore = "long: cargo xtask soak bytes"]
fn bytes() {
    let data = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    // A second one that nobody disturbs tells how much of the growth is the demo's own: its live
    // stream and what writing blocks leaves to the allocator fill for some minutes.
    let [mut weir, mut quiet] = data.each_ref().map(|dir| Watched::start(dir.path()));
    let api = weir.weir.api().with_token(&weir.weir.ready_text("token"));
    let ports = listening(weir.weir.pid());
    assert!(ports.len() > 2, "{ports:?}");
    let minutes = setting("WEIR_SOAK_MINUTES", 10);
    let start = Instant::now();
    let until = start + Duration::from_secs(60 * minutes);
    let storms: Vec<_> =
        ports.iter().map(|&port| std::thread::spawn(move || throw_noise(port, until))).collect();
    let (mut minute, mut growth) = (0, 0);
    while minute < minutes {
        assert_eq!(api.get("/api/v1/tags?limit=5").unwrap().status, 200);
        if start.elapsed().as_secs() / 60 > minute {
            minute += 1;
            let ((now, grown), (calm, calm_grown)) = (weir.growth_kib(), quiet.growth_kib());
            growth = grown;
            println!(
                "minute {minute}: {now} KiB in the storm (+{grown}), {calm} KiB left alone (+{calm_grown})"
            );
        }
    }
    for (port, storm) in ports.iter().zip(storms) {
        println!("{port}: {:?}", storm.join().unwrap().unwrap());
    }
    assert!(weir.weir.running().unwrap(), "it crashed");
    assert!(growth < GROWTH_KIB_MAX, "it grew by {growth} KiB in the storm");
    weir.weir.stop().unwrap();
}

/// Every TCP port on which a process listens, as Linux tells.
fn listening(pid: u32) -> Vec<SocketAddr> {
    let mut sockets = Vec::new();
    for entry in std::fs::read_dir(format!("/proc/{pid}/fd")).unwrap().flatten() {
        let link = std::fs::read_link(entry.path()).unwrap_or_default();
        let inode = link.to_string_lossy().strip_prefix("socket:[").map(|i| i.replace(']', ""));
        sockets.extend(inode);
    }
    let mut ports = Vec::new();
    for table in ["tcp", "tcp6"] {
        let text = std::fs::read_to_string(format!("/proc/{pid}/net/{table}")).unwrap_or_default();
        for line in text.lines().skip(1) {
            let fields: Vec<&str> = line.split_whitespace().collect();
            // Address and port, the peer's, the state (0A is listening), …, the inode.
            let ours = fields[3] == "0A" && sockets.iter().any(|inode| inode == fields[9]);
            let port = fields[1].rsplit(':').next().unwrap();
            if ours && let Ok(port) = u16::from_str_radix(port, 16) {
                ports.push(SocketAddr::from(([127, 0, 0, 1], port)));
            }
        }
    }
    ports
}
