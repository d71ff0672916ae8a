//! Texts of node identifiers (OPC 10000-6, clause 5.3.1.10), with the namespace by its URI or by its index.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use opcua::types::{ByteString, Guid, Identifier, NodeId, UAString};

/// Longest text of a node identifier. The standard allows 4096 characters; some servers go beyond.
pub(crate) const NODE_BYTES_MAX: usize = 80 * 1024;

/// A node, with its namespace as the server names it, so that it survives a change of namespace indexes.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct NodeAddress {
    /// Whose node it is.
    pub namespace: NamespaceName,
    /// Which one.
    pub identifier: Identifier,
}

/// A namespace of a server.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum NamespaceName {
    /// By its place in the server's list, which may change when the server is changed.
    Index(u16),
    /// By its URI, which stays.
    Uri(String),
}

/// The namespaces of a server, by index.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Namespaces(pub Vec<String>);

impl Namespaces {
    /// The index of a URI.
    pub fn index(&self, uri: &str) -> Option<u16> {
        self.0.iter().position(|known| known == uri).and_then(|index| u16::try_from(index).ok())
    }

    /// The URI of an index.
    pub fn uri(&self, index: u16) -> Option<&str> {
        self.0.get(usize::from(index)).map(String::as_str)
    }

    /// How a node of the server is best written: with its namespace's URI where there is one.
    pub fn address_of(&self, node: &NodeId) -> NodeAddress {
        let namespace = match self.uri(node.namespace) {
            Some(uri) if node.namespace > 0 && !uri.is_empty() => {
                NamespaceName::Uri(uri.to_owned())
            }
            _ => NamespaceName::Index(node.namespace),
        };
        NodeAddress { namespace, identifier: node.identifier.clone() }
    }
}

impl NodeAddress {
    /// Reads `nsu=URI;s=text`, `ns=2;i=5`, `i=2258`, with `g=` and `b=` for GUIDs and bytes in Base64.
    ///
    /// # Errors
    /// What is expected, for people.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        const EXPECTED: &str = "a node is written as nsu=URI;s=text, ns=2;i=5 or i=2258 (also g= for a GUID, b= for Base64)";
        if text.len() > NODE_BYTES_MAX {
            return Err("a node has at most 80 KiB of text");
        }
        let (namespace, rest) = if let Some(rest) = text.strip_prefix("nsu=") {
            let (uri, rest) = rest.split_once(';').ok_or(EXPECTED)?;
            if uri.is_empty() {
                return Err(EXPECTED);
            }
            (NamespaceName::Uri(unescape(uri)), rest)
        } else if let Some(rest) = text.strip_prefix("ns=") {
            let (index, rest) = rest.split_once(';').ok_or(EXPECTED)?;
            let is_number = index.bytes().all(|b| b.is_ascii_digit());
            let index = index.parse().ok().filter(|_| is_number);
            (NamespaceName::Index(index.ok_or("a namespace index is a number up to 65535")?), rest)
        } else {
            (NamespaceName::Index(0), text)
        };
        let (kind, value) = rest.split_once('=').ok_or(EXPECTED)?;
        let identifier = match kind {
            "i" if value.bytes().all(|b| b.is_ascii_digit()) => Identifier::Numeric(
                value.parse().map_err(|_| "a number up to 4294967295 is expected")?,
            ),
            "s" => Identifier::String(UAString::from(value)),
            "g" => Identifier::Guid(value.parse::<Guid>().map_err(|_| "this is not a GUID")?),
            "b" => {
                let bytes = STANDARD.decode(value).map_err(|_| "this is not Base64")?;
                Identifier::ByteString(ByteString::from(bytes))
            }
            _ => return Err(EXPECTED),
        };
        Ok(Self { namespace, identifier })
    }

    /// The node as this server numbers it.
    ///
    /// # Errors
    /// Why the server has no such namespace, for people.
    pub fn resolve(&self, namespaces: &Namespaces) -> Result<NodeId, String> {
        let index = match &self.namespace {
            NamespaceName::Index(index) => *index,
            NamespaceName::Uri(uri) => namespaces.index(uri).ok_or_else(|| {
                format!("the server has no namespace {uri:?}; it was replaced or its program changed: browse again")
            })?,
        };
        Ok(NodeId { namespace: index, identifier: self.identifier.clone() })
    }
}

impl fmt::Display for NodeAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.namespace {
            NamespaceName::Index(0) => {}
            NamespaceName::Index(index) => write!(f, "ns={index};")?,
            NamespaceName::Uri(uri) => write!(f, "nsu={};", escape(uri))?,
        }
        match &self.identifier {
            Identifier::Numeric(number) => write!(f, "i={number}"),
            Identifier::String(text) => write!(f, "s={}", text.as_ref()),
            Identifier::Guid(guid) => write!(f, "g={guid}"),
            Identifier::ByteString(bytes) => write!(f, "b={}", STANDARD.encode(bytes.as_ref())),
        }
    }
}

/// The two characters that would end or confuse the URI within the text.
fn escape(uri: &str) -> String {
    uri.replace('%', "%25").replace(';', "%3B")
}

fn unescape(uri: &str) -> String {
    uri.replace("%3B", ";").replace("%3b", ";").replace("%25", "%")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn reads_all_kinds_and_names_what_is_wrong() {
        let same = |text: &str| assert_eq!(NodeAddress::parse(text).unwrap().to_string(), text);
        same("i=2258");
        same("ns=2;i=5");
        same("ns=3;s=a=b;c\n\u{1F600} ");
        same("nsu=urn:weir%3Btest%25;s=温度");
        same("ns=1;g=09087e75-8e5e-499b-954f-f2a9603db28a");
        same("ns=1;b=M/RbKBsRVkePCePcx24oRA==");
        for wrong in [
            "",
            "x",
            "ns=2",
            "ns=70000;i=1",
            "ns=+1;i=1",
            "i=4294967296",
            "i=-1",
            "g=1",
            "b=*",
            "nsu=;i=1",
            "q=1",
        ] {
            assert!(NodeAddress::parse(wrong).is_err(), "{wrong}");
        }
        assert!(NodeAddress::parse(&format!("s={}", "x".repeat(NODE_BYTES_MAX))).is_err());
    }

    #[test]
    fn follows_the_namespace_when_its_index_moves() {
        let before =
            Namespaces(vec!["http://opcfoundation.org/UA/".into(), "urn:a".into(), "urn:b".into()]);
        let after = Namespaces(vec!["http://opcfoundation.org/UA/".into(), "urn:b".into()]);
        let address = before.address_of(&NodeId::new(2, "x"));
        assert_eq!(address.to_string(), "nsu=urn:b;s=x");
        assert_eq!(address.resolve(&after), Ok(NodeId::new(1, "x")));
        let gone = before.address_of(&NodeId::new(1, 7u32)).resolve(&after).unwrap_err();
        assert!(gone.contains("urn:a"), "{gone}");
        assert_eq!(before.address_of(&NodeId::new(0, 85u32)).to_string(), "i=85");
        assert_eq!(before.address_of(&NodeId::new(9, 1u32)).to_string(), "ns=9;i=1");
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in "\\PC{0,60}") {
            let _ = NodeAddress::parse(&text);
        }

        #[test]
        fn what_is_written_is_read_again(uri in "[^\\x00]{1,20}", name in "(?s).{0,40}", index in any::<u16>()) {
            for namespace in [NamespaceName::Uri(uri.clone()), NamespaceName::Index(index)] {
                for identifier in [Identifier::String(UAString::from(name.as_str())), Identifier::Numeric(7)] {
                    let address = NodeAddress { namespace: namespace.clone(), identifier };
                    prop_assert_eq!(NodeAddress::parse(&address.to_string()), Ok(address));
                }
            }
        }
    }
}
