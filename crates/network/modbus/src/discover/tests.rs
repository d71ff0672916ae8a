use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::*;

/// What a server does with a request to a unit for a table (by function).
type Behaviour = dyn Fn(u8, u8) -> Reply + Send + Sync;

#[derive(Clone, Copy)]
enum Reply {
    Value,
    Exception(u8),
    Silence,
    HangUp,
    /// As another unit would.
    Wrong,
}

#[derive(Default)]
struct Seen {
    /// Unit and function of each request.
    requests: Mutex<Vec<(u8, u8)>>,
    open: AtomicUsize,
    open_max: AtomicUsize,
}

async fn serve(behaviour: impl Fn(u8, u8) -> Reply + Send + Sync + 'static) -> (u16, Arc<Seen>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let (seen, behaviour): (_, Arc<Behaviour>) = (Arc::<Seen>::default(), Arc::new(behaviour));
    let counted = Arc::clone(&seen);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let (seen, behaviour) = (Arc::clone(&counted), Arc::clone(&behaviour));
            let open = seen.open.fetch_add(1, SeqCst) + 1;
            seen.open_max.fetch_max(open, SeqCst);
            tokio::spawn(async move {
                let _ = talk(stream, &seen, &*behaviour).await;
                seen.open.fetch_sub(1, SeqCst);
            });
        }
    });
    (port, seen)
}

async fn talk(mut stream: TcpStream, seen: &Seen, behaviour: &Behaviour) -> std::io::Result<()> {
    loop {
        let mut request = [0; 12];
        stream.read_exact(&mut request).await?;
        let (unit, function) = (request[6], request[7]);
        seen.requests.lock().unwrap().push((unit, function));
        let (pdu, unit) = match behaviour(unit, function) {
            Reply::Value if function <= 2 => (vec![function, 1, 1], unit),
            Reply::Value => (vec![function, 2, 0, 7], unit),
            Reply::Exception(code) => (vec![function | 0x80, code], unit),
            Reply::Wrong => (vec![function, 2, 0, 7], unit.wrapping_add(1)),
            Reply::Silence => continue,
            Reply::HangUp => return Ok(()),
        };
        let mut frame = request[..4].to_vec();
        frame.extend([0, pdu.len() as u8 + 1, unit]);
        frame.extend(pdu);
        stream.write_all(&frame).await?;
    }
}

async fn search(given: Json, time_max: Duration) -> Result<Vec<Discovered>, DriverError> {
    let settings = Settings::parse(&given).unwrap();
    units(&settings, &given, Lookups::default(), time_max).await
}

fn at(port: u16, unit: u8, timeout_ms: u64) -> Json {
    json!({"host": "127.0.0.1", "port": port, "unit": unit, "timeout_ms": timeout_ms, "word_order": "CDAB"})
}

const LONG: Duration = Duration::from_secs(600);

fn numbers(found: &[Discovered]) -> Vec<u64> {
    found.iter().map(|one| one.settings["unit"].as_u64().unwrap()).collect()
}

#[tokio::test]
async fn the_units_behind_a_gateway_are_found_with_their_tables() {
    let (port, seen) = serve(|unit, function| match (unit, function) {
        (7, 1 | 2) => Reply::Exception(1),
        (7, 4) => Reply::Exception(2),
        (7 | 12, _) => Reply::Value,
        (247, 3) => Reply::Exception(1),
        (247, 4) => Reply::Value,
        (247, _) => Reply::Exception(1),
        (20, _) => Reply::Wrong,
        (21, _) => Reply::HangUp,
        _ => Reply::Exception(0x0B),
    })
    .await;
    let found = search(at(port, 12, 10_000), LONG).await.unwrap();
    assert_eq!(numbers(&found), [12, 247, 7]);
    assert_eq!(found[0].settings["word_order"], "CDAB", "what was given stays");
    assert_eq!(
        found[0].detail,
        "it has coils, discrete inputs, input registers, holding registers"
    );
    assert_eq!(found[1].detail, "it has input registers");
    assert_eq!(found[2].detail, "it has input registers, holding registers");
    // Each unit was asked once whether it is there, and on one connection at a time.
    let requests = seen.requests.lock().unwrap().clone();
    let asked: BTreeSet<u8> = requests.iter().map(|(unit, _)| *unit).collect();
    assert_eq!(asked.len(), 248, "1 to 247, and 255");
    assert_eq!(requests.len(), 248 + 3 * 4);
    assert!(seen.open_max.load(SeqCst) <= 2, "a connection may be ending while the next begins");
}

#[tokio::test]
async fn a_device_that_looks_at_no_unit_is_one_device() {
    let (port, seen) = serve(|_, function| match function {
        3 => Reply::Exception(2),
        1 | 2 => Reply::Exception(1),
        _ => Reply::Value,
    })
    .await;
    let found = search(at(port, 1, 10_000), LONG).await.unwrap();
    assert_eq!(numbers(&found), [1]);
    assert_eq!(
        found[0].detail,
        "it answers whatever the unit; it has input registers, holding registers"
    );
    assert_eq!(seen.requests.lock().unwrap().len(), 3 + 4);
}

#[tokio::test]
async fn a_server_that_fails_for_units_that_it_lacks_has_only_the_others() {
    // pymodbus answers so. A unit whose holding registers alone fail is there.
    let (port, _seen) = serve(|unit, function| match (unit, function) {
        (5, _) | (6, 4) => Reply::Value,
        _ => Reply::Exception(4),
    })
    .await;
    let found = search(at(port, 1, 10_000), LONG).await.unwrap();
    assert_eq!(numbers(&found), [5, 6]);
    assert_eq!(found[1].detail, "it has input registers");
}

#[tokio::test]
async fn silent_units_cost_a_time_out_each_and_no_more() {
    let (port, _seen) =
        serve(|unit, _| if unit == 3 { Reply::Value } else { Reply::Silence }).await;
    let found = search(at(port, 1, 20), LONG).await.unwrap();
    assert_eq!(numbers(&found), [3]);
    let (port, _seen) = serve(|_, _| Reply::Silence).await;
    let error = search(at(port, 1, 10), LONG).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Rejected);
    assert!(error.cause.contains("none of the units 1 to 247"), "{error}");
}

#[tokio::test]
async fn a_search_ends_in_time_and_says_where_to_go_on() {
    let (port, _seen) =
        serve(|unit, _| if unit == 4 { Reply::Value } else { Reply::Silence }).await;
    let short = Duration::from_millis(400);
    let found = search(at(port, 4, 100), short).await.unwrap();
    assert_eq!(numbers(&found), [4]);
    assert!(found[0].detail.contains("search again"), "{}", found[0].detail);
    let error = search(at(port, 5, 100), short).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Timeout);
    assert!(error.cause.contains("as the unit and search again"), "{error}");
}

#[tokio::test]
async fn a_search_that_nobody_waits_for_ends() {
    let (port, seen) = serve(|_, _| Reply::Silence).await;
    let task = tokio::spawn(search(at(port, 1, 60_000), LONG));
    let deadline = Instant::now() + Duration::from_secs(60);
    while seen.open.load(SeqCst) == 0 {
        assert!(Instant::now() < deadline);
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    task.abort();
    while seen.open.load(SeqCst) > 0 {
        assert!(Instant::now() < deadline, "the connection ends with the search");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn nothing_there_is_told_at_once() {
    let port = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
    let error = search(at(port, 1, 10_000), LONG).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Unreachable);
    assert!(error.to_string().contains(&port.to_string()), "{error}");
}
