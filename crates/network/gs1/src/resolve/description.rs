use serde_json::{Map, Value, json};

use crate::digital_link::check_stem;
use crate::resolve::GS1_VOCABULARY;
use crate::resolve::linkset::CONTEXT;
use crate::{Ai, Error};

/// Where the description is, from the resolver's host on.
pub const WELL_KNOWN: &str = "/.well-known/gs1resolver";

/// What a resolver says of itself (resolver standard, section 3).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Description {
    /// Its own address, `https://host[/path]`.
    pub root: String,
    /// Its name.
    pub name: String,
    /// The primary keys that it answers for; none means all.
    pub keys: Vec<Ai>,
    /// Values of the parameter `context` that links of it have.
    pub contexts: Vec<String>,
    /// Who runs it.
    pub contact: Option<String>,
}

impl Description {
    /// The document, valid by the schema of resolver description files.
    ///
    /// The schema does not know (416), which other versions of the standard have as a key: a resolver
    /// for it says `all`.
    pub fn json(&self) -> Result<Value, Error> {
        let root = check_stem(&self.root)?;
        let all = self.keys.is_empty() || self.keys.iter().any(|key| key.digits() == "416");
        let keys: Vec<&str> =
            if all { vec!["all"] } else { self.keys.iter().map(|key| key.digits()).collect() };
        let mut document = Map::new();
        document.insert("resolverRoot".to_owned(), root.into());
        document.insert("name".to_owned(), self.name.as_str().into());
        document.insert("supportedPrimaryKeys".to_owned(), keys.into());
        let vocabulary = json!([{ "namespace": GS1_VOCABULARY, "prefix": "gs1:" }]);
        document.insert("supportedLinkType".to_owned(), vocabulary);
        document.insert("linkTypeDefaultCanBeLinkset".to_owned(), false.into());
        document.insert("jsonLdContextLocation".to_owned(), CONTEXT.into());
        if !self.contexts.is_empty() {
            document.insert(
                "supportedContextValuesEnumerated".to_owned(),
                self.contexts.as_slice().into(),
            );
        }
        if let Some(contact) = &self.contact {
            document.insert("contact".to_owned(), json!({ "fn": contact }));
        }
        Ok(Value::Object(document))
    }
}
