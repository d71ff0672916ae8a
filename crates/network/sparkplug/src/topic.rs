//! The topic namespace (Sparkplug 3.0.0, 4).

use std::fmt;

/// Longest group, edge node, device or host identifier; a topic has 65,535 bytes.
pub(crate) const ID_BYTES_MAX: usize = 1024;

/// The namespace of payloads in Protocol Buffers.
pub(crate) const NAMESPACE: &str = "spBv1.0";

/// Kinds of messages about an edge node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum MessageKind {
    /// NBIRTH: the edge node is there, with all its metrics.
    NodeBirth,
    /// NDEATH: it is gone, with all its devices.
    NodeDeath,
    /// NDATA: metrics of its own.
    NodeData,
    /// NCMD: write metrics of its own.
    NodeCommand,
    /// DBIRTH: a device is there, with all its metrics.
    DeviceBirth,
    /// DDEATH: it is gone.
    DeviceDeath,
    /// DDATA: metrics of a device.
    DeviceData,
    /// DCMD: write metrics of a device.
    DeviceCommand,
}

const KINDS: [(&str, MessageKind, bool); 8] = [
    ("NBIRTH", MessageKind::NodeBirth, false),
    ("NDEATH", MessageKind::NodeDeath, false),
    ("NDATA", MessageKind::NodeData, false),
    ("NCMD", MessageKind::NodeCommand, false),
    ("DBIRTH", MessageKind::DeviceBirth, true),
    ("DDEATH", MessageKind::DeviceDeath, true),
    ("DDATA", MessageKind::DeviceData, true),
    ("DCMD", MessageKind::DeviceCommand, true),
];

/// The topic of a message about an edge node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Topic<'a> {
    /// The group.
    pub group: &'a str,
    /// What the message is.
    pub kind: MessageKind,
    /// The edge node.
    pub edge_node: &'a str,
    /// The device behind it, for messages about one.
    pub device: Option<&'a str>,
}

impl<'a> Topic<'a> {
    /// Reads a topic; none where it is not one about an edge node.
    pub fn parse(topic: &'a str) -> Option<Self> {
        let mut levels = topic.split('/');
        if levels.next() != Some(NAMESPACE) {
            return None;
        }
        let (group, kind, edge_node) = (levels.next()?, levels.next()?, levels.next()?);
        let device = levels.next();
        let (_, kind, of_device) = KINDS.into_iter().find(|(name, ..)| *name == kind)?;
        let complete = levels.next().is_none() && device.is_some() == of_device;
        let named = ![Some(group), Some(edge_node), device].contains(&Some(""));
        (complete && named).then_some(Self { group, kind, edge_node, device })
    }
}

impl fmt::Display for Topic<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind =
            KINDS.iter().find(|(_, kind, _)| *kind == self.kind).map_or("", |(name, ..)| name);
        write!(f, "{NAMESPACE}/{}/{kind}/{}", self.group, self.edge_node)?;
        match self.device {
            None => Ok(()),
            Some(device) => write!(f, "/{device}"),
        }
    }
}

/// Whether a text can name a group, an edge node, a device or a host (4.1): no `+`, `/` and `#`.
///
/// # Errors
/// Why not, for people.
pub fn check_id(id: &str) -> Result<(), String> {
    if id.is_empty() || id.len() > ID_BYTES_MAX {
        return Err(format!("1 to {ID_BYTES_MAX} bytes are expected"));
    }
    if id.contains(['+', '/', '#']) {
        return Err("it must not hold \"+\", \"/\" and \"#\" (Sparkplug 3.0.0, 4.1)".to_owned());
    }
    weir_mqtt::topic::check_name(id)
}

/// What to subscribe to for an edge node: only what it says, not what hosts say to it.
pub(crate) fn filters(group: &str, edge_node: &str) -> Vec<String> {
    let said = KINDS.iter().filter(|(_, kind, _)| {
        !matches!(kind, MessageKind::NodeCommand | MessageKind::DeviceCommand)
    });
    said.map(|(name, _, of_device)| {
        let device = if *of_device { "/+" } else { "" };
        format!("{NAMESPACE}/{group}/{name}/{edge_node}{device}")
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn topics_are_read_and_written() {
        for text in ["spBv1.0/g/NBIRTH/e", "spBv1.0/组/DDATA/e 1/设备", "spBv1.0/g/DCMD/e/d"] {
            assert_eq!(Topic::parse(text).unwrap().to_string(), text);
        }
        for text in [
            "spBv1.0/STATE/h",
            "spBv1.0/g/NBIRTH/e/d",
            "spBv1.0/g/DBIRTH/e",
            "spBv1.0/g/NBIRTH",
            "spAv1.0/g/NBIRTH/e",
            "spBv1.0/g/XDATA/e",
            "spBv1.0//NDATA/e",
            "spBv1.0/g/DDATA/e/",
            "spBv1.0/g/DDATA/e/d/x",
            "",
        ] {
            assert_eq!(Topic::parse(text), None, "{text}");
        }
        assert_eq!(filters("g", "e").len(), 6);
        assert!(filters("g", "e").contains(&"spBv1.0/g/DDATA/e/+".to_owned()));
    }

    #[test]
    fn identifiers_are_those_of_the_standard() {
        for id in ["a", "线 1", "🏭"] {
            assert_eq!(check_id(id), Ok(()));
        }
        for id in ["", "a/b", "+", "#", "a\u{0}", &"x".repeat(2000)] {
            assert!(check_id(id).is_err(), "{id:.10}");
        }
    }

    proptest! {
        #[test]
        fn any_topic_is_judged(text in "(spBv1.0/)?.{0,40}") {
            if let Some(topic) = Topic::parse(&text) {
                prop_assert_eq!(topic.to_string(), text);
            }
        }
    }
}
