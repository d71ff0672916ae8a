use std::time::Duration;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::{CONNECTIONS_MAX, Connections, SERVED_LATELY};

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn strangers_leave_first_and_busy_clients_stay() {
    let start = Instant::now();
    let connections = Connections::new(CancellationToken::new());
    let client = connections.enter(start).unwrap();
    client.served(start);
    let strangers: Vec<_> = (1..CONNECTIONS_MAX)
        .map(|i| connections.enter(start + SECOND * i as u32).unwrap())
        .collect();

    let late = start + SECOND * 1000;
    let newcomer = connections.enter(late).unwrap();
    assert!(strangers[0].close.is_cancelled(), "the longest open stranger");
    assert!(!strangers[1].close.is_cancelled() && !client.close.is_cancelled());
    drop(newcomer);

    for stranger in &strangers[1..] {
        stranger.served(late);
    }
    let last = connections.enter(late).unwrap();
    last.served(late);
    assert!(!client.close.is_cancelled(), "there was a free place");
    let another = connections.enter(late).unwrap();
    assert!(client.close.is_cancelled(), "served last a long time ago");
    another.served(late);
    assert!(connections.enter(late + SECOND).is_none(), "all were served a moment ago");
    assert!(connections.enter(late + SERVED_LATELY).is_some());
}

#[test]
fn a_place_is_free_again_when_its_connection_ends() {
    let now = Instant::now();
    let connections = Connections::new(CancellationToken::new());
    for _ in 0..3 * CONNECTIONS_MAX {
        let place = connections.enter(now).unwrap();
        assert!(!place.close.is_cancelled());
    }
    assert!(connections.lock().is_empty());
}
