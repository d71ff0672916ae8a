//! The plant as a client sees it: Modbus devices are read with an independent client and the machine
//! tool's agent with plain HTTP, from what the public model says and nothing else. The control system
//! and the fleet are tested where clients of theirs are: end to end, in tests/it.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use serde_json::Value as Json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_modbus::client::{Context, tcp};
use tokio_modbus::prelude::*;

use super::{Options, Plant};
use weir_model::{DataType, Identifier, Prefix};

use crate::recording::{FAULT_MAX, Recording};
use crate::{Device, Point, assets, connections, variables};

/// Recorded variables that the controllers of the utilities serve.
const UTILITIES: usize = 9;

const DEADLINE: Duration = Duration::from_secs(10);

async fn held() -> Plant {
    Plant::start(Options { speed: 0.0, ..Options::default() }).await.unwrap()
}

/// The Modbus devices.
fn controllers(plant: &Plant) -> impl Iterator<Item = &Device> {
    plant.model().devices.iter().filter(|device| device.protocol == "modbus")
}

fn address(device: &Device) -> SocketAddr {
    let settings = &device.settings;
    format!("{}:{}", settings["host"].as_str().unwrap(), settings["port"]).parse().unwrap()
}

async fn connect(device: &Device) -> Context {
    let unit = device.settings["unit"].as_u64().unwrap() as u8;
    tcp::connect_slave(address(device), Slave(unit)).await.unwrap()
}

fn find<'a>(plant: &'a Plant, suffix: &str) -> (&'a Device, &'a Point) {
    let devices = plant.model().devices.iter();
    devices
        .flat_map(|device| device.points.iter().map(move |point| (device, point)))
        .find(|(_, point)| point.suffix == suffix)
        .unwrap()
}

/// Reads one point and scales it, from the model's JSON alone.
async fn read(client: &mut Context, device: &Device, point: &Point) -> f64 {
    let at = point.address["address"].as_u64().unwrap() as u16;
    let kind = point.address["type"].as_str().unwrap();
    let count = match kind {
        "bool" | "u16" | "i16" => 1,
        "u32" | "i32" | "f32" => 2,
        _ => 4,
    };
    let words = match point.address["table"].as_str().unwrap() {
        "coil" => vec![u16::from(client.read_coils(at, 1).await.unwrap().unwrap()[0])],
        "discrete" => {
            vec![u16::from(client.read_discrete_inputs(at, 1).await.unwrap().unwrap()[0])]
        }
        "input" => client.read_input_registers(at, count).await.unwrap().unwrap(),
        _ => client.read_holding_registers(at, count).await.unwrap().unwrap(),
    };
    let raw = decode(&words, kind, &device.settings["word_order"]);
    point.scaling.map_or(raw, |scaling| raw * scaling.factor + scaling.offset)
}

fn decode(words: &[u16], kind: &str, order: &Json) -> f64 {
    let order = if words.len() == 1 { "ABCD" } else { order.as_str().unwrap() };
    let mut words = words.to_vec();
    if order == "CDAB" || order == "DCBA" {
        words.reverse();
    }
    let big = !matches!(order, "BADC" | "DCBA");
    let bytes: Vec<u8> = words
        .iter()
        .flat_map(|word| if big { word.to_be_bytes() } else { word.to_le_bytes() })
        .collect();
    let bits = bytes.iter().fold(0_u64, |bits, byte| bits << 8 | u64::from(*byte));
    match kind {
        "i16" => f64::from(bits as i16),
        "i32" => f64::from(bits as i32),
        "f32" => f64::from(f32::from_bits(bits as u32)),
        "f64" => f64::from_bits(bits),
        _ => bits as f64,
    }
}

fn column(point: &Point) -> Option<usize> {
    variables::ALL.iter().position(|variable| variable.suffix == point.suffix)
}

/// Every recorded variable as served, against the row of the recording.
async fn check_row(plant: &Plant, row: &[f32]) {
    let mut seen = 0;
    for device in controllers(plant) {
        let mut client = connect(device).await;
        for point in &device.points {
            let served = read(&mut client, device, point).await;
            let Some(column) = column(point) else { continue };
            let recorded = f64::from(row[column]);
            // A float is served bit by bit, an integer to half a step.
            let slack = point.scaling.map_or(0.0, |s| s.factor * 0.500_001);
            assert!(
                (served - recorded).abs() <= slack,
                "{}: served {served}, recorded {recorded}",
                point.suffix
            );
            seen += 1;
        }
    }
    assert_eq!(seen, UTILITIES);
}

#[tokio::test]
async fn every_register_is_served_as_recorded_in_every_run() {
    let plant = held().await;
    for fault in 0..=FAULT_MAX {
        plant.set_fault(fault).unwrap();
        assert_eq!(plant.fault(), fault);
        let row = if fault == 0 { 0 } else { 150 };
        check_row(&plant, Recording::load(fault).unwrap().row(row)).await;
    }
    plant.stop().await;
}

#[tokio::test]
async fn the_replay_goes_on_and_every_variable_with_it() {
    let plant = held().await;
    let (desk, row) = find(&plant, "replay-row");
    let mut client = connect(desk).await;
    plant.set_speed(1800.0).unwrap();
    let deadline = Instant::now() + DEADLINE;
    while read(&mut client, desk, row).await < 3.0 {
        assert!(Instant::now() < deadline, "the replay stands still");
    }
    plant.set_speed(0.0).unwrap();
    let now = read(&mut client, desk, row).await as usize;
    check_row(&plant, Recording::load(0).unwrap().row(now)).await;
    let (_, hours) = find(&plant, "replay-process-time");
    assert!((read(&mut client, desk, hours).await - now as f64 * 0.05).abs() < 1e-9);
    let (_, played) = find(&plant, "replay-rows-played");
    assert_eq!(read(&mut client, desk, played).await, now as f64);
}

#[tokio::test]
async fn a_valve_can_be_written_and_the_desk_chooses_failures() {
    let plant = held().await;
    let (station, valve) = find(&plant, "reactor-cooling-water-valve");
    let mut client = connect(station).await;
    let at = valve.address["address"].as_u64().unwrap() as u16;
    let words: Vec<u16> = {
        let [a, b, c, d] = 99.75_f32.to_be_bytes();
        vec![u16::from_be_bytes([d, c]), u16::from_be_bytes([b, a])]
    };
    client.write_multiple_registers(at, &words).await.unwrap().unwrap();
    assert_eq!(read(&mut client, station, valve).await, 99.75);
    let (_, open) = find(&plant, "reactor-cooling-water-valve-open");
    assert_eq!(read(&mut client, station, open).await, 1.0, "the limit switch follows");
    let refused = client.write_multiple_registers(at, &[0, 0x00C3]).await.unwrap();
    assert_eq!(refused, Err(ExceptionCode::IllegalDataValue), "beyond the limits");
    let refused = client.write_single_register(at + 100, 1).await.unwrap();
    assert_eq!(refused, Err(ExceptionCode::IllegalDataAddress));

    let (desk, failure) = find(&plant, "replay-mill-failure");
    let mut client = connect(desk).await;
    client.write_single_register(0, 5).await.unwrap().unwrap();
    assert_eq!(read(&mut client, desk, failure).await, 5.0);
    let refused = client.write_single_register(0, 6).await.unwrap();
    assert_eq!(refused, Err(ExceptionCode::IllegalDataValue));
    client.write_single_register(1, 1).await.unwrap().unwrap();
    let (_, wear) = find(&plant, "replay-engine-wear");
    assert_eq!(read(&mut client, desk, wear).await, 1.0);
    client.write_single_coil(0, false).await.unwrap().unwrap();
    let (_, hold) = find(&plant, "replay-hold");
    assert_eq!(read(&mut client, desk, hold).await, 1.0, "a speed of 0 holds all the same");
}

#[tokio::test]
async fn a_unit_that_is_not_there_is_the_gateways_answer() {
    let plant = held().await;
    let steam = controllers(&plant).find(|d| d.suffix == "steam-plc").unwrap();
    let mut client = tcp::connect_slave(address(steam), Slave(99)).await.unwrap();
    let refused = client.read_input_registers(0, 1).await.unwrap();
    assert_eq!(refused, Err(ExceptionCode::GatewayTargetDevice));
}

#[tokio::test]
async fn strangers_neither_stop_the_plant_nor_shut_others_out() {
    let plant = held().await;
    let (device, point) = find(&plant, "compressor-power");
    let mut client = connect(device).await;
    let expected = read(&mut client, device, point).await;
    let mut crowd = Vec::new();
    for i in 0..3 * connections::CONNECTIONS_MAX {
        let mut stream = TcpStream::connect(address(device)).await.unwrap();
        // Frames that panic decoders, headers that are none, half a frame, and silence.
        let bytes: &[u8] = match i % 4 {
            0 => &[0, 1, 0, 0, 0, 7, 1, 0x10, 0, 0, 0x80, 0, 0],
            1 => &[0xFF; 64],
            2 => &[0, 1, 0, 0, 0, 200, 1, 3],
            _ => &[],
        };
        // A full port may already have closed it, which is as good.
        let _ = stream.write_all(bytes).await;
        crowd.push(stream);
        assert_eq!(read(&mut client, device, point).await, expected);
    }
    let mut newcomer = connect(device).await;
    assert_eq!(read(&mut newcomer, device, point).await, expected);

    let mut garbage = TcpStream::connect(address(device)).await.unwrap();
    garbage.write_all(&[0xAA; 300]).await.unwrap();
    let mut rest = Vec::new();
    let closed = tokio::time::timeout(DEADLINE, garbage.read_to_end(&mut rest)).await.unwrap();
    assert!(closed.is_err() || rest.is_empty(), "no answer to what is no request");
}

#[tokio::test]
async fn after_the_stop_nobody_listens() {
    let plant = held().await;
    let addresses: Vec<_> = controllers(&plant).map(address).collect();
    let open = TcpStream::connect(addresses[0]).await.unwrap();
    plant.stop().await;
    drop(open);
    for address in addresses {
        assert!(TcpStream::connect(address).await.is_err());
    }
}

/// Sends one request and reads until the text is there.
async fn ask(plant: &Plant, request: &str, until: &str) -> String {
    let mill = plant.model().devices.iter().find(|d| d.protocol == "mtconnect").unwrap();
    let agent = mill.settings["url"].as_str().unwrap().strip_prefix("http://").unwrap();
    let mut stream = TcpStream::connect(agent).await.unwrap();
    let request = format!("GET {request} HTTP/1.1\r\nHost: {agent}\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    let reading = async {
        while !String::from_utf8_lossy(&answer).contains(until) {
            assert!(stream.read_buf(&mut answer).await.unwrap() > 0, "{answer:?}");
        }
    };
    tokio::time::timeout(DEADLINE, reading).await.expect(until);
    String::from_utf8(answer).unwrap()
}

#[tokio::test]
async fn the_agent_tells_what_the_machine_tool_does() {
    let plant = held().await;
    let probe = ask(&plant, "/probe", "</MTConnectDevices>").await;
    let mill = plant.model().devices.iter().find(|d| d.protocol == "mtconnect").unwrap();
    for point in &mill.points {
        let item = format!("<DataItem id={}", point.address["data_item"]);
        assert!(probe.contains(&item), "{item} is not in {probe}");
    }
    let current = ask(&plant, "/mill-1/current", "</MTConnectStreams>").await;
    assert!(current.contains(">M14860</PartId>") && current.contains(">1551</RotaryVelocity>"));
    let refused = ask(&plant, "/sample?from=999", "</MTConnectError>").await;
    assert!(refused.starts_with("HTTP/1.1 400") && refused.contains("OUT_OF_RANGE"), "{refused}");
    let refused = ask(&plant, "/sample?from=999&interval=10", "</MTConnectError>").await;
    assert!(refused.starts_with("HTTP/1.1 400"), "no stream of what is not there: {refused}");

    // A stream goes on where it was told to, and tells of each part.
    let page = ask(&plant, "/sample?from=3&count=2", "</MTConnectStreams>").await;
    assert!(page.contains("nextSequence=\"5\""), "{page}");
    plant.set_speed(18_000.0).unwrap();
    let stream = ask(&plant, "/sample?from=5&interval=20", "sequence=\"200\"").await;
    assert!(stream.contains("multipart/x-mixed-replace;boundary="));
    let number = |text: &str| text.split('"').next().and_then(|number| number.parse::<u64>().ok());
    let found: BTreeSet<u64> = stream.split(" sequence=\"").skip(1).filter_map(number).collect();
    assert!(
        (5..=104).all(|sequence| found.contains(&sequence)),
        "the first hundred are there: {found:?}"
    );
}

#[tokio::test]
async fn a_chosen_failure_of_the_machine_tool_comes() {
    let plant = held().await;
    plant.replay.set_failure(1, tokio::time::Instant::now()).unwrap();
    plant.set_speed(1_800.0).unwrap();
    let request = "/sample?interval=20&count=1000";
    // Shortly before the worn tool there was an overstrain.
    let stream = ask(&plant, request, "nativeCode=\"TWF\"").await;
    assert!(stream.contains("nativeCode=\"OSF\"") && stream.contains(">STOPPED</Execution>"));
    assert!(plant.replay.set_failure(6, tokio::time::Instant::now()).is_err());
    assert!(plant.replay.set_wear(2, tokio::time::Instant::now()).is_err());
}

#[tokio::test]
async fn the_control_system_starts_once() {
    let dir = tempfile::tempdir().unwrap();
    let mut plant = held().await;
    plant.start_control_system(dir.path().join("pki")).await.unwrap();
    assert!(matches!(
        plant.start_control_system(dir.path().join("pki")).await,
        Err(crate::PlantError::Started)
    ));
    plant.stop().await;
}

#[tokio::test]
async fn suffixes_are_unique_and_every_reference_leads_somewhere() {
    let plant = held().await;
    let model = plant.model();
    let prefix = Prefix::parse(model.organisation.prefix).unwrap();
    let known: BTreeSet<&str> = model.assets.iter().map(|a| a.suffix.as_ref()).collect();
    let mut seen = BTreeSet::new();
    let mut add = |suffix: &str| {
        Identifier::parse(&format!("{}/{suffix}", prefix.as_str())).unwrap();
        assert!(seen.insert(suffix.to_owned()), "{suffix} twice");
    };
    for asset in &model.assets {
        add(&asset.suffix);
        assert!(asset.parent.as_ref().is_none_or(|parent| known.contains(parent.as_ref())));
    }
    for device in &model.devices {
        add(&device.suffix);
        assert!(known.contains(device.asset.as_ref()), "{}", device.asset);
        for point in &device.points {
            add(&point.suffix);
            assert!(known.contains(point.asset.as_ref()), "{}", point.suffix);
            let numbers = point.data_type == DataType::F64;
            let without = ["replay-speed", "bpr", "ht-bleed"];
            let bare = without.iter().any(|suffix| point.suffix.ends_with(suffix));
            assert_eq!(point.unit.is_some(), numbers && !bare, "{}", point.suffix);
        }
    }
}

#[tokio::test]
async fn the_model_is_a_plant_that_a_node_can_create() {
    let plant = held().await;
    let model = serde_json::to_value(plant.model()).unwrap();
    assert_eq!(model["organisation"]["prefix"], assets::ORGANISATION.prefix);
    let points = plant.model().devices.iter().flat_map(|d| &d.points).collect::<Vec<_>>();
    assert_eq!(points.iter().filter(|p| column(p).is_some()).count(), crate::VARIABLES);
    assert_eq!(points.iter().filter(|p| p.write.is_some()).count(), 11 + 1 + 4);
    let (_, pressure) = find(&plant, "reactor-pressure");
    assert_eq!(pressure.names.to_map()["zh"], "反应器压力");
    assert_eq!(pressure.unit.as_ref().unwrap().symbol(), "kPa(g)");
    let (_, high) = find(&plant, "reactor-pressure-high");
    assert_eq!(high.description, "XMEAS(7) ≥ 2895 kPa(g)");
    let (_, feed) = find(&plant, "feed-a-flow");
    assert_eq!(feed.unit.as_ref().unwrap().to_string(), "{kscmh}");
    assert!(Plant::start(Options { fault: 11, ..Options::default() }).await.is_err());
    assert!(Plant::start(Options { speed: f64::NAN, ..Options::default() }).await.is_err());
}
