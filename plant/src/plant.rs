//! The running plant.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener as BoundListener};
use std::path::PathBuf;
use std::sync::Arc;

use serde_json::json;
use tokio::net::TcpListener;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use weir_model::Unit;

use crate::accept::accept;
use crate::agent::Agent;
use crate::dcs::{self, Dcs};
use crate::devices::{Controller, Register};
use crate::fleet::{self, Fleet};
use crate::model::{Device, Model, Point, Scaling};
use crate::replay::{Replay, SPEED_DEFAULT};
use crate::server::Port;
use crate::{PlantError, assets, devices, mill};

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
    dcs: Arc<Dcs>,
    /// The control system's port, until the system is started.
    dcs_port: Option<BoundListener>,
    host: IpAddr,
    fleet: Arc<Fleet>,
    stop: CancellationToken,
    tasks: TaskTracker,
}

impl Plant {
    /// Opens the devices' ports and starts the replay. Modbus devices and the machine tool serve at
    /// once, the control system when it is [started](Self::start_control_system), and the fleet when
    /// it is told [where to publish](Self::publish).
    ///
    /// # Errors
    /// [`PlantError`].
    pub async fn start(options: Options) -> Result<Self, PlantError> {
        let host = options.host;
        let replay = Arc::new(Replay::start(options.fault, options.speed, Instant::now())?);
        let dcs = Arc::new(Dcs::new(Arc::clone(&replay))?);
        let fleet = Arc::new(Fleet::load()?);
        let (ports, controllers) = modbus(host, &replay).await?;
        let (agent_listener, agent_port) = bind(host, mill::SUFFIX).await?;
        let agent = Arc::new(Agent::new(Arc::clone(&replay)));
        let (dcs_port, dcs_address) = bind_std(host, dcs::SUFFIX)?;
        // Whose driver has most to do at its first connection comes first.
        let mut devices = vec![dcs::device(dcs_address)];
        devices.extend(controllers);
        devices.push(mill::device((host, agent_port).into()));
        devices.extend(fleet::devices());

        let stop = CancellationToken::new();
        let tasks = TaskTracker::new();
        for (listener, port) in ports {
            tasks.spawn(Arc::new(port).serve(listener, stop.clone()));
        }
        tasks.spawn(Arc::clone(&agent).run(stop.clone()));
        tasks.spawn(accept(agent_listener, stop.clone(), move |stream, place| {
            let agent = Arc::clone(&agent);
            async move { agent.connection(stream, &place).await }
        }));
        tasks.spawn(Arc::clone(&dcs).run(stop.clone()));
        let model = Model {
            organisation: assets::ORGANISATION,
            assets: assets::ALL.iter().cloned().chain(fleet::assets()).collect(),
            devices,
        };
        Ok(Self { model, replay, dcs, dcs_port: Some(dcs_port), host, fleet, stop, tasks })
    }

    /// Starts the control system's OPC UA server. A folder keeps its certificate, which is made at
    /// the first start.
    ///
    /// # Errors
    /// [`PlantError::OpcUa`]; [`PlantError::Started`] the second time.
    pub async fn start_control_system(&mut self, pki_dir: PathBuf) -> Result<(), PlantError> {
        let port = self.dcs_port.take().ok_or(PlantError::Started)?;
        let dcs = Arc::clone(&self.dcs);
        let running = dcs.serve(port, (self.host, pki_dir), self.stop.clone()).await?;
        self.tasks.spawn(async move { running.stopped().await });
        Ok(())
    }

    /// Lets the fleet's edge nodes publish to a broker, which takes the token as their password.
    pub fn publish(&self, broker: SocketAddr, token: &str) {
        let token: Arc<str> = token.into();
        for station in 0..fleet::STATIONS {
            let sources = (Arc::clone(&self.fleet), Arc::clone(&self.replay));
            let to = (broker, Arc::clone(&token));
            self.tasks.spawn(fleet::run(station, sources, to, self.stop.clone()));
        }
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
        self.tasks.close();
        self.tasks.wait().await;
    }
}

impl Drop for Plant {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// Listeners with what they serve.
type Ports = Vec<(TcpListener, Port)>;

/// Binds the ports of the Modbus devices.
async fn modbus(host: IpAddr, replay: &Arc<Replay>) -> Result<(Ports, Vec<Device>), PlantError> {
    let mut groups: BTreeMap<usize, Vec<Arc<Controller>>> = BTreeMap::new();
    for controller in devices::all() {
        groups.entry(controller.group).or_default().push(Arc::new(controller));
    }
    let (mut ports, mut found) = (Vec::new(), Vec::new());
    for controllers in groups.into_values() {
        let names: Vec<_> = controllers.iter().map(|c| c.suffix).collect();
        let (listener, port) = bind(host, &names.join(", ")).await?;
        found.extend(controllers.iter().map(|controller| device(controller, host, port)));
        ports.push((listener, Port { controllers, replay: Arc::clone(replay) }));
    }
    Ok((ports, found))
}

async fn bind(host: IpAddr, devices: &str) -> Result<(TcpListener, u16), PlantError> {
    let bound = async {
        let listener = TcpListener::bind((host, 0)).await?;
        let port = listener.local_addr()?.port();
        Ok((listener, port))
    };
    let devices = devices.to_owned();
    bound.await.map_err(|source| PlantError::Bind { host, devices, source })
}

/// A port that waits for its server: clients that come before it are answered when it is there.
fn bind_std(host: IpAddr, device: &str) -> Result<(BoundListener, SocketAddr), PlantError> {
    let bound = BoundListener::bind((host, 0));
    let bound = bound.and_then(|listener| Ok((listener.local_addr()?, listener)));
    let devices = device.to_owned();
    bound.map(|(address, listener)| (listener, address)).map_err(|source| PlantError::Bind {
        host,
        devices,
        source,
    })
}

fn device(controller: &Controller, host: IpAddr, port: u16) -> Device {
    Device {
        suffix: controller.suffix.into(),
        names: controller.names.clone(),
        protocol: "modbus",
        asset: controller.asset.into(),
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
        suffix: register.suffix.into(),
        names: register.names.clone(),
        description: register.source.describe(),
        // The codes are this crate's own and one test reads them all.
        unit: register.unit.and_then(|code| Unit::parse(code).ok()),
        data_type: register.data_type(),
        labels: register.source.labels(),
        address: json!({
            "table": register.table.as_str(),
            "address": register.address,
            "type": register.wire.as_str(),
        }),
        scaling: register.step.map(|factor| Scaling { factor, offset: 0.0 }),
        range: register.range,
        asset: register.asset.into(),
        write: register.write,
    }
}

#[cfg(test)]
mod tests;
