use std::fmt;

use crate::dictionary::{Ai, KEY_ORDER};
use crate::elements::{Element, ElementString, check_together, none_twice};
use crate::error::shown;
use crate::percent;
use crate::{ELEMENTS_MAX, Error, TEXT_BYTES_MAX};

#[cfg(test)]
mod tests;

/// The stem of canonical URIs (URI syntax, section 4.12).
pub const CANONICAL_STEM: &str = "https://id.gs1.org";

/// A GS1 Digital Link: a primary key, the qualifiers that narrow it down, and attributes
/// (GS1 Digital Link Standard: URI Syntax, 1.2 to 1.7).
///
/// ```
/// use weir_gs1::DigitalLink;
///
/// let link = DigitalLink::parse("https://example.cn/p/01/9506000134352/10/A%2F1?17=261231&lang=zh")?;
/// assert_eq!(link.key().value(), "09506000134352");
/// assert_eq!(link.canonical(), "https://id.gs1.org/01/09506000134352/10/A%2F1?17=261231");
/// # Ok::<(), weir_gs1::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DigitalLink {
    /// Scheme, host and the path before the key; empty when a path alone was read.
    stem: String,
    key: Element,
    qualifiers: Vec<Element>,
    attributes: Vec<Element>,
    /// Parameters of the query that are no application identifiers, as they stood.
    others: Vec<(String, String)>,
}

/// Names that versions before 1.3 allowed in place of digits (URI syntax 1.2, section 4.9.2).
const ALPHAS: [(&str, &str); 22] = [
    ("gtin", "01"),
    ("itip", "8006"),
    ("gmn", "8013"),
    ("cpid", "8010"),
    ("gln", "414"),
    ("party", "417"),
    ("gsrnp", "8017"),
    ("gsrn", "8018"),
    ("gcn", "255"),
    ("sscc", "00"),
    ("gdti", "253"),
    ("ginc", "401"),
    ("gsin", "402"),
    ("grai", "8003"),
    ("giai", "8004"),
    ("cpv", "22"),
    ("lot", "10"),
    ("ser", "21"),
    ("cpsn", "8011"),
    ("glnx", "254"),
    ("refno", "8020"),
    ("srin", "8019"),
];

impl DigitalLink {
    /// Reads a Digital Link URI of any host, with any path before the key.
    ///
    /// A slash at its end and a fragment are tolerated; GTINs of 8, 12 and 13 digits and the names of
    /// older versions (`/gtin/…/lot/…/ser/…`) are brought into today's form.
    pub fn parse(uri: &str) -> Result<DigitalLink, Error> {
        within_bounds(uri)?;
        let scheme = ["https://", "http://"]
            .into_iter()
            .find(|scheme| {
                uri.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme))
            })
            .ok_or(Error::NotHttp)?;
        let rest = &uri[scheme.len()..];
        let (host, path) = rest.find('/').map(|at| rest.split_at(at)).ok_or(Error::NotHttp)?;
        if !is_authority(host) {
            return Err(Error::NotHttp);
        }
        let mut link = DigitalLink::parse_path(path)?;
        link.stem = format!("{scheme}{host}{}", link.stem);
        Ok(link)
    }

    /// Reads what follows scheme and host: a path, and a query if there is one, as a resolver gets it.
    pub fn parse_path(path_and_query: &str) -> Result<DigitalLink, Error> {
        within_bounds(path_and_query)?;
        if let Some(other) = path_and_query.chars().find(|character| !percent::in_uri(*character)) {
            return Err(Error::UriCharacter(other));
        }
        let text = path_and_query.split_once('#').map_or(path_and_query, |(text, _)| text);
        let (path, query) = text.split_once('?').unwrap_or((text, ""));
        let (stem, mut pairs) = split_path(path)?;
        let key = pairs.remove(0);
        let (attributes, others) = split_query(query)?;
        let link =
            DigitalLink { stem: stem.to_owned(), key, qualifiers: pairs, attributes, others };
        link.check()?;
        Ok(link)
    }

    /// A Digital Link of elements: of the keys among them the one that comes first in the standard's
    /// order stands in the path with its qualifiers, and the rest becomes attributes.
    pub fn of(elements: &ElementString) -> Result<DigitalLink, Error> {
        let find =
            |code: &str| elements.elements().iter().find(|element| element.ai().digits() == code);
        let key = KEY_ORDER.iter().find_map(|code| find(code)).ok_or(Error::NoKey)?.clone();
        let sequence = key.ai().sequences().iter().max_by_key(|sequence| {
            sequence.iter().filter(|code| elements.get(code).is_some()).count()
        });
        let codes = sequence.into_iter().flatten().map(String::as_str);
        let qualifiers: Vec<Element> = codes.filter_map(find).cloned().collect();
        let attributes = elements.elements().iter();
        let attributes =
            attributes.filter(|element| **element != key && !qualifiers.contains(element));
        let attributes = attributes.cloned().collect();
        let link =
            DigitalLink { stem: String::new(), key, qualifiers, attributes, others: Vec::new() };
        link.check()?;
        Ok(link)
    }

    /// Scheme, host and path before the key, without a slash at the end; what of it was read.
    pub fn stem(&self) -> &str {
        &self.stem
    }

    /// The primary key.
    pub fn key(&self) -> &Element {
        &self.key
    }

    /// Its qualifiers, in the order of the path.
    pub fn qualifiers(&self) -> &[Element] {
        &self.qualifiers
    }

    /// The application identifiers of the query, in its order.
    pub fn attributes(&self) -> &[Element] {
        &self.attributes
    }

    /// The other parameters of the query, percent-decoded, in its order.
    pub fn others(&self) -> &[(String, String)] {
        &self.others
    }

    /// All elements: key, qualifiers, attributes.
    pub fn elements(&self) -> ElementString {
        let elements = self.all().cloned().collect();
        #[expect(
            clippy::expect_used,
            reason = "`check` has seen that there are neither too many nor two of one"
        )]
        ElementString::of(elements).expect("the elements of a Digital Link")
    }

    /// Key and qualifiers as a path: `/01/09506000134352/21/A1`. What two spellings of one thing share.
    pub fn path(&self) -> String {
        let mut path = String::new();
        push_path(&mut path, std::iter::once(&self.key).chain(&self.qualifiers));
        path
    }

    /// The URI under a stem, `http(s)://host[/path]`, with attributes and other parameters as they were.
    pub fn to_uri(&self, stem: &str) -> Result<String, Error> {
        let stem = check_stem(stem)?;
        let mut uri = format!("{stem}{}", self.path());
        let attributes =
            self.attributes.iter().map(|element| (element.ai().digits(), element.value()));
        let others = self.others.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        push_query(&mut uri, attributes.chain(others));
        Ok(uri)
    }

    /// The canonical URI: GS1's own host, attributes in the order of their digits, nothing else
    /// (URI syntax, section 4.12).
    pub fn canonical(&self) -> String {
        let mut attributes: Vec<&Element> = self.attributes.iter().collect();
        attributes.sort_by_key(|element| element.ai());
        let mut uri = format!("{CANONICAL_STEM}{}", self.path());
        push_query(
            &mut uri,
            attributes.iter().map(|element| (element.ai().digits(), element.value())),
        );
        uri
    }

    fn all(&self) -> impl Iterator<Item = &Element> {
        std::iter::once(&self.key).chain(&self.qualifiers).chain(&self.attributes)
    }

    fn check(&self) -> Result<(), Error> {
        let all: Vec<&Element> = self.all().collect();
        if all.len() > ELEMENTS_MAX {
            return Err(Error::TooManyElements(ELEMENTS_MAX));
        }
        none_twice(all.iter().copied())?;
        let path: Vec<&str> = self.qualifiers.iter().map(|element| element.ai().digits()).collect();
        check_order(self.key.ai(), &path)?;
        for attribute in &self.attributes {
            let ai = attribute.ai();
            if could_join(self.key.ai(), &path, ai.digits()) {
                return Err(Error::BelongsInPath(ai.digits()));
            }
            if !ai.is_attribute() {
                return Err(Error::NotAnAttribute(ai.digits()));
            }
        }
        check_together(&all)
    }
}

/// Key and qualifiers with attributes, under the stem that was read or the canonical one.
impl fmt::Display for DigitalLink {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let stem = if self.stem.starts_with("http") { &self.stem } else { CANONICAL_STEM };
        match self.to_uri(stem) {
            Ok(uri) => formatter.write_str(&uri),
            Err(_) => formatter.write_str(&self.canonical()),
        }
    }
}

pub(crate) fn push_path<'a>(path: &mut String, pairs: impl Iterator<Item = &'a Element>) {
    for element in pairs {
        path.push('/');
        path.push_str(element.ai().digits());
        path.push('/');
        percent::encode(element.value(), path);
    }
}

fn push_query<'a>(uri: &mut String, parameters: impl Iterator<Item = (&'a str, &'a str)>) {
    for (at, (name, value)) in parameters.enumerate() {
        uri.push(if at == 0 { '?' } else { '&' });
        percent::encode(name, uri);
        if !value.is_empty() {
            uri.push('=');
            percent::encode(value, uri);
        }
    }
}

fn within_bounds(text: &str) -> Result<(), Error> {
    match text.len() {
        bytes if bytes > TEXT_BYTES_MAX => Err(Error::TooLong { bytes, max: TEXT_BYTES_MAX }),
        _ => Ok(()),
    }
}

/// Host and port, without credentials.
fn is_authority(host: &str) -> bool {
    !host.is_empty()
        && host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-:[]_".contains(&byte))
}

/// A stem that one can put in front of a path.
pub(crate) fn check_stem(stem: &str) -> Result<&str, Error> {
    let wrong = || Error::Stem(shown(stem));
    let stem = stem.trim_end_matches('/');
    let rest =
        stem.strip_prefix("https://").or_else(|| stem.strip_prefix("http://")).ok_or_else(wrong)?;
    let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
    let plain =
        path.chars().all(|character| percent::in_uri(character) && !"?#".contains(character));
    if is_authority(host) && plain { Ok(stem) } else { Err(wrong()) }
}

/// The identifier that a segment names: digits, or a name of the older versions.
fn segment_ai(segment: &str) -> Option<Ai> {
    let alpha = ALPHAS.iter().find(|(alpha, _)| *alpha == segment);
    Ai::find(alpha.map_or(segment, |(_, digits)| digits))
}

/// Splits a path into what stands before the key, and the pairs from the key on.
///
/// The key is looked for from the end, pair by pair, so that a stem may hold anything.
fn split_path(path: &str) -> Result<(&str, Vec<Element>), Error> {
    let path = path.strip_suffix('/').unwrap_or(path);
    let mut pairs = Vec::new();
    let mut rest = path;
    while pairs.len() < ELEMENTS_MAX {
        let Some((before, value)) = rest.rsplit_once('/') else { break };
        let Some((before, name)) = before.rsplit_once('/') else { break };
        let Some(ai) = segment_ai(name) else { break };
        pairs.push((ai, value));
        rest = before;
        if ai.is_key() {
            let pairs = pairs.into_iter().rev().map(|(ai, value)| pair(ai, value));
            return Ok((rest, pairs.collect::<Result<_, _>>()?));
        }
    }
    Err(why_no_key(path))
}

fn pair(ai: Ai, value: &str) -> Result<Element, Error> {
    if value.is_empty() {
        return Err(Error::EmptyValue(ai.digits()));
    }
    let value = percent::decode(value).ok_or_else(|| Error::PercentEncoding(shown(value)))?;
    Element::new(ai, &padded(ai, value))
}

/// A GTIN of 8, 12 or 13 digits gets the zeros in front that make 14, as versions before 1.4 allowed it
/// without them.
fn padded(ai: Ai, value: String) -> String {
    match (ai.digits(), value.len()) {
        ("01", 8 | 12 | 13) => format!("{value:0>14}"),
        _ => value,
    }
}

/// The message for a path without a key at a place where it could be read.
fn why_no_key(path: &str) -> Error {
    let segments: Vec<&str> = path.split('/').collect();
    let first = segments.iter().position(|segment| segment_ai(segment).is_some_and(Ai::is_key));
    let Some((at, key)) = first.and_then(|at| Some((at, segment_ai(segments[at])?))) else {
        return Error::NoKey;
    };
    let Some((_, after)) = segments[at + 1..].split_first() else {
        return Error::EmptyValue(key.digits());
    };
    match after.chunks(2).find(|two| segment_ai(two[0]).is_none() || two.len() == 1) {
        Some([name, _]) => Error::Qualifier {
            key: key.digits(),
            qualifier: shown(name),
            allowed: allowed_after(key),
        },
        Some([left]) => Error::Pairs { key: key.digits(), left: shown(left) },
        _ => Error::Pairs { key: key.digits(), left: shown(after.last().unwrap_or(&"")) },
    }
}

/// The sequences that may follow a key, as a sentence part.
fn allowed_after(key: Ai) -> String {
    let sequences = key.sequences();
    if sequences.is_empty() {
        return "nothing more".to_owned();
    }
    let sequence = |codes: &Vec<String>| {
        codes.iter().map(|code| format!("({code})")).collect::<Vec<_>>().join(" ")
    };
    sequences.iter().map(sequence).collect::<Vec<_>>().join(", or ")
}

/// Whether codes are one of the key's sequences with some left out.
fn in_order(key: Ai, path: &[&str]) -> bool {
    let fits = |sequence: &Vec<String>| {
        let mut known = sequence.iter();
        path.iter().all(|code| known.any(|next| next == code))
    };
    path.is_empty() || key.sequences().iter().any(fits)
}

fn check_order(key: Ai, path: &[&str]) -> Result<(), Error> {
    if in_order(key, path) {
        return Ok(());
    }
    let known = |code: &&&str| key.sequences().iter().flatten().any(|next| next == **code);
    match path.iter().find(|code| !known(code)) {
        Some(other) => Err(Error::Qualifier {
            key: key.digits(),
            qualifier: (*other).to_owned(),
            allowed: allowed_after(key),
        }),
        None => Err(Error::QualifierOrder {
            key: key.digits(),
            found: path.iter().map(|code| format!("({code})")).collect::<Vec<_>>().join(" "),
            allowed: allowed_after(key),
        }),
    }
}

/// Whether a code could stand in the path as well, between the qualifiers that are there.
fn could_join(key: Ai, path: &[&str], code: &str) -> bool {
    (0..=path.len()).any(|at| {
        let mut longer = path.to_vec();
        longer.insert(at, code);
        in_order(key, &longer)
    })
}

type Query = (Vec<Element>, Vec<(String, String)>);

/// Splits a query at `&` and `;` (URI syntax, section 4.11) into application identifiers and the rest.
/// A name of digits only must be an application identifier (section 4.10.1); digits without a value are
/// what somebody appended against caches, and are let through.
fn split_query(query: &str) -> Result<Query, Error> {
    let (mut attributes, mut others) = (Vec::new(), Vec::new());
    for parameter in query.split(['&', ';']).filter(|parameter| !parameter.is_empty()) {
        if attributes.len() + others.len() > ELEMENTS_MAX {
            return Err(Error::TooManyElements(ELEMENTS_MAX));
        }
        let (name, value, alone) = match parameter.split_once('=') {
            Some((name, value)) => (name, value, false),
            None => (parameter, "", true),
        };
        let decode =
            |part: &str| percent::decode(part).ok_or_else(|| Error::PercentEncoding(shown(part)));
        if !alone && !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_digit()) {
            let ai = Ai::parse(name)?;
            attributes.push(pair(ai, value)?);
        } else {
            others.push((decode(name)?, decode(value)?));
        }
    }
    Ok((attributes, others))
}
