//! Many devices: one is changed, added and removed while the others go on.

use std::sync::atomic::Ordering::Relaxed;

use serde_json::json;
use weir_connect::State;

use crate::bench::{Bench, TENANT, holding, id, spec};
use crate::server::{Memory, serve};

const DEVICES: u32 = 150;

#[tokio::test]
async fn one_of_150_is_changed_and_the_others_do_not_notice() {
    let (bench, memory) = (Bench::new(), Memory::new());
    let server = serve(&memory, 0).await;
    let device = |n: u32| {
        let mut device = spec(n, server.port, vec![holding(n as u16, "u16")]);
        device.settings["poll_ms"] = json!(100);
        device
    };
    for n in 0..DEVICES {
        bench.apply(device(n)).await;
    }
    bench.until("all online", |b| (0..DEVICES).all(|n| b.status(n).state == State::Online)).await;
    bench.until("all values", |b| (0..DEVICES).all(|n| b.value(n, 0) == Some(json!(n)))).await;
    assert_eq!(memory.connections.load(Relaxed), u64::from(DEVICES));
    let since: Vec<_> = (0..DEVICES).map(|n| bench.status(n).since).collect();

    let mut changed = spec(7, server.port, vec![holding(1007, "u16")]);
    changed.revision = 2;
    bench.apply(changed).await;
    bench.apply(device(DEVICES)).await;
    assert!(bench.supervisor.remove(TENANT, &id(8)).await);
    bench.until("the change", |b| b.value(7, 0) == Some(json!(1007))).await;
    bench.until_state(DEVICES, State::Online).await;

    let before: Vec<_> = (0..DEVICES).map(|n| bench.samples(n, 0).len()).collect();
    let others = (0..DEVICES).filter(|n| ![7, 8].contains(n)).collect::<Vec<_>>();
    bench
        .until("all go on", |b| {
            others.iter().all(|n| b.samples(*n, 0).len() > before[*n as usize] + 2)
        })
        .await;
    for n in others {
        let status = bench.status(n);
        let counters = status.counters;
        assert_eq!((counters.reconnects, counters.errors, counters.dropped), (0, 0, 0));
        assert_eq!(status.since, since[n as usize]);
        assert!(bench.samples(n, 0).iter().all(|s| s.value.is_some()));
    }
    assert_eq!(memory.connections.load(Relaxed), u64::from(DEVICES) + 2);
    assert_eq!(bench.status(7).counters.reconnects, 1, "counters are kept over a change");
    assert_eq!(bench.samples(8, 0).len(), before[8], "what was removed is silent");
    bench.supervisor.shutdown().await;
}
