//! From documents to running devices.
//!
//! A device is a document of `weir-connect`, its points are tags of `weir-twin`. This is the seam:
//! it composes both into what the supervisor runs, at start and whenever one of them changes.

use std::collections::BTreeSet;
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use weir_connect::{
    ConnectError, DeviceSecrets, DeviceSpec, Devices, Point, Scaling, State, Supervisor,
};
use weir_model::TenantId;
use weir_store::{Change, Collection, Snapshot, Store, StoreError};
use weir_twin::{Organisations, Source, Tag, Tags};

use crate::changes::{Changes, News};

/// Records that are read at one time.
const PAGE: usize = 500;

/// A device by tenant and folded identifier.
type Key = (TenantId, String);

/// Applies every device, then whatever changes, until `stop`. `from` is the position of the feed
/// at which the devices were read first.
pub(crate) async fn follow(
    store: Store,
    supervisor: Supervisor,
    from: u64,
    stop: CancellationToken,
) {
    let mut changes = Changes::after(from, &store, stop);
    while let Some(news) = changes.next().await {
        let changed = match news {
            News::Entries(entries) => {
                affected(&store, entries.iter().flat_map(|entry| &entry.changes))
            }
            News::Everything => all(&store),
        };
        match changed {
            Ok(keys) => apply(&store, &supervisor, keys).await,
            Err(error) => tracing::error!(%error, "the documents of devices cannot be read"),
        }
    }
}

/// Starts every device that there is.
pub(crate) async fn start(store: &Store, supervisor: &Supervisor) -> Result<(), StoreError> {
    let keys = all(store)?;
    apply(store, supervisor, keys).await;
    Ok(())
}

/// How long devices may take to make their first connection before others are let in.
const FIRST_CONNECTION_TIME_MAX: Duration = Duration::from_secs(5);

/// Between two looks at the states of devices.
const LOOK: Duration = Duration::from_millis(5);

/// Waits until no device of some protocols is on its way to its first connection any more.
pub(crate) async fn connected(store: &Store, supervisor: &Supervisor, protocols: &[&str]) {
    let wanted = |(tenant, key): &Key| {
        let found = store.get::<Devices>(*tenant, key).ok().flatten();
        found.is_some_and(|found| protocols.contains(&found.record.protocol.as_str()))
    };
    let mut waiting: Vec<Key> = all(store).unwrap_or_default().into_iter().filter(wanted).collect();
    let deadline = tokio::time::Instant::now() + FIRST_CONNECTION_TIME_MAX;
    while !waiting.is_empty() && tokio::time::Instant::now() < deadline {
        waiting.retain(|(tenant, key)| {
            let status = key.parse().ok().and_then(|id| supervisor.status(*tenant, &id));
            status.is_some_and(|status| status.state == State::Connecting)
        });
        tokio::time::sleep(LOOK).await;
    }
}

async fn apply(store: &Store, supervisor: &Supervisor, keys: BTreeSet<Key>) {
    for (tenant, key) in keys {
        match compose(store, tenant, &key) {
            Ok(Some(spec)) => match supervisor.apply(spec).await {
                Ok(_) | Err(ConnectError::Stopped) => {}
                Err(error) => tracing::error!(%error, device = key, "the device cannot be run"),
            },
            Ok(None) => {
                if let Ok(device) = key.parse() {
                    supervisor.remove(tenant, &device).await;
                }
            }
            Err(error) => tracing::error!(%error, device = key, "the device cannot be read"),
        }
    }
}

fn all(store: &Store) -> Result<BTreeSet<Key>, StoreError> {
    store.read(|snap| {
        let mut keys = BTreeSet::new();
        for tenant in tenants(snap)? {
            let mut after: Option<String> = None;
            loop {
                let page = snap.list::<Devices>(tenant, "", after.as_deref(), PAGE)?;
                keys.extend(page.items.into_iter().map(|found| (tenant, found.key)));
                after = page.next;
                if after.is_none() {
                    break;
                }
            }
        }
        Ok(keys)
    })
}

/// The tenants of all organisations.
pub(crate) fn tenants(snap: &Snapshot) -> Result<Vec<TenantId>, StoreError> {
    let mut found = Vec::new();
    let mut after: Option<String> = None;
    loop {
        let page = snap.list::<Organisations>(TenantId::NODE, "", after.as_deref(), PAGE)?;
        found.extend(page.items.into_iter().map(|organisation| organisation.record.tenant));
        after = page.next;
        if after.is_none() {
            return Ok(found);
        }
    }
}

/// The devices whose own document or one of whose tags changed.
fn affected<'a>(
    store: &Store,
    changes: impl Iterator<Item = &'a Change>,
) -> Result<BTreeSet<Key>, StoreError> {
    let mut keys = BTreeSet::new();
    store.read(|snap| {
        for change in changes {
            if change.collection == Devices::NAME {
                keys.insert((change.tenant, change.key.clone()));
            } else if change.collection == Tags::NAME {
                // A tag may have been moved from another device, or deleted.
                for version in [change.version, change.version.saturating_sub(1)] {
                    let tag = snap.version::<Tags>(change.tenant, &change.key, version)?;
                    if let Some(source) = tag.and_then(|found| found.record.source) {
                        keys.insert((change.tenant, source.device.folded()));
                    }
                }
            }
        }
        Ok(keys)
    })
}

fn compose(store: &Store, tenant: TenantId, key: &str) -> Result<Option<DeviceSpec>, StoreError> {
    store.read(|snap| {
        let Some(found) = snap.get::<Devices>(tenant, key)? else { return Ok(None) };
        let device = found.record;
        let mut points = Vec::new();
        let mut after: Option<String> = None;
        loop {
            let page = snap.by_index::<Tags>(tenant, Tags::DEVICE, key, after.as_deref(), PAGE)?;
            points.extend(page.items.into_iter().filter_map(|found| point(found.record)));
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        let mut settings = device.settings;
        if let Some(secrets) = snap.get::<DeviceSecrets>(tenant, key)? {
            secrets.record.give(&mut settings);
        }
        Ok(Some(DeviceSpec {
            tenant,
            device: device.id,
            name: device.name,
            protocol: device.protocol,
            settings,
            points,
            enabled: device.enabled,
            revision: found.version,
        }))
    })
}

/// A tag's source as a point. What the driver's words are was checked when they were written; a
/// scaling that cannot be read any more must not fail the device's other points.
fn point(tag: Tag) -> Option<Point> {
    let Source { address, poll_ms, scaling, write, .. } = tag.source?;
    let read = |json: serde_json::Value| serde_json::from_value::<Scaling>(json);
    let scaling = match scaling.into_iter().map(read).collect::<Result<_, _>>() {
        Ok(scaling) => scaling,
        Err(error) => {
            tracing::error!(tag = %tag.id, %error, "the scaling cannot be read; the tag is left out");
            return None;
        }
    };
    let write = write.and_then(|json| {
        let limits = serde_json::from_value(json);
        limits.inspect_err(|error| {
            tracing::error!(tag = %tag.id, %error, "the write limits cannot be read; it is not writable");
        }).ok()
    });
    Some(Point {
        tag: tag.tag,
        id: tag.id,
        name: tag.name,
        address,
        data_type: tag.data_type,
        scaling,
        write,
        poll_ms,
    })
}
