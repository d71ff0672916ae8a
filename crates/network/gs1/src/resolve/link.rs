use std::fmt;

use crate::error::shown;
use crate::resolve::Level;
use crate::{Error, percent};

/// The namespace of GS1's link types, for which `gs1:` stands (resolver standard, 2.14).
pub const GS1_VOCABULARY: &str = "https://ref.gs1.org/voc/";

/// The longest address, title, link type or other text of a link.
const TEXT_BYTES_MAX: usize = 2048;

/// Other spellings of the namespace, which clients and older records use.
const GS1_SPELLINGS: [&str; 6] = [
    "gs1:",
    "https://gs1.org/voc/",
    "https://www.gs1.org/voc/",
    "http://ref.gs1.org/voc/",
    "http://gs1.org/voc/",
    "http://www.gs1.org/voc/",
];

/// How a thing and the target of a link relate: the URI of a term, or a relation registered at IANA.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LinkType(String);

impl LinkType {
    /// Reads a link type: `gs1:pip`, `https://ref.gs1.org/voc/pip` in any of its spellings, another
    /// HTTP URI, or a registered relation such as `describedby`.
    ///
    /// Only what the linkset schema of GS1 takes as the name of a relation is taken: small letters and
    /// hyphens, or a URI of letters, digits, dots, slashes and underscores.
    pub fn parse(text: &str) -> Result<LinkType, Error> {
        let wrong = |reason| Error::Link { field: "type", value: shown(text), reason };
        if text.len() > TEXT_BYTES_MAX {
            return Err(wrong("is too long"));
        }
        let term = GS1_SPELLINGS.iter().find_map(|spelling| text.strip_prefix(spelling));
        if let Some(term) = term {
            let plain = !term.is_empty() && term.bytes().all(|byte| byte.is_ascii_alphanumeric());
            let whole = || LinkType(format!("{GS1_VOCABULARY}{term}"));
            return plain.then(whole).ok_or(wrong("is no term of the GS1 Web Vocabulary"));
        }
        if let Some(rest) = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://")) {
            let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"./_".contains(&byte);
            return match !rest.is_empty() && rest.bytes().all(plain) {
                true => Ok(LinkType(text.to_owned())),
                false => {
                    Err(wrong("has characters that the linkset schema does not take in a relation"))
                }
            };
        }
        match !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-')
        {
            true => Ok(LinkType(text.to_owned())),
            false => Err(wrong("is neither gs1:…, an HTTP URI nor a registered relation")),
        }
    }

    /// `gs1:defaultLink`: where a request goes that says nothing better.
    pub fn default_link() -> LinkType {
        LinkType(format!("{GS1_VOCABULARY}defaultLink"))
    }

    /// `gs1:defaultLinkMulti`: defaults that language, media type or context choose among.
    pub fn default_link_multi() -> LinkType {
        LinkType(format!("{GS1_VOCABULARY}defaultLinkMulti"))
    }

    /// `gs1:handledBy`: another resolver that answers for all of the key's things.
    pub fn handled_by() -> LinkType {
        LinkType(format!("{GS1_VOCABULARY}handledBy"))
    }

    /// The URI or the registered relation, as it stands in linksets.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The short form: `gs1:pip`, or the whole where it is not of GS1's namespace.
    pub fn short(&self) -> String {
        match self.0.strip_prefix(GS1_VOCABULARY) {
            Some(term) => format!("gs1:{term}"),
            None => self.0.clone(),
        }
    }
}

impl fmt::Display for LinkType {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.short())
    }
}

/// A link from a thing to something about it (resolver standard, 2.5).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    pub(super) link_type: LinkType,
    pub(super) href: String,
    pub(super) title: String,
    pub(super) languages: Vec<String>,
    pub(super) media_type: Option<String>,
    pub(super) contexts: Vec<String>,
    pub(super) forwards_query: bool,
}

/// Which languages or contexts one link has at most.
const VALUES_MAX: usize = 32;

impl Link {
    /// A link with what every link must have: its type, the target's HTTP address and a title.
    pub fn new(link_type: LinkType, href: &str, title: &str) -> Result<Link, Error> {
        let address = |reason| Error::Link { field: "target", value: shown(href), reason };
        let rest = href.strip_prefix("https://").or_else(|| href.strip_prefix("http://"));
        let rest = rest.ok_or_else(|| address("is no http:// or https:// address"))?;
        if href.len() > TEXT_BYTES_MAX {
            return Err(address("is too long"));
        }
        if !rest.starts_with(|character: char| character.is_ascii_alphanumeric()) {
            return Err(address("has no host name"));
        }
        if !href.chars().all(percent::in_uri) {
            return Err(address("has characters that must be percent-encoded"));
        }
        let named = |reason| Error::Link { field: "title", value: shown(title), reason };
        if title.trim().is_empty() {
            return Err(named("is empty, and every link needs one"));
        }
        if title.len() > TEXT_BYTES_MAX || title.chars().any(char::is_control) {
            return Err(named("is too long or has control characters"));
        }
        Ok(Link {
            link_type,
            href: href.to_owned(),
            title: title.to_owned(),
            languages: Vec::new(),
            media_type: None,
            contexts: Vec::new(),
            forwards_query: true,
        })
    }

    /// The same link in a language of BCP 47, such as `zh-CN`; call it again for a further one.
    pub fn in_language(mut self, tag: &str) -> Result<Link, Error> {
        let subtag = |part: &str| {
            (1..=8).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_alphanumeric())
        };
        let primary = tag.split('-').next().unwrap_or_default();
        let shaped = primary.len() >= 2 && primary.bytes().all(|byte| byte.is_ascii_alphabetic());
        if !shaped || tag.len() > TAG_BYTES_MAX || !tag.split('-').all(subtag) {
            let reason = "is no language tag of BCP 47";
            return Err(Error::Link { field: "language", value: shown(tag), reason });
        }
        push_within(&mut self.languages, tag, "language")?;
        Ok(self)
    }

    /// The same link with the media type of its target, such as `text/html`.
    pub fn with_media_type(mut self, media_type: &str) -> Result<Link, Error> {
        let token = |part: &str| {
            !part.is_empty()
                && part
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || b"!#$&^_.+-".contains(&byte))
        };
        match media_type.split_once('/') {
            Some((kind, subtype))
                if media_type.len() <= TAG_BYTES_MAX && token(kind) && token(subtype) =>
            {
                self.media_type = Some(media_type.to_ascii_lowercase());
                Ok(self)
            }
            _ => Err(Error::Link {
                field: "media type",
                value: shown(media_type),
                reason: "is not type/subtype without parameters",
            }),
        }
    }

    /// The same link in a context, such as a country; call it again for a further one.
    pub fn in_context(mut self, context: &str) -> Result<Link, Error> {
        if context.is_empty()
            || context.len() > TAG_BYTES_MAX
            || context.chars().any(char::is_control)
        {
            let reason = "is empty, too long or has control characters";
            return Err(Error::Link { field: "context", value: shown(context), reason });
        }
        push_within(&mut self.contexts, context, "context")?;
        Ok(self)
    }

    /// The same link, to whose target the query of a request is not passed on. The standard had this
    /// (`fwqs`) until version 1.1; a conformant link passes it on, as links do unless this is called.
    pub fn without_query(mut self) -> Link {
        self.forwards_query = false;
        self
    }

    /// How thing and target relate.
    pub fn link_type(&self) -> &LinkType {
        &self.link_type
    }

    /// The target's address.
    pub fn href(&self) -> &str {
        &self.href
    }

    /// What people read.
    pub fn title(&self) -> &str {
        &self.title
    }

    /// Languages of the target.
    pub fn languages(&self) -> &[String] {
        &self.languages
    }

    /// Media type of the target.
    pub fn media_type(&self) -> Option<&str> {
        self.media_type.as_deref()
    }

    /// Contexts that it is for.
    pub fn contexts(&self) -> &[String] {
        &self.contexts
    }
}

/// The longest language tag (RFC 5646 suggests room for 35), media type or context.
const TAG_BYTES_MAX: usize = 128;

fn push_within(values: &mut Vec<String>, value: &str, field: &'static str) -> Result<(), Error> {
    if values.len() >= VALUES_MAX {
        return Err(Error::Link { field, value: shown(value), reason: "is one too many" });
    }
    values.push(value.to_owned());
    Ok(())
}

/// What is registered at a level: the links that stand there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// Where it stands.
    pub level: Level,
    /// What the thing is, for people.
    pub description: String,
    /// The links, in the order in which they are shown; the first one is the default where no link is
    /// typed so.
    pub links: Vec<Link>,
}

impl Standing {
    /// Whether it is as the standard wants it registered (2.5.8, 2.5.9): one default at most, with
    /// nothing but a title, every default described by a link of another type to the same target, and
    /// neither batch nor variant beside a serial number.
    pub fn check(&self) -> Result<(), Error> {
        let of_type = |wanted: &LinkType| {
            let wanted = wanted.clone();
            self.links.iter().filter(move |link| link.link_type == wanted)
        };
        let (single, multi) = (LinkType::default_link(), LinkType::default_link_multi());
        if self.level.says_too_much() {
            return Err(Error::Link {
                field: "level",
                value: shown(self.level.path()),
                reason: "has a serial number, beside which no batch and no variant is registered",
            });
        }
        let wrong = |link: &Link, reason| Error::Link {
            field: "type",
            value: link.link_type.short(),
            reason,
        };
        if let Some(second) = of_type(&single).nth(1) {
            return Err(wrong(second, "stands twice, and there is one default at a level"));
        }
        for default in of_type(&single) {
            if !default.languages.is_empty()
                || default.media_type.is_some()
                || !default.contexts.is_empty()
            {
                return Err(wrong(
                    default,
                    "takes a title and nothing else; choices are gs1:defaultLinkMulti",
                ));
            }
        }
        let described = |default: &Link| {
            self.links.iter().any(|link| {
                link.href == default.href && link.link_type != single && link.link_type != multi
            })
        };
        match of_type(&single).chain(of_type(&multi)).find(|default| !described(default)) {
            Some(default) => Err(wrong(
                default,
                "also needs a link that says what its target is, such as gs1:pip",
            )),
            None => Ok(()),
        }
    }
}
