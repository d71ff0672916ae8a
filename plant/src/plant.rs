//! The running plant.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use serde_json::json;
use tokio::net::TcpListener;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use weir_model::Unit;

use crate::devices::{Controller, Register};
use crate::model::{Device, Model, Point, Scaling};
use crate::replay::{Replay, SPEED_DEFAULT};
use crate::server::Port;
use crate::{PlantError, assets, devices};

/// How the plant is started.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Options {
    /// Replay speed in times of real time, 0 (held) to [`crate::SPEED_MAX`]. A row is recorded
    /// every 180 s, so the default of 180 plays one row a second.
    pub speed: f64,
    /// The fault that plays first, 0 (normal) to [`crate::FAULT_MAX`].
    pub fault: u16,
    /// The address that the devices listen on, each group on a port that is free.
    pub host: IpAddr,
}

impl Default for Options {
    fn default() -> Self {
        Self { speed: SPEED_DEFAULT, fault: 0, host: Ipv4Addr::LOCALHOST.into() }
    }
}

/// The plant with its open ports. Dropping it closes them.
pub struct Plant {
    model: Model,
    replay: Arc<Replay>,
    stop: CancellationToken,
    tasks: TaskTracker,
}

impl Plant {
    /// Opens the devices' ports and starts the replay.
    ///
    /// # Errors
    /// [`PlantError`].
    pub async fn start(options: Options) -> Result<Self, PlantError> {
        let replay = Replay::start(options.fault, options.speed, Instant::now())?;
        let replay = Arc::new(replay);
        let mut groups: BTreeMap<usize, Vec<Arc<Controller>>> = BTreeMap::new();
        let mut order = Vec::new();
        for controller in devices::all() {
            let controller = Arc::new(controller);
            groups.entry(controller.group).or_default().push(Arc::clone(&controller));
            order.push(controller);
        }
        let stop = CancellationToken::new();
        let mut listeners = Vec::new();
        let mut ports = BTreeMap::new();
        for (group, controllers) in groups {
            let (listener, port) = bind(options.host, &controllers).await?;
            ports.insert(group, port);
            listeners.push((listener, Port { controllers, replay: Arc::clone(&replay) }));
        }
        let tasks = TaskTracker::new();
        for (listener, port) in listeners {
            tasks.spawn(Arc::new(port).serve(listener, stop.clone()));
        }
        tasks.close();
        let device = |c: &Arc<Controller>| {
            device(c, options.host, ports.get(&c.group).copied().unwrap_or_default())
        };
        let model = Model {
            organisation: assets::ORGANISATION,
            assets: assets::ALL.to_vec(),
            devices: order.iter().map(device).collect(),
        };
        Ok(Self { model, replay, stop, tasks })
    }

    /// What stands in the plant, with the ports that were opened.
    pub fn model(&self) -> &Model {
        &self.model
    }

    /// Plays another recording: 0 is the normal run, from its start; 1 to [`crate::FAULT_MAX`]
    /// are runs with a fault, from ten rows before it acts. Values that were written are dropped.
    ///
    /// # Errors
    /// [`PlantError::UnknownFault`].
    pub fn set_fault(&self, fault: u16) -> Result<(), PlantError> {
        self.replay.set_fault(fault, Instant::now())
    }

    /// The fault that plays.
    pub fn fault(&self) -> u16 {
        self.replay.moment(Instant::now()).fault
    }

    /// Changes the speed without leaving the row that plays; see [`Options::speed`].
    ///
    /// # Errors
    /// [`PlantError::Speed`].
    pub fn set_speed(&self, speed: f64) -> Result<(), PlantError> {
        self.replay.set_speed(speed, Instant::now())
    }

    /// Closes all ports and connections, and waits until they are.
    pub async fn stop(self) {
        self.stop.cancel();
        self.tasks.wait().await;
    }
}

impl Drop for Plant {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

async fn bind(
    host: IpAddr,
    controllers: &[Arc<Controller>],
) -> Result<(TcpListener, u16), PlantError> {
    let bound = async {
        let listener = TcpListener::bind((host, 0)).await?;
        let port = listener.local_addr()?.port();
        Ok((listener, port))
    };
    bound.await.map_err(|source| {
        let devices = controllers.iter().map(|c| c.suffix).collect::<Vec<_>>().join(", ");
        PlantError::Bind { host, devices, source }
    })
}

fn device(controller: &Controller, host: IpAddr, port: u16) -> Device {
    Device {
        suffix: controller.suffix,
        names: controller.names,
        asset: controller.asset,
        settings: json!({
            "host": host.to_string(),
            "port": port,
            "unit": controller.unit,
            "timeout_ms": 1000,
            "poll_ms": controller.poll_ms,
            "gap_registers": 8,
            "word_order": controller.order.as_str(),
        }),
        points: controller.points.iter().map(point).collect(),
    }
}

fn point(register: &Register) -> Point {
    Point {
        suffix: register.suffix,
        names: register.names,
        description: register.source.describe(),
        // The codes are this crate's own and one test reads them all.
        unit: register.unit.and_then(|code| Unit::parse(code).ok()),
        data_type: register.data_type(),
        address: json!({
            "table": register.table.as_str(),
            "address": register.address,
            "type": register.wire.as_str(),
        }),
        scaling: register.step.map(|factor| Scaling { factor, offset: 0.0 }),
        range: register.range,
        asset: register.asset,
        write: register.write,
    }
}

#[cfg(test)]
mod tests;
