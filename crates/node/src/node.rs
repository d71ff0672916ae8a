//! Start and stop: the rooms opened in order, and closed in the other.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use weir_access::Access;
use weir_api::{ApiState, NodeInfo, Parts, QueryEngine};
use weir_audit::Audit;
use weir_broker::Broker;
use weir_connect::{Driver, Supervisor};
use weir_historian::Historian;
use weir_model::TenantId;
use weir_mqtt::Inside;
use weir_store::{Schema, Store};
use weir_twin::Directory;

use crate::config::{self, Config};
use crate::control::{Control, ControlFile, audit_dir};
use crate::error::NodeError;
use crate::first::{self, FirstAdministrator};
use crate::samples::ToHistorian;
use crate::tls::TlsError;
use crate::{broker, devices, follow, lake, listener, opcua, resolver, retention, tls};

/// The organisation that an empty data folder starts with.
const FIRST_TENANT: TenantId = TenantId(1);

/// A running node. Ended with [`Node::stop`]; dropping it leaves everything to the operating system,
/// as a pulled plug would, and loses nothing that was acknowledged.
pub struct Node {
    url: String,
    certificate: Option<PathBuf>,
    first: Option<FirstAdministrator>,
    rooms: Rooms,
    stop: CancellationToken,
    listener: JoinHandle<()>,
    followers: Vec<JoinHandle<()>>,
    _control: Option<ControlFile>,
}

struct Rooms {
    store: Store,
    historian: Historian,
    audit: Audit,
    access: Access,
    supervisor: Supervisor,
    mqtt: Option<Mqtt>,
    opcua: Option<weir_opcua_server::Running>,
    resolver: Option<resolver::Running>,
}

struct Mqtt {
    broker: Broker,
    address: SocketAddr,
}

/// The protocols that this node speaks. A new driver is one line here.
fn drivers(config: &Config, broker: Option<&Broker>) -> Vec<Arc<dyn Driver>> {
    let dir = &config.data.dir;
    let pickup = dir.join("pickup");
    let (mqtt, sparkplug) = match broker.map(|broker| Inside::new(broker.clone())) {
        Some(inside) => (
            weir_mqtt::MqttDriver::with_inside(inside.clone()),
            weir_sparkplug::SparkplugDriver::with_inside(inside),
        ),
        None => (weir_mqtt::MqttDriver::new(), weir_sparkplug::SparkplugDriver::new()),
    };
    vec![
        Arc::new(weir_modbus::ModbusDriver::new()),
        Arc::new(weir_opcua::OpcUaDriver::new(dir.join("opcua"))),
        Arc::new(mqtt),
        Arc::new(sparkplug),
        Arc::new(weir_s7::S7Driver::new()),
        Arc::new(weir_mtconnect::MtconnectDriver::new()),
        Arc::new(weir_pickup::CsvPickup::new(config.connect.pickup_dirs.clone(), pickup.clone())),
        Arc::new(weir_pickup::SqlPickup::new(pickup)),
        Arc::new(weir_line::LineDriver::new()),
    ]
}

impl Node {
    /// Opens the data folder, starts the devices and listens. SQL is run by the engine that is given, if the
    /// program has one.
    ///
    /// # Errors
    /// [`NodeError`]; nothing runs then.
    pub async fn start(
        config: Config,
        query: Option<Arc<dyn QueryEngine>>,
    ) -> Result<Self, NodeError> {
        let address = config.listen.address;
        // Listening comes first, so that a port in use is found before anything is written.
        let socket = TcpListener::bind(address)
            .await
            .map_err(|source| NodeError::Listen { address, source })?;
        let opcua_bound = opcua::bind(&config.opcua).await?;
        let local = socket.local_addr().map_err(|source| NodeError::Listen { address, source })?;
        let opened = config.clone();
        let Opened { store, historian, audit, tls, mqtt_tls } =
            tokio::task::spawn_blocking(move || open(&opened))
                .await
                .map_err(|_| NodeError::Interrupted)??;
        let access = Access::open(store.clone(), access_options(&config))?;
        let first = first::create(&store, &access, &config.organisation, FIRST_TENANT).await?;
        let registry = resolver::registry(&store, &access).await?;
        let sink = Arc::new(ToHistorian(historian.clone()));
        let mut options = weir_connect::Options::new(config.data.dir.join("spool"));
        options.spool_bytes_max = u64::from(config.connect.spool_mib) << 20;
        let listening = broker::open(&config.mqtt, &config.data.dir, mqtt_tls).await?;
        let drivers = drivers(&config, listening.as_ref().map(|listening| &listening.broker));
        let supervisor = Supervisor::new(drivers, sink, options)?;
        let from = *store.head().borrow();
        devices::start(&store, &supervisor).await?;
        retention::start(&store, &historian)?;

        let stop = CancellationToken::new();
        let directory = Directory::open(store.clone())?;
        let shown = opcua::Rooms {
            store: store.clone(),
            directory: directory.clone(),
            historian: historian.clone(),
            audit: audit.clone(),
            access: access.clone(),
            supervisor: supervisor.clone(),
        };
        let opcua = opcua::serve(opcua_bound, &config, shown, stop.clone()).await?;
        let resolver =
            resolver::serve(&config, tls.as_ref(), &registry, &access, stop.clone()).await?;
        if let Some(resolver) = &resolver {
            let (addresses, web) = (&resolver.addresses, resolver.web);
            tracing::info!(?addresses, ?web, "identifiers are answered");
        }
        let lake =
            lake::start(&config, &historian, &directory, stop.clone()).map_err(NodeError::Lake)?;
        let state = ApiState::new(Parts {
            store: store.clone(),
            registry: Arc::clone(&registry),
            directory,
            historian: historian.clone(),
            supervisor: Arc::new(supervisor.clone()),
            mqtt: listening.as_ref().map(broker::Listening::clients),
            opcua: opcua.as_ref().map(|opcua| opcua::clients(opcua, &config.opcua)),
            lake: lake.as_ref().map(|lake| Arc::clone(&lake.view)),
            query,
            flight: config.query.flight,
            access: access.clone(),
            audit: audit.clone(),
            clock: weir_api::system_clock(),
            info: NodeInfo { version: env!("CARGO_PKG_VERSION").to_owned(), tls: tls.is_some() },
            limits: weir_api::Limits {
                series_tags_max: config.historian.series_tags as usize,
                ..weir_api::Limits::default()
            },
            shutdown: stop.clone(),
            backups: config.data.dir.join("backups"),
        });
        let url = url(local, tls.is_some());
        let (acceptor, certificate) = tls.map(|tls| (tls.acceptor, tls.certificate)).unzip();
        let token = access.control_token(FIRST_TENANT)?;
        let control = Control { url: &url, token: &token, certificate: certificate.as_deref() };
        let control = match ControlFile::write(&config.data.dir, &control) {
            Ok(file) => Some(file),
            // What is stored can be read all the same.
            Err(error) if error.kind() == std::io::ErrorKind::StorageFull => {
                tracing::error!("the disk is full: commands on this machine do not find the node");
                None
            }
            Err(source) => {
                return Err(NodeError::Data { path: config.data.dir.clone(), source });
            }
        };
        let mut followers = vec![
            tokio::spawn(follow::changes_to_audit(store.clone(), audit.clone(), stop.clone())),
            tokio::spawn(devices::follow(store.clone(), supervisor.clone(), from, stop.clone())),
            tokio::spawn(retention::follow(store.clone(), historian.clone(), from, stop.clone())),
        ];
        followers.extend(lake.map(|lake| lake.follower));
        let mqtt = listening.map(|listening| {
            let (broker, address) =
                listening.serve(access.clone(), store.clone(), supervisor.clone(), stop.clone());
            tracing::info!(%address, "the MQTT broker listens");
            Mqtt { broker, address }
        });
        let router = weir_api::router(state);
        let connections = config.listen.connections_max;
        let listener = listener::serve(socket, acceptor, router, connections, stop.clone());
        tracing::info!(%url, data = %config.data.dir.display(), "ready");
        Ok(Self {
            url,
            certificate,
            first,
            rooms: Rooms { store, historian, audit, access, supervisor, mqtt, opcua, resolver },
            stop,
            listener: tokio::spawn(listener),
            followers,
            _control: control,
        })
    }

    /// The address for browsers and programs.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The certificate that clients may pin, where the listener encrypts.
    pub fn certificate(&self) -> Option<&Path> {
        self.certificate.as_deref()
    }

    /// Where the MQTT broker listens, where it runs.
    pub fn mqtt_address(&self) -> Option<SocketAddr> {
        self.rooms.mqtt.as_ref().map(|mqtt| mqtt.address)
    }

    /// Where the OPC UA server listens, where it runs.
    pub fn opcua_address(&self) -> Option<SocketAddr> {
        self.rooms.opcua.as_ref().map(weir_opcua_server::Running::address)
    }

    /// Where identifiers are answered over the Handle protocol, where they are.
    pub fn resolver_addresses(&self) -> &[SocketAddr] {
        self.rooms.resolver.as_ref().map_or(&[], |resolver| &resolver.addresses)
    }

    /// Where identifiers are answered over HTTP, where they are.
    pub fn resolver_web_address(&self) -> Option<SocketAddr> {
        self.rooms.resolver.as_ref().and_then(|resolver| resolver.web)
    }

    /// The administrator that was created by this start, if the data folder was empty.
    pub fn first_administrator(&self) -> Option<&FirstAdministrator> {
        self.first.as_ref()
    }

    /// Ends streams, lets open requests end, brings what is in memory to disk.
    pub async fn stop(self) {
        tracing::info!("stopping");
        self.stop.cancel();
        let _ = self.listener.await;
        let Rooms { store, historian, audit, access, supervisor, mqtt, opcua, resolver } =
            self.rooms;
        if let Some(resolver) = resolver {
            resolver.stopped().await;
        }
        if let Some(opcua) = opcua {
            opcua.stopped().await;
        }
        supervisor.shutdown().await;
        if let Some(Mqtt { broker, .. }) = mqtt {
            broker.shutdown().await;
        }
        for follower in self.followers {
            let _ = follower.await;
        }
        if let Err(error) = historian.close().await {
            tracing::warn!(%error, "samples stay in the log until the next start");
        }
        audit.close().await;
        drop((access, store));
        tracing::info!("stopped");
    }
}

/// The rooms whose files are open.
struct Opened {
    store: Store,
    historian: Historian,
    audit: Audit,
    tls: Option<tls::Tls>,
    mqtt_tls: Option<TlsAcceptor>,
}

/// Everything that reads files before the node can run.
fn open(config: &Config) -> Result<Opened, NodeError> {
    let dir = &config.data.dir;
    std::fs::create_dir_all(dir).map_err(|source| NodeError::Data { path: dir.clone(), source })?;
    check_writable(dir)?;
    let schema = Access::schema(weir_api::schema(weir_connect::schema(Schema::new())));
    let store = Store::open(&dir.join("store"), schema, weir_store::Options::default())?;
    let options = weir_historian::Options {
        future_max: Duration::from_secs(config.historian.future_s.into()),
        memory_bytes_max: (config.historian.memory_mib as usize) << 20,
        ..Default::default()
    };
    let historian = Historian::open(&dir.join("historian"), options)?;
    let audit = Audit::open(&audit_dir(dir), weir_audit::Options::default())?;
    let prepare = |inside| tls::prepare(&config.listen, dir, SystemTime::now(), inside);
    let wanted = tls::is_wanted(config.listen.tls, config.listen.address);
    let tls = wanted.then(|| prepare(tls::Inside::Http)).transpose()?;
    let mqtt_tls = mqtt_acceptor(&config.mqtt, prepare)?;
    Ok(Opened { store, historian, audit, tls, mqtt_tls })
}

/// Tells of a folder that cannot be written before any room does, in words of its own.
fn check_writable(dir: &Path) -> Result<(), NodeError> {
    use std::io::ErrorKind::{PermissionDenied, ReadOnlyFilesystem};
    let probe = dir.join(".probe");
    match std::fs::File::create(&probe) {
        Err(source) if matches!(source.kind(), PermissionDenied | ReadOnlyFilesystem) => {
            Err(NodeError::ReadOnly { path: dir.to_owned(), source })
        }
        // Of a full disk, and whatever else there may be, the rooms tell.
        _ => {
            let _ = std::fs::remove_file(&probe);
            Ok(())
        }
    }
}

/// The TLS of the MQTT listeners, which speak it both or not at all.
fn mqtt_acceptor<'a>(
    mqtt: &'a config::Mqtt,
    prepare: impl FnOnce(tls::Inside<'a>) -> Result<tls::Tls, TlsError>,
) -> Result<Option<TlsAcceptor>, TlsError> {
    if !mqtt.enabled {
        return Ok(None);
    }
    let authorities =
        Some(mqtt.client_authorities.as_path()).filter(|path| !path.as_os_str().is_empty());
    let addresses = [Some(mqtt.address), mqtt.websocket.then_some(mqtt.websocket_address)];
    if !addresses.into_iter().flatten().any(|address| tls::is_wanted(mqtt.tls, address)) {
        return if authorities.is_some() { Err(TlsError::NoTls) } else { Ok(None) };
    }
    Ok(Some(prepare(tls::Inside::Mqtt { authorities })?.acceptor))
}

fn access_options(config: &Config) -> weir_access::Options {
    weir_access::Options {
        session_idle: Duration::from_secs(u64::from(config.access.session_idle_min) * 60),
        session_life: Duration::from_secs(u64::from(config.access.session_hours) * 3600),
        ..Default::default()
    }
}

/// An address that a browser on this machine can open.
fn url(local: SocketAddr, tls: bool) -> String {
    let scheme = if tls { "https" } else { "http" };
    let port = local.port();
    match local.ip() {
        ip if ip.is_unspecified() => format!("{scheme}://localhost:{port}"),
        std::net::IpAddr::V6(ip) => format!("{scheme}://[{ip}]:{port}"),
        ip => format!("{scheme}://{ip}:{port}"),
    }
}
