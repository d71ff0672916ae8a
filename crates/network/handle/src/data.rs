use crate::wire::{Element, List, Reader, put_u16};
use crate::{Error, PublicKey, Reference, Site, Value};

/// The data of a value of a type that the protocol gives a meaning (RFC 3651, 3.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ValueData<'a> {
    /// HS_ADMIN.
    Admin(Admin<'a>),
    /// HS_VLIST: a group of keys.
    ValueList(List<'a, Reference<'a>>),
    /// HS_SITE and its kin.
    Site(Site<'a>),
    /// HS_PUBKEY.
    PublicKey(PublicKey<'a>),
    /// HS_SECKEY: the secret itself.
    SecretKey(&'a [u8]),
    /// HS_ALIAS: the handle that this one is another name of.
    Alias(&'a [u8]),
    /// HS_SERV, HS_SERV.PREFIX: the handle whose HS_SITE values serve this prefix.
    Service(&'a [u8]),
    /// HS_SIGNATURE: a JWS over digests of the record's values.
    Signature(&'a [u8]),
    /// HS_CERT: a JWS over somebody's public key and what it may sign.
    Certificate(&'a [u8]),
    /// 10320/loc: an XML list of locations; passed on as it is.
    Locations(&'a [u8]),
    /// Anything else.
    Other(&'a [u8]),
}

impl<'a> ValueData<'a> {
    /// Who may change the handle.
    pub const ADMIN: &'static [u8] = b"HS_ADMIN";
    /// A list of references to values.
    pub const VLIST: &'static [u8] = b"HS_VLIST";
    /// A site that serves a prefix, in a prefix handle or a service handle.
    pub const SITE: &'static [u8] = b"HS_SITE";
    /// A site for clients that can use IPv6.
    pub const SITE_6: &'static [u8] = b"HS_SITE.6";
    /// A site that serves the prefixes derived from this one.
    pub const SITE_PREFIX: &'static [u8] = b"HS_SITE.PREFIX";
    /// The older name of the same.
    pub const NA_DELEGATE: &'static [u8] = b"HS_NA_DELEGATE";
    /// A service that serves a prefix.
    pub const SERV: &'static [u8] = b"HS_SERV";
    /// A service that serves the prefixes derived from this one.
    pub const SERV_PREFIX: &'static [u8] = b"HS_SERV.PREFIX";
    /// A secret key.
    pub const SECKEY: &'static [u8] = b"HS_SECKEY";
    /// A public key.
    pub const PUBKEY: &'static [u8] = b"HS_PUBKEY";
    /// Another name.
    pub const ALIAS: &'static [u8] = b"HS_ALIAS";
    /// A signature of the record.
    pub const SIGNATURE: &'static [u8] = b"HS_SIGNATURE";
    /// A certificate.
    pub const CERT: &'static [u8] = b"HS_CERT";
    /// Locations.
    pub const LOC: &'static [u8] = b"10320/loc";

    /// Reads a value's data by its type.
    ///
    /// # Errors
    /// What is wrong with the bytes; the value itself is fine all the same, and its data can be
    /// passed on.
    pub fn of(value: &Value<'a>) -> Result<Self, Error> {
        Self::decode(value.kind, value.data)
    }

    /// Reads data of a type, whose ASCII case does not count.
    ///
    /// # Errors
    /// As [`ValueData::of`].
    pub fn decode(kind: &[u8], data: &'a [u8]) -> Result<Self, Error> {
        let is = |name: &[u8]| kind.eq_ignore_ascii_case(name);
        Ok(match kind {
            _ if is(Self::ADMIN) => Self::Admin(Admin::decode(data)?),
            _ if is(Self::VLIST) => Self::ValueList(Reader::new(data).list()?),
            _ if is_site(kind) => Self::Site(Site::decode(data)?),
            _ if is(Self::PUBKEY) => Self::PublicKey(PublicKey::decode(data)?),
            _ if is(Self::SECKEY) => Self::SecretKey(data),
            _ if is(Self::ALIAS) => Self::Alias(data),
            _ if is(Self::SERV) || is(Self::SERV_PREFIX) => Self::Service(data),
            _ if is(Self::SIGNATURE) => Self::Signature(data),
            _ if is(Self::CERT) => Self::Certificate(data),
            _ if is(Self::LOC) => Self::Locations(data),
            _ => Self::Other(data),
        })
    }

    /// Appends the data.
    pub fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Self::Admin(admin) => admin.encode(out),
            Self::ValueList(list) => list.write(out),
            Self::Site(site) => site.encode(out),
            Self::PublicKey(key) => key.encode(out),
            Self::SecretKey(bytes)
            | Self::Alias(bytes)
            | Self::Service(bytes)
            | Self::Signature(bytes)
            | Self::Certificate(bytes)
            | Self::Locations(bytes)
            | Self::Other(bytes) => out.extend_from_slice(bytes),
        }
    }
}

/// Whether values of this type are site records.
#[must_use]
pub fn is_site(kind: &[u8]) -> bool {
    let all = [ValueData::SITE, ValueData::SITE_6, ValueData::SITE_PREFIX, ValueData::NA_DELEGATE];
    all.iter().any(|name| kind.eq_ignore_ascii_case(name))
}

/// What an administrator may do (RFC 3651, 3.2.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct AdminPermissions(pub u16);

impl AdminPermissions {
    /// Create handles under the prefix.
    pub const ADD_HANDLE: Self = Self(0x001);
    /// Delete handles.
    pub const DELETE_HANDLE: Self = Self(0x002);
    /// Create prefixes derived from this one.
    pub const ADD_DERIVED_PREFIX: Self = Self(0x004);
    /// Delete them.
    pub const DELETE_DERIVED_PREFIX: Self = Self(0x008);
    /// Change values.
    pub const MODIFY_VALUE: Self = Self(0x010);
    /// Remove values.
    pub const REMOVE_VALUE: Self = Self(0x020);
    /// Add values.
    pub const ADD_VALUE: Self = Self(0x040);
    /// Change HS_ADMIN values.
    pub const MODIFY_ADMIN: Self = Self(0x080);
    /// Remove HS_ADMIN values.
    pub const REMOVE_ADMIN: Self = Self(0x100);
    /// Add HS_ADMIN values.
    pub const ADD_ADMIN: Self = Self(0x200);
    /// Read values that only administrators may read.
    pub const READ_VALUE: Self = Self(0x400);
    /// List the handles of the prefix.
    pub const LIST_HANDLES: Self = Self(0x800);
    /// All of them.
    pub const ALL: Self = Self(0xfff);

    /// Names of the bits, lowest first.
    pub const NAMES: [(Self, &'static str); 12] = [
        (Self::ADD_HANDLE, "ADD_HANDLE"),
        (Self::DELETE_HANDLE, "DELETE_HANDLE"),
        (Self::ADD_DERIVED_PREFIX, "ADD_DERIVED_PREFIX"),
        (Self::DELETE_DERIVED_PREFIX, "DELETE_DERIVED_PREFIX"),
        (Self::MODIFY_VALUE, "MODIFY_VALUE"),
        (Self::REMOVE_VALUE, "REMOVE_VALUE"),
        (Self::ADD_VALUE, "ADD_VALUE"),
        (Self::MODIFY_ADMIN, "MODIFY_ADMIN"),
        (Self::REMOVE_ADMIN, "REMOVE_ADMIN"),
        (Self::ADD_ADMIN, "ADD_ADMIN"),
        (Self::READ_VALUE, "READ_VALUE"),
        (Self::LIST_HANDLES, "LIST_HANDLES"),
    ];

    /// Whether all bits of `other` are set.
    #[must_use]
    pub const fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// The bits of both.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

/// HS_ADMIN: who may do what with a handle.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Admin<'a> {
    /// What.
    pub permissions: AdminPermissions,
    /// Who: the value that holds a key, or a group of them. Index 0 means any of the handle's.
    pub user: Reference<'a>,
}

impl<'a> Admin<'a> {
    /// Reads the data; the obsolete form has two bytes more, which mean nothing.
    ///
    /// # Errors
    /// [`Error::Short`].
    pub fn decode(data: &'a [u8]) -> Result<Self, Error> {
        let mut reader = Reader::new(data);
        let permissions = AdminPermissions(reader.u16("an HS_ADMIN")?);
        Ok(Self { permissions, user: Reference::read(&mut reader)? })
    }

    /// Appends the data.
    pub fn encode(&self, out: &mut Vec<u8>) {
        put_u16(out, self.permissions.0);
        self.user.write(out);
    }
}
