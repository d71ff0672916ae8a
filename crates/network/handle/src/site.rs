use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::wire::{Element, List, Reader, put_blob, put_i32, put_u16, put_u32};
use crate::{Error, Version};

/// By what part of a handle its server is chosen (RFC 3651, 3.2.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum HashOption {
    /// The prefix: all handles of a prefix are on one server.
    Prefix,
    /// The suffix.
    Suffix,
    /// Both.
    Handle,
    /// A number that the protocol does not name; chosen by the whole handle.
    Other(u8),
}

impl HashOption {
    pub(crate) const fn code(self) -> u8 {
        match self {
            Self::Prefix => 0,
            Self::Suffix => 1,
            Self::Handle => 2,
            Self::Other(code) => code,
        }
    }
}

impl From<u8> for HashOption {
    fn from(code: u8) -> Self {
        match code {
            0 => Self::Prefix,
            1 => Self::Suffix,
            2 => Self::Handle,
            code => Self::Other(code),
        }
    }
}

/// A site: servers that share the handles of a service (RFC 3651, 3.2.2). The data of HS_SITE,
/// and the answer to [`crate::OpCode::GetSiteInfo`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Site<'a> {
    /// Version of this form: 1.
    pub format: u16,
    /// Version of the protocol that its servers speak.
    pub protocol: Version,
    /// Grows by one with each change of the record.
    pub serial: u16,
    /// Whether handles may be changed here.
    pub primary: bool,
    /// Whether other sites are primary too.
    pub multi_primary: bool,
    /// How a handle's server is chosen.
    pub hash_option: HashOption,
    /// Empty.
    pub hash_filter: &'a [u8],
    /// What the site says of itself: `desc`, `domain`, …
    pub attributes: List<'a, Attribute<'a>>,
    /// Its servers, in the order by which handles are assigned to them.
    pub servers: List<'a, Server<'a>>,
}

const PRIMARY: u8 = 0x80;
const MULTI_PRIMARY: u8 = 0x40;

impl<'a> Site<'a> {
    /// Reads a site record; bytes after it are ignored.
    ///
    /// # Errors
    /// [`Error::Short`], [`Error::Count`].
    pub fn decode(data: &'a [u8]) -> Result<Self, Error> {
        Self::read(&mut Reader::new(data))
    }

    pub(crate) fn read(reader: &mut Reader<'a>) -> Result<Self, Error> {
        let format = reader.u16("a site")?;
        let protocol = Version::new(reader.u8("a site")?, reader.u8("a site")?);
        let serial = reader.u16("a site")?;
        let bits = reader.u8("a site")?;
        Ok(Self {
            format,
            protocol,
            serial,
            primary: bits & PRIMARY != 0,
            multi_primary: bits & MULTI_PRIMARY != 0,
            hash_option: reader.u8("a site")?.into(),
            hash_filter: reader.blob("a site's hash filter")?,
            attributes: reader.list()?,
            servers: reader.list()?,
        })
    }

    /// Appends the record.
    pub fn encode(&self, out: &mut Vec<u8>) {
        put_u16(out, self.format);
        out.extend_from_slice(&[self.protocol.major, self.protocol.minor]);
        put_u16(out, self.serial);
        let primary = if self.primary { PRIMARY } else { 0 };
        let multi = if self.multi_primary { MULTI_PRIMARY } else { 0 };
        out.extend_from_slice(&[primary | multi, self.hash_option.code()]);
        put_blob(out, self.hash_filter);
        self.attributes.write(out);
        self.servers.write(out);
    }

    /// Which server of the site has a handle: its place in [`Site::servers`]. None if the site has
    /// no server.
    #[must_use]
    pub fn server_of(&self, handle: &[u8]) -> Option<usize> {
        crate::responsible::server_of(self.hash_option, handle, self.servers.len())
    }
}

/// A name and a value of a site.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Attribute<'a> {
    /// The name.
    pub name: &'a [u8],
    /// The value.
    pub value: &'a [u8],
}

impl<'a> Element<'a> for Attribute<'a> {
    const BYTES_MIN: usize = 8;
    const NAME: &'static str = "a site's attributes";

    fn read(reader: &mut Reader<'a>) -> Result<Self, Error> {
        Ok(Self { name: reader.blob(Self::NAME)?, value: reader.blob(Self::NAME)? })
    }

    fn write(&self, out: &mut Vec<u8>) {
        put_blob(out, self.name);
        put_blob(out, self.value);
    }
}

/// One server of a site.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Server<'a> {
    /// Its number in the site's administration, not its place.
    pub id: i32,
    /// IPv6, or IPv4 in the last four bytes after zeros.
    pub address: [u8; 16],
    /// Its key, as data of HS_PUBKEY.
    pub public_key: &'a [u8],
    /// Where it listens.
    pub interfaces: List<'a, Interface>,
}

impl Server<'_> {
    /// The address. Twelve zeros in front, or those of a mapped address, make it one of IPv4,
    /// but for what no host has there: `::1` stays what it is.
    #[must_use]
    pub fn ip(&self) -> IpAddr {
        match self.address {
            [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, a, b, c, d] if a > 0 => {
                Ipv4Addr::new(a, b, c, d).into()
            }
            address => Ipv6Addr::from(address).to_canonical(),
        }
    }

    /// An address in the form that records have.
    #[must_use]
    pub const fn address_of(ip: IpAddr) -> [u8; 16] {
        match ip {
            IpAddr::V6(ip) => ip.octets(),
            IpAddr::V4(ip) => {
                let [a, b, c, d] = ip.octets();
                [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, a, b, c, d]
            }
        }
    }
}

impl fmt::Debug for Server<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = formatter.debug_struct("Server");
        debug.field("id", &self.id).field("ip", &self.ip());
        debug.field("interfaces", &self.interfaces).finish_non_exhaustive()
    }
}

impl<'a> Element<'a> for Server<'a> {
    const BYTES_MIN: usize = 28;
    const NAME: &'static str = "a site's servers";

    fn read(reader: &mut Reader<'a>) -> Result<Self, Error> {
        let id = reader.i32(Self::NAME)?;
        let mut address = [0; 16];
        address.copy_from_slice(reader.take(16, Self::NAME)?);
        let public_key = reader.blob("a server's key")?;
        Ok(Self { id, address, public_key, interfaces: reader.list()? })
    }

    fn write(&self, out: &mut Vec<u8>) {
        put_i32(out, self.id);
        out.extend_from_slice(&self.address);
        put_blob(out, self.public_key);
        self.interfaces.write(out);
    }
}

/// What an interface is spoken to with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Transport {
    /// UDP.
    Udp,
    /// TCP.
    Tcp,
    /// HTTP.
    Http,
    /// HTTP under TLS.
    Https,
    /// A number that the protocol does not name.
    Other(u8),
}

impl Transport {
    const fn code(self) -> u8 {
        match self {
            Self::Udp => 0,
            Self::Tcp => 1,
            Self::Http => 2,
            Self::Https => 3,
            Self::Other(code) => code,
        }
    }
}

impl From<u8> for Transport {
    fn from(code: u8) -> Self {
        match code {
            0 => Self::Udp,
            1 => Self::Tcp,
            2 => Self::Http,
            3 => Self::Https,
            code => Self::Other(code),
        }
    }
}

/// Where a server listens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Interface {
    /// 1 administration, 2 resolution, 3 both.
    pub kind: u8,
    /// What is spoken there.
    pub transport: Transport,
    /// Port.
    pub port: u32,
}

impl Interface {
    /// [`Interface::kind`]: handles may be changed here.
    pub const ADMIN: u8 = 1;
    /// [`Interface::kind`]: handles may be resolved here.
    pub const QUERY: u8 = 2;

    /// Whether handles may be changed here.
    #[must_use]
    pub const fn admin(&self) -> bool {
        self.kind & Self::ADMIN != 0
    }

    /// Whether handles may be resolved here.
    #[must_use]
    pub const fn query(&self) -> bool {
        self.kind & Self::QUERY != 0
    }
}

impl<'a> Element<'a> for Interface {
    const BYTES_MIN: usize = 6;
    const NAME: &'static str = "a server's interfaces";

    fn read(reader: &mut Reader<'a>) -> Result<Self, Error> {
        let kind = reader.u8(Self::NAME)?;
        let transport = reader.u8(Self::NAME)?.into();
        Ok(Self { kind, transport, port: reader.u32(Self::NAME)? })
    }

    fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&[self.kind, self.transport.code()]);
        put_u32(out, self.port);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_come_back() {
        for text in ["127.0.0.1", "1.2.3.4", "::1", "2001:db8::1", "::"] {
            let ip: IpAddr = text.parse().unwrap_or(IpAddr::V4(Ipv4Addr::BROADCAST));
            let address = Server::address_of(ip);
            let server = Server { id: 1, address, public_key: b"", interfaces: List::empty() };
            assert_eq!(server.ip(), ip, "{text}");
        }
    }
}
