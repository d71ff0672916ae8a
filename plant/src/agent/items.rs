//! The machine tool's data items (MTConnect part 2), and what each says of a part.

use crate::machining::{FAILURES, Part};

/// Name of the machine tool.
pub(crate) const NAME: &str = "mill-1";

/// What tells it from every other machine.
pub(crate) const UUID: &str = "tep.demo.mill-1";

/// Kelvin of 0 °C.
const ICE: f64 = 273.15;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Category {
    Sample,
    Event,
    Condition,
}

/// A component of the machine tool.
pub(crate) struct Component {
    pub(crate) id: &'static str,
    /// The element's name.
    pub(crate) kind: &'static str,
    pub(crate) name: &'static str,
    /// The component it is part of; none for the machine itself.
    pub(crate) within: Option<&'static str>,
}

/// Each component before its parts.
pub(crate) static COMPONENTS: &[Component] = &[
    Component { id: "mill", kind: "Device", name: NAME, within: None },
    Component { id: "axes", kind: "Axes", name: "axes", within: Some("mill") },
    Component { id: "spindle", kind: "Rotary", name: "S1", within: Some("axes") },
    Component { id: "controller", kind: "Controller", name: "controller", within: Some("mill") },
    Component { id: "path", kind: "Path", name: "path", within: Some("controller") },
    Component { id: "room", kind: "Environmental", name: "room", within: Some("mill") },
];

/// A data item.
pub(crate) struct Item {
    pub(crate) id: &'static str,
    pub(crate) component: &'static str,
    pub(crate) category: Category,
    pub(crate) kind: &'static str,
    pub(crate) sub_kind: &'static str,
    pub(crate) units: &'static str,
    source: Source,
}

#[derive(Debug, Clone, Copy)]
enum Source {
    Available,
    Execution,
    Serial,
    Count,
    Quality,
    Speed,
    Torque,
    Wear,
    Air,
    Process,
    /// A kind of failure, and how the controller words it.
    Failure(usize, &'static str),
}

/// What a data item says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Told {
    /// The text of a sample or an event.
    Text(String),
    /// A condition that is not active.
    Normal,
    /// A condition that is active: its native code and its text.
    Fault(&'static str, &'static str),
}

const fn item(
    (component, id): (&'static str, &'static str),
    category: Category,
    (kind, sub_kind, units): (&'static str, &'static str, &'static str),
    source: Source,
) -> Item {
    Item { id, component, category, kind, sub_kind, units, source }
}

const fn failure(
    component: &'static str,
    id: &'static str,
    kind: &'static str,
    number: usize,
    text: &'static str,
) -> Item {
    let source = Source::Failure(number, text);
    item((component, id), Category::Condition, (kind, "", ""), source)
}

/// How many data items there are.
pub(crate) const COUNT: usize = 15;

/// In the order of their components.
#[rustfmt::skip]
pub(crate) static ITEMS: [Item; COUNT] = [
    item(("mill", "avail"), Category::Event, ("AVAILABILITY", "", ""), Source::Available),
    failure("mill", "rnf", "SYSTEM", 4, "random failure"),
    item(("spindle", "speed"), Category::Sample, ("ROTARY_VELOCITY", "ACTUAL", "REVOLUTION/MINUTE"), Source::Speed),
    item(("spindle", "torque"), Category::Sample, ("TORQUE", "", "NEWTON_METER"), Source::Torque),
    item(("spindle", "wear"), Category::Sample, ("ACCUMULATED_TIME", "", "SECOND"), Source::Wear),
    failure("spindle", "twf", "ACTUATOR", 0, "tool failed or was replaced: worn out"),
    failure("spindle", "pwf", "WATTAGE", 2, "spindle power below 3500 W or above 9000 W"),
    failure("spindle", "osf", "LOAD", 3, "torque too high for the wear of the tool"),
    item(("path", "exec"), Category::Event, ("EXECUTION", "", ""), Source::Execution),
    item(("path", "part"), Category::Event, ("PART_ID", "", ""), Source::Serial),
    item(("path", "count"), Category::Event, ("PART_COUNT", "ALL", ""), Source::Count),
    item(("path", "quality"), Category::Event, ("MATERIAL", "", ""), Source::Quality),
    item(("path", "process"), Category::Sample, ("TEMPERATURE", "", "CELSIUS"), Source::Process),
    failure("path", "hdf", "TEMPERATURE", 1, "heat is not carried off"),
    item(("room", "air"), Category::Sample, ("TEMPERATURE", "", "CELSIUS"), Source::Air),
];

impl Item {
    /// What the data item says when a part was made that is the `number`th, counted from 1.
    pub(crate) fn told(&self, part: &Part, number: u64) -> Told {
        let rounded = |value: f64, digits: usize| format!("{value:.digits$}");
        let text = match self.source {
            Source::Available => "AVAILABLE".to_owned(),
            Source::Execution => if part.failed { "STOPPED" } else { "ACTIVE" }.to_owned(),
            Source::Serial => format!("{}{}", part.quality, part.serial),
            Source::Count => number.to_string(),
            Source::Quality => part.quality.to_string(),
            Source::Speed => rounded(f64::from(part.speed), 0),
            Source::Torque => rounded(f64::from(part.torque), 1),
            Source::Wear => rounded(f64::from(part.wear) * 60.0, 0),
            Source::Air => rounded(f64::from(part.air) - ICE, 2),
            Source::Process => rounded(f64::from(part.process) - ICE, 2),
            Source::Failure(kind, text) => {
                let failed = part.failures.get(kind).is_some_and(|failed| *failed);
                return if failed { Told::Fault(FAILURES[kind], text) } else { Told::Normal };
            }
        };
        Told::Text(text)
    }

    /// The name of its element in a stream: `RotaryVelocity` of `ROTARY_VELOCITY`.
    pub(crate) fn element(&self) -> String {
        let mut element = String::with_capacity(self.kind.len());
        for word in self.kind.split('_') {
            let (first, rest) = word.split_at(word.len().min(1));
            element.push_str(first);
            element.push_str(&rest.to_ascii_lowercase());
        }
        element
    }
}
