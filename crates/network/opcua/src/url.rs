//! Addresses of servers: `opc.tcp://host:port/path`.

use std::fmt;
use std::net::Ipv6Addr;

/// The port registered for OPC UA.
const PORT_DEFAULT: u16 = 4840;

/// Longest host name (RFC 1035, section 2.3.4).
const HOST_BYTES_MAX: usize = 253;

/// Longest path; servers use a word or two.
const PATH_BYTES_MAX: usize = 1024;

/// Where a server is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerUrl {
    /// Host name, IPv4 or IPv6 address, without brackets.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// What follows, with its slash; may be empty.
    pub path: String,
}

impl ServerUrl {
    /// Reads `opc.tcp://host:port/path`; scheme, port (4840) and path may be left out.
    ///
    /// # Errors
    /// What is wrong with it, for people.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        const SCHEME: &str = "opc.tcp://";
        let text = text.trim();
        let rest = match text.get(..SCHEME.len()) {
            Some(head) if head.eq_ignore_ascii_case(SCHEME) => &text[SCHEME.len()..],
            _ if text.contains("://") => return Err("only opc.tcp:// is spoken here"),
            _ => text,
        };
        let (authority, path) = match rest.find('/') {
            Some(slash) => rest.split_at(slash),
            None => (rest, ""),
        };
        let (host, port) = split_port(authority)?;
        let is_plain = |c: char| !c.is_control() && !c.is_whitespace();
        if host.is_empty() || host.len() > HOST_BYTES_MAX {
            return Err("a host name or address of at most 253 bytes is expected");
        }
        let is_of_hosts = |c: char| is_plain(c) && !"@?#%\\<>^|\"`{}[]".contains(c);
        if !host.chars().all(is_of_hosts) {
            return Err("this is not a host name or address");
        }
        if path.len() > PATH_BYTES_MAX || !path.chars().all(is_plain) {
            return Err("the path has at most 1024 bytes and no white space");
        }
        Ok(Self { host: host.to_owned(), port, path: path.to_owned() })
    }

    /// Host and port as they are written, with brackets around an IPv6 address.
    pub fn authority(&self) -> String {
        if self.host.contains(':') {
            format!("[{}]:{}", self.host, self.port)
        } else {
            format!("{}:{}", self.host, self.port)
        }
    }

    /// This host and port with another path.
    pub(crate) fn with(&self, port: u16, path: &str) -> Self {
        Self { host: self.host.clone(), port, path: path.to_owned() }
    }

    /// Whether two paths are the same but for a slash at the end.
    pub(crate) fn has_path(&self, path: &str) -> bool {
        self.path.trim_end_matches('/') == path.trim_end_matches('/')
    }
}

impl fmt::Display for ServerUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "opc.tcp://{}{}", self.authority(), self.path)
    }
}

fn split_port(authority: &str) -> Result<(&str, u16), &'static str> {
    let (host, port) = if let Some(rest) = authority.strip_prefix('[') {
        let (host, port) = rest.split_once(']').ok_or("the bracket is not closed")?;
        host.parse::<Ipv6Addr>().map_err(|_| "this is not an IPv6 address")?;
        let port = match port {
            "" => None,
            port => Some(port.strip_prefix(':').ok_or("a port is expected behind the bracket")?),
        };
        (host, port)
    } else if authority.parse::<Ipv6Addr>().is_ok() {
        (authority, None)
    } else {
        match authority.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (authority, None),
        }
    };
    if !authority.starts_with('[') && host.contains(':') && host.parse::<Ipv6Addr>().is_err() {
        return Err("this is not a host name or address");
    }
    let port = port.map_or(Ok(PORT_DEFAULT), str::parse);
    match port {
        Ok(port) if port > 0 => Ok((host, port)),
        _ => Err("a port is a number from 1 to 65535"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_people_type() {
        let read = |text: &str| ServerUrl::parse(text).map(|url| url.to_string());
        let same = |text: &str, full: &str| assert_eq!(read(text), Ok(full.to_owned()));
        same("opc.tcp://plc:4841/UA/Server", "opc.tcp://plc:4841/UA/Server");
        same(" OPC.TCP://plc ", "opc.tcp://plc:4840");
        same("plc", "opc.tcp://plc:4840");
        same("10.0.0.7:4850/x", "opc.tcp://10.0.0.7:4850/x");
        same("opc.tcp://[::1]:4840", "opc.tcp://[::1]:4840");
        same("::1", "opc.tcp://[::1]:4840");
        same("[fe80::1]/p", "opc.tcp://[fe80::1]:4840/p");
        for wrong in
            ["", "http://x", "a b", "x:0", "x:65536", "[::1", "[x]:1", "a:b:c", "u@h", "h/\u{7}"]
        {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }

    proptest::proptest! {
        #[test]
        fn what_is_read_is_written_and_read_again(text in ".{0,40}") {
            if let Ok(url) = ServerUrl::parse(&text) {
                proptest::prop_assert_eq!(ServerUrl::parse(&url.to_string()), Ok(url));
            }
        }
    }
}
