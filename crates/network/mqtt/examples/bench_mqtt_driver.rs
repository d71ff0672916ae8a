//! Measures a device against a broker: messages of quality 1 from their publication to their acknowledgement.
//!
//! `cargo run -p weir-mqtt --example bench_mqtt_driver -- HOST PORT [3.1.1|5] [MESSAGES]`
//!
//! Each message is a JSON object with ten values, which are ten points. Receipts are settled at once, so this is
//! what driver and broker can do without a historian.

use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use serde_json::json;
use weir_connect::{Circumstances, DeviceSpec, Driver, Fields, Point, Settled, SystemClock};
use weir_model::{DataType, TagId, TenantId};
use weir_mqtt::{LinkSettings, MqttDriver, Opening, Qos};

/// Points that share a message.
const POINTS: u32 = 10;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let host = arguments.next().ok_or("the first argument is the broker's host")?;
    let port: u16 = arguments.next().ok_or("the second argument is its port")?.parse()?;
    let version = arguments.next().unwrap_or_else(|| "3.1.1".to_owned());
    let messages: usize = arguments.next().unwrap_or_else(|| "20000".to_owned()).parse()?;
    let settings = json!({"host": host, "port": port, "version": version, "persistent": false});
    let mut points = Vec::new();
    for n in 0..POINTS {
        points.push(Point {
            tag: TagId(n + 1),
            id: format!("88.100/bench.p{n}").parse()?,
            name: format!("p{n}"),
            address: json!({"topic": "weir/bench", "path": format!("/v{n}")}),
            data_type: DataType::F64,
            scaling: Vec::new(),
            write: None,
            poll_ms: None,
        });
    }
    let spec = DeviceSpec {
        tenant: TenantId(1),
        device: "88.100/bench".parse()?,
        name: "bench".to_owned(),
        protocol: "mqtt".to_owned(),
        settings: settings.clone(),
        points,
        enabled: true,
        revision: 1,
    };
    let circumstances = Circumstances::new(Arc::new(SystemClock));
    let mut session = MqttDriver::new().connect(Arc::new(spec), circumstances).await?;
    session.collect().await?;

    let mut errors = Vec::new();
    let link = LinkSettings::read(&mut Fields::of(&settings, String::new(), &mut errors));
    let mut machine = link.open(Opening::probe(Arc::new(SystemClock)), None).await?;
    let payload: serde_json::Map<_, _> =
        (0..POINTS).map(|n| (format!("v{n}"), json!(f64::from(n) + 0.5))).collect();
    let payload = Bytes::from(serde_json::to_vec(&payload)?);
    let publishing = tokio::spawn(async move {
        for _ in 0..messages {
            machine.publish("weir/bench", payload.clone(), Qos::AtLeastOnce, false).await?;
        }
        Ok::<_, weir_mqtt::LinkError>(())
    });
    let begun = Instant::now();
    let mut readings = 0;
    while readings < messages * POINTS as usize {
        session.due().await;
        let collected = session.collect().await?;
        readings += collected.readings.len();
        if let Some(receipt) = collected.receipt {
            receipt.settle(Settled::Stored);
        }
    }
    let seconds = begun.elapsed().as_secs_f64();
    publishing.await??;
    println!(
        "{:.0} messages/s, {:.0} values/s",
        messages as f64 / seconds,
        readings as f64 / seconds
    );
    Ok(())
}
