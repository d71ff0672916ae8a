//! What a server says of itself: its key, and its site record.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde::{Deserialize, Serialize};
use weir_handle::{
    Attribute, HashOption, Interface, List, Server, SigningKey, Site, Transport, Version,
};
use weir_model::{Author, TenantId, Timestamp};
use weir_store::{Collection, Commit, Expect, History, Store};

use crate::{Identity, ResolverError};

/// The private key of a server.
#[derive(Clone, Serialize, Deserialize)]
pub struct ServerKey {
    /// PKCS #8, in base64.
    pkcs8: String,
}

/// Keys of this server, encrypted, by name.
pub struct ServerKeys;

impl Collection for ServerKeys {
    const NAME: &'static str = "identifier-server-keys";
    type Record = ServerKey;
    const HISTORY: History = History::None;
    const SECRET: bool = true;
}

/// The name of the key that answers are signed with.
const KEY: &str = "server";

/// Where others reach a server.
#[derive(Debug, Clone, Default)]
pub struct Reached {
    /// The address that others know; none: the first one that is listened on.
    pub address: Option<IpAddr>,
    /// Where UDP and TCP are listened on.
    pub handle: Vec<SocketAddr>,
    /// Where HTTP is, and whether it is encrypted.
    pub http: Option<(u16, bool)>,
    /// Whether records may be changed over UDP.
    pub udp_admin: bool,
    /// What the server is called, for people.
    pub description: String,
}

impl Identity {
    /// The identity of this node's server: its key is made at the first start and kept encrypted.
    /// It blocks on the disk, and for about a second while a key is made.
    ///
    /// # Errors
    /// [`ResolverError::Key`], [`ResolverError::Store`].
    pub async fn of_node(
        store: &Store,
        author: Author,
        now: Timestamp,
        reached: &Reached,
        administrators: Vec<String>,
    ) -> Result<Self, ResolverError> {
        let found = store.get::<ServerKeys>(TenantId::NODE, KEY)?;
        let pkcs8 = match found {
            Some(found) => BASE64.decode(found.record.pkcs8).map_err(|_| ResolverError::Key)?,
            None => {
                let made = tokio::task::spawn_blocking(make_key).await;
                let made = made.map_err(|_| ResolverError::Key)??;
                let record = ServerKey { pkcs8: BASE64.encode(&made) };
                let mut commit = Commit::new(author, now);
                commit.put_in::<ServerKeys>(TenantId::NODE, KEY, &record, Expect::Absent);
                store.commit(commit).await.map_err(ResolverError::Commit)?;
                made
            }
        };
        let key = SigningKey::rsa_from_pkcs8(&pkcs8).map_err(|_| ResolverError::Key)?;
        let serial = 1;
        let site = site(serial, &key, reached);
        Ok(Self { site, serial, key: Some(key), administrators })
    }
}

fn make_key() -> Result<Vec<u8>, ResolverError> {
    let mut failed = false;
    let made = SigningKey::generate_rsa_pkcs8(|bytes| failed |= getrandom::fill(bytes).is_err());
    match made {
        Ok(made) if !failed => Ok(made),
        _ => Err(ResolverError::Key),
    }
}

/// The site record: one server, with all of its interfaces.
fn site(serial: u16, key: &SigningKey, reached: &Reached) -> Vec<u8> {
    let first = reached.handle.first().map(|address| address.ip());
    let known = reached.address.or(first).filter(|address| !address.is_unspecified());
    let address = known.unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST));
    let both = Interface::ADMIN | Interface::QUERY;
    let mut interfaces = Vec::new();
    if let Some(port) = reached.handle.first().map(|address| u32::from(address.port())) {
        let udp = if reached.udp_admin { both } else { Interface::QUERY };
        interfaces.push(Interface { kind: both, transport: Transport::Tcp, port });
        interfaces.push(Interface { kind: udp, transport: Transport::Udp, port });
    }
    if let Some((port, encrypted)) = reached.http {
        let transport = if encrypted { Transport::Https } else { Transport::Http };
        interfaces.push(Interface { kind: both, transport, port: u32::from(port) });
    }
    let (mut a, mut b, mut c) = (Vec::new(), Vec::new(), Vec::new());
    let server = Server {
        id: 1,
        address: Server::address_of(address),
        public_key: key.public_key(),
        interfaces: List::build(&interfaces, &mut a),
    };
    let described = Attribute { name: b"desc", value: reached.description.as_bytes() };
    let mut out = Vec::new();
    Site {
        format: 1,
        protocol: Version::CURRENT,
        serial,
        primary: true,
        multi_primary: false,
        hash_option: HashOption::Handle,
        hash_filter: b"",
        attributes: List::build(&[described], &mut b),
        servers: List::build(&[server], &mut c),
    }
    .encode(&mut out);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_site_tells_where_its_server_is() {
        let key = SigningKey::ed25519_from_seed(&[7; 32]).unwrap();
        let reached = Reached {
            handle: vec!["0.0.0.0:2641".parse().unwrap()],
            address: Some("192.0.2.7".parse().unwrap()),
            http: Some((8000, false)),
            description: "a plant".to_owned(),
            ..Reached::default()
        };
        let bytes = site(3, &key, &reached);
        let site = Site::decode(&bytes).unwrap();
        let server = site.servers.iter().next().unwrap();
        assert_eq!((site.serial, server.ip()), (3, "192.0.2.7".parse::<IpAddr>().unwrap()));
        assert_eq!(server.interfaces.len(), 3);
        assert_eq!(server.public_key, key.public_key());
    }
}
