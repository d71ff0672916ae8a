use crate::dictionary::Ai;
use crate::digital_link::{DigitalLink, push_path};
use crate::elements::Element;

/// A key with some of the qualifiers of a request: a record under this path speaks about what was asked
/// for, or about all of its kind.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Level {
    path: String,
    qualifiers: Vec<Ai>,
}

impl Level {
    /// The level of a Digital Link with all of its qualifiers: where what is registered for it stands.
    pub fn of(link: &DigitalLink) -> Level {
        Level::with(link.key(), &link.qualifiers().iter().collect::<Vec<_>>())
    }

    fn with(key: &Element, qualifiers: &[&Element]) -> Level {
        let mut path = String::new();
        push_path(&mut path, std::iter::once(key).chain(qualifiers.iter().copied()));
        Level { path, qualifiers: qualifiers.iter().map(|element| element.ai()).collect() }
    }

    /// Its path, `/01/09506000134352/21/A1`, which is the name of its record.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Which qualifiers it has; none is the key alone.
    pub fn qualifiers(&self) -> &[Ai] {
        &self.qualifiers
    }

    /// Whether it has a serial number and a batch or variant too, which nothing may be registered for:
    /// the serial number names the thing already (resolver standard, 2.5.9, rule 2).
    pub(super) fn says_too_much(&self) -> bool {
        self.qualifiers.len() > 1 && self.qualifiers.iter().any(|ai| ai.digits() == "21")
    }
}

/// The levels that speak about a Digital Link, from the most granular to the key alone (resolver
/// standard, 2.5.9).
///
/// They are all the combinations of its qualifiers: a record of a serial number is found whether or not
/// the request names the batch too. The last qualifier of the standard's order weighs most, so that a
/// serial number, which names one thing, comes before any batch or variant. A key has three qualifiers
/// at most, and so there are eight levels at most.
pub fn levels(link: &DigitalLink) -> Vec<Level> {
    let qualifiers = link.qualifiers();
    let combinations = (0..1_usize << qualifiers.len()).rev();
    let level = |combination: usize| {
        let chosen = qualifiers.iter().enumerate().filter(|(at, _)| combination >> at & 1 == 1);
        Level::with(link.key(), &chosen.map(|(_, element)| element).collect::<Vec<_>>())
    };
    combinations.map(level).collect()
}
