use serde::{Deserialize, Serialize};

use crate::wire::List;
use crate::{Error, HashOption, Jwk, PublicKey, Transport, Version};

/// A site record. The hash option is left out if it is the whole handle.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Site {
    /// Version of the form: 1.
    #[serde(default = "one")]
    pub version: u16,
    /// Version of the protocol, `2.11`.
    pub protocol_version: String,
    /// Serial number.
    pub serial_number: u16,
    /// Whether it is a primary site.
    pub primary_site: bool,
    /// Whether there are several.
    #[serde(default)]
    pub multi_primary: bool,
    /// How a handle's server is chosen: 0 prefix, 1 suffix, 2 whole handle.
    #[serde(default = "whole", skip_serializing_if = "is_whole")]
    pub hash_option: u8,
    /// What the site says of itself.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub attributes: Vec<Attribute>,
    /// Its servers.
    pub servers: Vec<Server>,
}

/// A name and a value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attribute {
    /// The name.
    pub name: String,
    /// The value.
    pub value: String,
}

/// A server.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Server {
    /// Its number.
    pub server_id: i32,
    /// Its address, as text.
    pub address: String,
    /// Its key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub public_key: Option<Key>,
    /// Where it listens.
    pub interfaces: Vec<Interface>,
}

/// A server's key with the name of its form.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "format", content = "value", rename_all = "lowercase")]
pub enum Key {
    /// The only form.
    Key(Jwk),
}

/// Where a server listens.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Interface {
    /// Whether handles may be resolved here.
    pub query: bool,
    /// Whether handles may be changed here.
    pub admin: bool,
    /// `UDP`, `TCP`, `HTTP` or `HTTPS`.
    pub protocol: String,
    /// Port.
    pub port: u32,
}

const WHOLE: u8 = 2;

const fn one() -> u16 {
    1
}

const fn whole() -> u8 {
    WHOLE
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes references")]
const fn is_whole(option: &u8) -> bool {
    *option == WHOLE
}

const TRANSPORTS: [(Transport, &str); 4] = [
    (Transport::Udp, "UDP"),
    (Transport::Tcp, "TCP"),
    (Transport::Http, "HTTP"),
    (Transport::Https, "HTTPS"),
];

impl Site {
    /// None for a record that has what this form has no place for.
    #[must_use]
    pub fn of(site: &crate::Site<'_>) -> Option<Self> {
        let text = |bytes: &[u8]| std::str::from_utf8(bytes).ok().map(str::to_owned);
        if !site.hash_filter.is_empty() {
            return None;
        }
        let attribute = |each: crate::Attribute<'_>| {
            Some(Attribute { name: text(each.name)?, value: text(each.value)? })
        };
        Some(Self {
            version: site.format,
            protocol_version: site.protocol.to_string(),
            serial_number: site.serial,
            primary_site: site.primary,
            multi_primary: site.multi_primary,
            hash_option: site.hash_option.code(),
            attributes: site.attributes.iter().map(attribute).collect::<Option<_>>()?,
            servers: site.servers.iter().map(|each| Server::of(&each)).collect::<Option<_>>()?,
        })
    }

    /// Appends the record in its wire form.
    ///
    /// # Errors
    /// [`Error::Json`] if a part of it means nothing.
    pub fn encode(&self, out: &mut Vec<u8>) -> Result<(), Error> {
        let protocol = self
            .protocol_version
            .split_once('.')
            .and_then(|(major, minor)| Some(Version::new(major.parse().ok()?, minor.parse().ok()?)))
            .ok_or(Error::Json { why: "a version is not of the form 2.11" })?;
        let attributes: Vec<_> = self
            .attributes
            .iter()
            .map(|each| crate::Attribute {
                name: each.name.as_bytes(),
                value: each.value.as_bytes(),
            })
            .collect();
        // Each server borrows its key and interfaces, which therefore stand apart.
        let mut parts = Vec::with_capacity(self.servers.len());
        for server in &self.servers {
            parts.push((server.key()?, server.interfaces()?));
        }
        let mut servers = Vec::with_capacity(self.servers.len());
        for (server, (key, interfaces)) in self.servers.iter().zip(&mut parts) {
            let ip = server.address.parse().map_err(|_| Error::Json { why: "no address" })?;
            servers.push(crate::Server {
                id: server.server_id,
                address: crate::Server::address_of(ip),
                public_key: key,
                interfaces: List::from_wire(server.interfaces.len() as u32, interfaces)?,
            });
        }
        let (mut first, mut second) = (Vec::new(), Vec::new());
        let site = crate::Site {
            format: self.version,
            protocol,
            serial: self.serial_number,
            primary: self.primary_site,
            multi_primary: self.multi_primary,
            hash_option: HashOption::from(self.hash_option),
            hash_filter: b"",
            attributes: List::build(&attributes, &mut first),
            servers: List::build(&servers, &mut second),
        };
        site.encode(out);
        Ok(())
    }
}

impl Server {
    fn of(server: &crate::Server<'_>) -> Option<Self> {
        let interface = |each: crate::Interface| {
            let (_, protocol) = TRANSPORTS.iter().find(|(found, _)| *found == each.transport)?;
            let protocol = (*protocol).to_owned();
            Some(Interface { query: each.query(), admin: each.admin(), protocol, port: each.port })
        };
        let key = match server.public_key {
            [] => None,
            key => Some(Key::Key(Jwk::of(&PublicKey::decode(key).ok()?)?)),
        };
        Some(Self {
            server_id: server.id,
            address: server.ip().to_string(),
            public_key: key,
            interfaces: server.interfaces.iter().map(interface).collect::<Option<_>>()?,
        })
    }

    fn key(&self) -> Result<Vec<u8>, Error> {
        let mut bytes = Vec::new();
        if let Some(Key::Key(key)) = &self.public_key {
            key.encode(&mut bytes)?;
        }
        Ok(bytes)
    }

    fn interfaces(&self) -> Result<Vec<u8>, Error> {
        let mut bytes = Vec::new();
        for interface in &self.interfaces {
            let known = TRANSPORTS.iter().find(|(_, name)| *name == interface.protocol);
            let (transport, _) = known.ok_or(Error::Json { why: "no such transport" })?;
            let bit = |set: bool, bit: u8| if set { bit } else { 0 };
            let kind = bit(interface.admin, crate::Interface::ADMIN)
                | bit(interface.query, crate::Interface::QUERY);
            let interface = crate::Interface { kind, transport: *transport, port: interface.port };
            crate::Element::write(&interface, &mut bytes);
        }
        Ok(bytes)
    }
}
