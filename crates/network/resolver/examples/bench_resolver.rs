//! Measures the registry and its service: `cargo xtask bench resolver [--quick] [--json]`.
//!
//! Three processes: this one registers the records and makes the load; a second one serves them;
//! a third one gives back datagrams as they come, by bare recvmmsg and sendmmsg, and is what UDP is
//! compared with, in turns, seven times. `--records N` sets the number of records (100,000; up to
//! 10,000,000), `--dir DIR` chooses the disk, `--quick` ends within a minute, `--json` prints one
//! JSON object as the last line.

#[path = "bench_resolver/echo.rs"]
mod echo;
#[path = "bench_resolver/process.rs"]
mod process;
#[path = "bench_resolver/records.rs"]
mod records;
#[path = "bench_resolver/server.rs"]
mod server;
#[path = "bench_resolver/tcp.rs"]
mod tcp;
#[path = "bench_resolver/udp.rs"]
mod udp;

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Serialize;

type Result<T> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// Turns of UDP and of the echo.
const TURNS: usize = 7;

/// Requests a second at which latency is looked at: a fraction of what one thread answers.
const PACED_PER_S: u32 = 20_000;

struct Arguments {
    quick: bool,
    json: bool,
    records: u32,
    dir: Option<PathBuf>,
}

/// What was measured; `_per_s` is a second, `_us` microseconds, `_mb` a million bytes.
#[derive(Serialize)]
struct Measured {
    bench: &'static str,
    records: u32,
    register_durable_per_s: f64,
    /// Processor time of the registering process, in microseconds a record.
    register_cpu_us: f64,
    /// Durable single records by 64 clients that each wait.
    register_single_64_per_s: f64,
    store_mb: f64,
    udp_per_s: f64,
    udp_echo_per_s: f64,
    /// The first over the second.
    udp_of_echo: f64,
    udp_user_us_per_query: f64,
    udp_cpu_us_per_query: f64,
    udp_echo_cpu_us: f64,
    udp_lost: u64,
    udp_paced_per_s: f64,
    udp_p50_us: f64,
    udp_p99_us: f64,
    /// Of the echo: what the machine and the load take of it.
    udp_echo_p99_us: f64,
    tcp_1conn_per_s: f64,
    tcp_cpu_us_per_query: f64,
    certified_rsa2048_per_s: f64,
    certified_ed25519_per_s: f64,
    certified_sm2_per_s: f64,
    /// Anonymous resident memory of the serving process, after all of the above.
    rss_mb: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    rss_mb_100k: Option<f64>,
}

fn main() -> Result<()> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    match words.first().map(String::as_str) {
        Some("--serve") => return server::run(Path::new(words.get(1).ok_or("--serve DIR")?)),
        Some("--echo") => return echo::run(),
        _ => {}
    }
    let arguments = arguments(words)?;
    let base = arguments.dir.clone().unwrap_or_else(std::env::temp_dir);
    let dir = base.join(format!("weir-bench-resolver-{}", std::process::id()));
    let measured = measure(&dir, &arguments);
    std::fs::remove_dir_all(&dir)?;
    let measured = measured?;
    print(&measured);
    if arguments.json {
        println!("{}", serde_json::to_string(&measured)?);
    }
    Ok(())
}

fn arguments(words: Vec<String>) -> Result<Arguments> {
    let mut parsed = Arguments { quick: false, json: false, records: 100_000, dir: None };
    let mut given = words.into_iter();
    while let Some(word) = given.next() {
        match word.as_str() {
            "--quick" => parsed.quick = true,
            "--json" => parsed.json = true,
            "--records" => parsed.records = given.next().ok_or("--records needs N")?.parse()?,
            "--dir" => parsed.dir = Some(given.next().ok_or("--dir needs a folder")?.into()),
            other => {
                let known = "--quick, --json, --records N, --dir DIR";
                return Err(format!("unknown argument {other}: {known}").into());
            }
        }
    }
    if !(1..=10_000_000).contains(&parsed.records) {
        return Err("--records takes 1 to 10000000".into());
    }
    Ok(parsed)
}

fn measure(dir: &Path, arguments: &Arguments) -> Result<Measured> {
    let each = Duration::from_millis(if arguments.quick { 700 } else { 3000 });
    let registered = records::register(dir, arguments.records, each)?;
    let requests = records::requests(arguments.records, false);
    let mut served = process::Child::start(&["--serve", &dir.to_string_lossy()])?;
    let mut echoing = process::Child::start(&["--echo"])?;
    let [rsa, ed25519, sm2] = served.addresses()?;
    let [echo] = echoing.addresses()?;
    // Pages are read in, and buffers have their size, before anything is measured.
    udp::closed(rsa, &requests, each, true)?;
    udp::closed(echo, &requests, each, false)?;
    let (served_before, echo_before) = (served.used("resolver-udp")?, echoing.used("")?);
    let (mut ours, mut bare) = (Vec::new(), Vec::new());
    let (mut answered, mut echoed, mut lost) = (0, 0, 0);
    for _ in 0..TURNS {
        let turn = udp::closed(rsa, &requests, each, true)?;
        ours.push(turn.per_s());
        answered += turn.answered;
        lost += turn.lost;
        let turn = udp::closed(echo, &requests, each, false)?;
        bare.push(turn.per_s());
        echoed += turn.answered;
    }
    let udp_used = served.used("resolver-udp")?.since(&served_before);
    let echo_used = echoing.used("")?.since(&echo_before);
    let paced = udp::paced(rsa, &requests, PACED_PER_S, each * 4)?;
    let echo_paced = udp::paced(echo, &requests, PACED_PER_S, each * 4)?;
    let tcp_before = served.used("")?;
    let tcp = tcp::pipelined(rsa, &requests, each * 2)?;
    let tcp_used = served.used("")?.since(&tcp_before);
    let signed = records::requests(arguments.records.min(10_000), true);
    let certified = |address| tcp::certified(address, &signed, each * 2);
    let (rsa_per_s, ed25519_per_s, sm2_per_s) =
        (certified(rsa)?, certified(ed25519)?, certified(sm2)?);
    let rss_mb = served.anonymous_mb()?;
    let (udp_per_s, udp_echo_per_s) = (median(ours), median(bare));
    Ok(Measured {
        bench: "resolver",
        records: arguments.records,
        register_durable_per_s: registered.per_s,
        register_cpu_us: registered.cpu_us,
        register_single_64_per_s: registered.single_per_s,
        store_mb: registered.file_mb,
        udp_per_s,
        udp_echo_per_s,
        udp_of_echo: udp_per_s / udp_echo_per_s,
        udp_user_us_per_query: udp_used.user_us / answered as f64,
        udp_cpu_us_per_query: udp_used.all_us() / answered as f64,
        udp_echo_cpu_us: echo_used.all_us() / echoed as f64,
        udp_lost: lost,
        udp_paced_per_s: paced.per_s,
        udp_p50_us: paced.p50_us,
        udp_p99_us: paced.p99_us,
        udp_echo_p99_us: echo_paced.p99_us,
        tcp_1conn_per_s: tcp.per_s,
        tcp_cpu_us_per_query: tcp_used.all_us() / tcp.answered as f64,
        certified_rsa2048_per_s: rsa_per_s,
        certified_ed25519_per_s: ed25519_per_s,
        certified_sm2_per_s: sm2_per_s,
        rss_mb,
        rss_mb_100k: (arguments.records == 100_000).then_some(rss_mb),
    })
}

fn median(mut of: Vec<f64>) -> f64 {
    of.sort_unstable_by(f64::total_cmp);
    of.get(of.len() / 2).copied().unwrap_or_default()
}

fn print(measured: &Measured) {
    let Measured { records, rss_mb, store_mb, .. } = measured;
    println!(
        "{records} records of 300 bytes, {store_mb:.0} MB on disk, {rss_mb:.1} MB anonymous\n"
    );
    let line = |what: &str, per_s: f64, more: String| println!("{what:36} {per_s:10.0}/s   {more}");
    let cpu = format!("{:.2} us of processor each", measured.register_cpu_us);
    line("registered, durable, 1000 a commit", measured.register_durable_per_s, cpu);
    line("registered singly by 64 clients", measured.register_single_64_per_s, String::new());
    let cpu = format!(
        "{:.2} us of processor each, {:.2} of them the program's; {} lost",
        measured.udp_cpu_us_per_query, measured.udp_user_us_per_query, measured.udp_lost
    );
    line("UDP, one thread", measured.udp_per_s, cpu);
    let cpu = format!("{:.2} us each", measured.udp_echo_cpu_us);
    line("bare recvmmsg and sendmmsg", measured.udp_echo_per_s, cpu);
    println!("{:36} {:9.0} %", "the first of the second", 100.0 * measured.udp_of_echo);
    let latency = format!(
        "p50 {:.0} us, p99 {:.0} us, of the echo {:.0} us",
        measured.udp_p50_us, measured.udp_p99_us, measured.udp_echo_p99_us
    );
    line("UDP, paced", measured.udp_paced_per_s, latency);
    let cpu = format!("{:.2} us of processor each", measured.tcp_cpu_us_per_query);
    line("TCP, one connection, pipelined", measured.tcp_1conn_per_s, cpu);
    line("certified, RSA of 2048 bits", measured.certified_rsa2048_per_s, String::new());
    line("certified, Ed25519", measured.certified_ed25519_per_s, String::new());
    line("certified, SM2", measured.certified_sm2_per_s, String::new());
}
