use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use tokio::time::Instant;
use weir_model::{Identifier, TagId, Value};
use weir_opcua_server::{LiveEvent, Node, Plant as _, Principal, WriteError};

use super::{Dcs, device, name};
use crate::recording::Recording;
use crate::replay::Replay;

fn held() -> Dcs {
    Dcs::new(Arc::new(Replay::start(0, 0.0, Instant::now()).unwrap())).unwrap()
}

fn anybody() -> Principal {
    Principal::new("anybody", ())
}

fn id(suffix: &str) -> Identifier {
    Identifier::parse(&name(suffix)).unwrap()
}

async fn number(dcs: &Dcs, suffix: &str) -> f64 {
    let found = dcs.nodes(&anybody(), &[id(suffix)]).await.unwrap();
    let Some(Node::Tag(tag)) = &found[0] else { panic!("{suffix} is no tag") };
    let last = dcs.last(&anybody(), &[tag.tag]).await.unwrap();
    last[0].as_ref().unwrap().value.as_ref().unwrap().as_f64().unwrap()
}

#[tokio::test]
async fn every_signal_stands_in_the_tree_from_the_top() {
    let dcs = held();
    let mut waiting = vec![None];
    let mut tags = 0;
    while let Some(parent) = waiting.pop() {
        for node in dcs.children(&anybody(), parent.as_ref(), None, 1000).await.unwrap() {
            match node {
                Node::Asset(asset) => waiting.push(Some(asset.id)),
                Node::Tag(tag) => {
                    tags += 1;
                    assert_eq!(tag.parent, parent, "{}", tag.id);
                }
            }
        }
    }
    assert_eq!(tags, dcs.signals.len());
    let device = device(SocketAddr::from((Ipv4Addr::LOCALHOST, 4840)));
    assert_eq!(device.points.len(), tags);
    assert_eq!(device.points[0].address["node"], "nsu=urn:weir;s=dcs/feed-a-flow");
    let pages = dcs.children(&anybody(), Some(&id("reactor")), None, 2).await.unwrap();
    let behind = dcs.children(&anybody(), Some(&id("reactor")), Some(pages[1].id()), 2).await;
    assert!(behind.unwrap()[0].id() > pages[1].id());
}

#[tokio::test]
async fn a_fault_that_is_written_plays_its_recording() {
    let dcs = held();
    assert_eq!(number(&dcs, "reactor-pressure").await, 2705.2, "as the digits were recorded");
    let mut live = dcs.live(&anybody()).await;
    dcs.write(&anybody(), &id("replay-fault"), Value::Enumeration(6)).await.unwrap();
    assert_eq!(number(&dcs, "replay-fault").await, 6.0);
    let row = Recording::load(6).unwrap().row(150).to_vec();
    for (suffix, column) in [("reactor-pressure", 6), ("feed-a-flow", 0)] {
        let served = number(&dcs, suffix).await;
        assert_eq!(served as f32, row[column], "{suffix}");
    }
    let Some(LiveEvent::Samples(told)) = live.next().await else { panic!("nothing is told") };
    assert!(told.len() > 20, "{told:?}");

    let write = async |suffix: &str, value| dcs.write(&anybody(), &id(suffix), value).await;
    assert_eq!(write("replay-fault", Value::Enumeration(11)).await, Err(WriteError::OutOfRange));
    assert_eq!(write("purge-valve", Value::F64(f64::NAN)).await, Err(WriteError::OutOfRange));
    assert_eq!(write("purge-valve", Value::text("x").unwrap()).await, Err(WriteError::Mismatch));
    assert_eq!(write("reactor-pressure", Value::F64(1.0)).await, Err(WriteError::NotWritable));
    assert_eq!(write("nothing", Value::F64(1.0)).await, Err(WriteError::Unknown));
    write("purge-valve", Value::F64(99.75)).await.unwrap();
    assert_eq!(number(&dcs, "purge-valve").await, 99.75);
    assert_eq!(number(&dcs, "purge-valve-open").await, 1.0, "the limit switch follows");
    assert_eq!(dcs.last(&anybody(), &[TagId(0)]).await.unwrap(), vec![None]);
}
