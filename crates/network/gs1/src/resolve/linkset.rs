use serde_json::{Map, Value, json};

use crate::percent;
use crate::resolve::{Link, LinkType, Standing};

/// Where the JSON-LD context of linksets is (resolver standard, artefacts).
pub(super) const CONTEXT: &str = "https://ref.gs1.org/standards/resolver/linkset-context";

/// How a set of links is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// `application/linkset+json` (RFC 9264, section 4.2).
    Json,
    /// `application/linkset` (RFC 9264, section 4.1).
    Text,
    /// `application/ld+json`: the same JSON with its context.
    JsonLd,
    /// `text/html`: a page of the resolver's own, into which [`Linkset::json_ld`] belongs.
    Html,
}

impl Form {
    /// Its media type.
    pub fn media_type(self) -> &'static str {
        match self {
            Form::Json => "application/linkset+json",
            Form::Text => "application/linkset",
            Form::JsonLd => "application/ld+json",
            Form::Html => "text/html",
        }
    }
}

/// Links of a thing, by the level that they stand on and by their type.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Linkset {
    contexts: Vec<LinkContext>,
}

/// The links of one anchor.
#[derive(Debug, Clone, PartialEq, Eq)]
struct LinkContext {
    anchor: String,
    description: String,
    links: Vec<Link>,
}

impl Linkset {
    /// Adds links of a standing; its anchor is the uncompressed URI under the resolver's root.
    pub(super) fn add<'a>(
        &mut self,
        root: &str,
        standing: &Standing,
        links: impl Iterator<Item = &'a Link>,
    ) {
        let links: Vec<Link> = links.cloned().collect();
        if !links.is_empty() {
            let anchor = format!("{root}{}", standing.level.path());
            let description = standing.description.clone();
            self.contexts.push(LinkContext { anchor, description, links });
        }
    }

    /// The links with their anchors, from the most granular level on.
    pub fn links(&self) -> impl Iterator<Item = (&str, &Link)> {
        self.contexts
            .iter()
            .flat_map(|context| context.links.iter().map(|link| (context.anchor.as_str(), link)))
    }

    /// What is registered as description, of the most granular level first, with its anchor.
    pub fn descriptions(&self) -> impl Iterator<Item = (&str, &str)> {
        self.contexts.iter().map(|context| (context.anchor.as_str(), context.description.as_str()))
    }

    /// The document of RFC 9264, section 4.2, valid by GS1's linkset schema.
    pub fn json(&self) -> Value {
        json!({ "linkset": self.contexts.iter().map(LinkContext::json).collect::<Vec<_>>() })
    }

    /// The same as JSON-LD, for the scripts of a page.
    pub fn json_ld(&self) -> Value {
        let mut document = self.json();
        document["@context"] = CONTEXT.into();
        document
    }

    /// The document of RFC 9264, section 4.1.
    pub fn text(&self) -> String {
        self.links().map(|(anchor, link)| link_value(anchor, link)).collect::<Vec<_>>().join(",\n")
    }

    /// In a form that is not a page.
    pub(super) fn write(&self, form: Form) -> Option<String> {
        match form {
            Form::Json => Some(self.json().to_string()),
            Form::JsonLd => Some(self.json_ld().to_string()),
            Form::Text => Some(self.text()),
            Form::Html => None,
        }
    }
}

impl LinkContext {
    fn json(&self) -> Value {
        let mut context = Map::new();
        context.insert("anchor".to_owned(), self.anchor.as_str().into());
        // The schema that GS1 publishes beside its test suite demands this name and refuses
        // `description`, with which version 1.2 of the standard wants to replace it.
        context.insert("itemDescription".to_owned(), self.description.as_str().into());
        for link in &self.links {
            let targets = context.entry(link.link_type().as_str()).or_insert_with(|| json!([]));
            if let Some(targets) = targets.as_array_mut() {
                targets.push(target(link));
            }
        }
        Value::Object(context)
    }
}

/// A target object. A default link has a title and nothing else (resolver standard, 2.5.8).
fn target(link: &Link) -> Value {
    let mut target = json!({ "href": link.href(), "title": link.title() });
    if *link.link_type() == LinkType::default_link() {
        return target;
    }
    if let Some(media_type) = link.media_type() {
        target["type"] = media_type.into();
    }
    let languages = schema_languages(link);
    if !languages.is_empty() {
        target["hreflang"] = languages.into();
    }
    if !link.contexts().is_empty() {
        target["context"] = link.contexts().into();
    }
    target
}

/// The languages as GS1's schema takes them: two letters, or two letters and a country. A longer tag is
/// cut to that; one whose language has three letters is left out.
fn schema_languages(link: &Link) -> Vec<String> {
    let mut languages = Vec::new();
    for tag in link.languages() {
        let mut parts = tag.split('-');
        let language = parts.next().filter(|language| language.len() == 2);
        let country = parts
            .find(|part| part.len() == 2 && part.bytes().all(|byte| byte.is_ascii_alphabetic()));
        let short = match (language, country) {
            (Some(language), Some(country)) => format!("{language}-{country}"),
            (Some(language), None) => language.to_owned(),
            (None, _) => continue,
        };
        if !languages.contains(&short) {
            languages.push(short);
        }
    }
    languages
}

/// One link in the syntax of the header `Link` (RFC 8288, section 3).
fn link_value(anchor: &str, link: &Link) -> String {
    let mut value =
        format!("<{}>; rel=\"{}\"; anchor=\"{anchor}\"", link.href(), link.link_type().as_str());
    if link.title().is_ascii() {
        let quoted = link.title().replace('\\', "\\\\").replace('"', "\\\"");
        value.push_str(&format!("; title=\"{quoted}\""));
    } else {
        // RFC 8187: an extended value, in UTF-8 and percent-encoded.
        value.push_str("; title*=UTF-8''");
        percent::encode(link.title(), &mut value);
    }
    if *link.link_type() == LinkType::default_link() {
        return value;
    }
    if let Some(media_type) = link.media_type() {
        value.push_str(&format!("; type=\"{media_type}\""));
    }
    for language in link.languages() {
        value.push_str(&format!("; hreflang=\"{language}\""));
    }
    for context in link.contexts().iter().filter(|context| context.is_ascii()) {
        value.push_str(&format!(
            "; context=\"{}\"",
            context.replace('\\', "\\\\").replace('"', "\\\"")
        ));
    }
    value
}
