//! The table of application identifiers, read from the GS1 Barcode Syntax Dictionary in `data/`.

use std::fmt;
use std::sync::LazyLock;

use crate::Error;
use crate::value::Rule;

#[cfg(test)]
mod tests;

static TEXT: &str = include_str!("../data/gs1-syntax-dictionary.txt");

static TABLE: LazyLock<Table> = LazyLock::new(|| read(TEXT));

/// An application identifier of the table: two to four digits that say what the value after them means
/// (GS1 General Specifications, section 3).
#[derive(Clone, Copy)]
pub struct Ai(&'static Entry);

/// What the table says of one application identifier.
struct Entry {
    code: String,
    title: String,
    /// The length is known from the first two digits, so that no separator follows (section 7.8.4).
    predefined: bool,
    attribute: bool,
    components: Vec<Component>,
    /// Groups, of which one of the alternatives each must be there as a whole.
    requires: Vec<Vec<Vec<String>>>,
    excludes: Vec<String>,
    /// Qualifier sequences, if it is a primary key of Digital Links.
    key: Option<Vec<Vec<String>>>,
}

/// Part of a value with a character set, a length and rules of its own.
#[derive(Debug, Clone)]
pub(crate) struct Component {
    pub(crate) charset: Charset,
    pub(crate) length_min: usize,
    pub(crate) length_max: usize,
    pub(crate) optional: bool,
    pub(crate) rules: Vec<Rule>,
}

/// Which characters a component takes (General Specifications, section 7.11).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Charset {
    /// `N`: digits.
    Digits,
    /// `X`: the 82 characters of ISO/IEC 646 that are in every alphabet.
    Set82,
    /// `Y`: digits, capitals, `#`, `-` and `/`.
    Set39,
    /// `Z`: the URI-safe base64 alphabet, with padding.
    Set64,
}

struct Table {
    /// In the order of their digits.
    entries: Vec<Entry>,
    /// Digits of an application identifier by its first two; 0 where there is none.
    lengths: [u8; 100],
}

/// The roles of a location number besides those that the dictionary calls keys. Version 1.1 of the URI
/// syntax has paths for them, and the schema of resolver description files lists them still.
const OLDER_KEYS: [&str; 5] = ["410", "411", "412", "413", "416"];

/// In which order one of several keys is taken for the path: what is traded before where it goes.
pub(crate) const KEY_ORDER: [&str; 21] = [
    "01", "8006", "8013", "8010", "414", "417", "8017", "8018", "255", "00", "253", "401", "402",
    "8003", "8004", "415", "410", "411", "412", "413", "416",
];

impl Ai {
    /// The application identifier with these digits.
    pub fn find(digits: &str) -> Option<Ai> {
        let table = &*TABLE;
        let at = table.entries.binary_search_by(|entry| entry.code.as_str().cmp(digits)).ok()?;
        Some(Ai(&table.entries[at]))
    }

    /// The application identifier with these digits, or the error that says there is none.
    pub fn parse(digits: &str) -> Result<Ai, Error> {
        Ai::find(digits).ok_or_else(|| Error::UnknownAi(crate::error::shown(digits)))
    }

    /// The application identifier that a raw element string begins with.
    pub(crate) fn at_start(text: &str) -> Option<Ai> {
        let first = text.get(..2).filter(|two| two.bytes().all(|byte| byte.is_ascii_digit()))?;
        let length = TABLE.lengths[first.parse::<usize>().ok()?];
        Ai::find(text.get(..usize::from(length))?)
    }

    /// All of the table, in the order of their digits.
    pub fn all() -> impl Iterator<Item = Ai> {
        TABLE.entries.iter().map(Ai)
    }

    /// Its digits.
    pub fn digits(self) -> &'static str {
        &self.0.code
    }

    /// Its data title, such as `BATCH/LOT`.
    pub fn title(self) -> &'static str {
        &self.0.title
    }

    /// Whether it is a primary key of Digital Link URIs.
    pub fn is_key(self) -> bool {
        self.0.key.is_some()
    }

    /// Whether it may stand in the query of a Digital Link URI.
    pub fn is_attribute(self) -> bool {
        self.0.attribute
    }

    /// Whether its length is known from its first two digits, so that no separator follows it.
    pub fn has_predefined_length(self) -> bool {
        self.0.predefined
    }

    /// Least and greatest number of characters of a value.
    pub fn lengths(self) -> (usize, usize) {
        let least = self.0.components.iter().filter(|part| !part.optional);
        let least = least.map(|part| part.length_min).sum();
        (least, self.0.components.iter().map(|part| part.length_max).sum())
    }

    /// The sequences of qualifiers that may follow it in a path, each in order; empty for what is no key.
    pub(crate) fn sequences(self) -> &'static [Vec<String>] {
        self.0.key.as_deref().unwrap_or_default()
    }

    pub(crate) fn components(self) -> &'static [Component] {
        &self.0.components
    }

    pub(crate) fn requires(self) -> &'static [Vec<Vec<String>>] {
        &self.0.requires
    }

    pub(crate) fn excludes(self) -> &'static [String] {
        &self.0.excludes
    }
}

impl PartialEq for Ai {
    fn eq(&self, other: &Ai) -> bool {
        self.digits() == other.digits()
    }
}

impl Eq for Ai {}

impl PartialOrd for Ai {
    fn partial_cmp(&self, other: &Ai) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Ai {
    fn cmp(&self, other: &Ai) -> std::cmp::Ordering {
        self.digits().cmp(other.digits())
    }
}

impl std::hash::Hash for Ai {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.digits().hash(state);
    }
}

impl fmt::Debug for Ai {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "({})", self.digits())
    }
}

impl fmt::Display for Ai {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.digits())
    }
}

/// Whether digits fit a pattern of the dictionary: `n` stands for any digit.
pub(crate) fn fits(pattern: &str, digits: &str) -> bool {
    pattern.len() == digits.len()
        && pattern.bytes().zip(digits.bytes()).all(|(want, found)| want == b'n' || want == found)
}

/// Reads the dictionary. A line that cannot be read is a fault of the file that is compiled in, which
/// `tests` reads line by line.
fn read(text: &str) -> Table {
    let mut entries = Vec::new();
    let mut lengths = [0; 100];
    for line in text.lines().filter(|line| line.starts_with(|first: char| first.is_ascii_digit())) {
        // The two coupon codes are the only ones without a title.
        let (rule, title) = line.split_once('#').unwrap_or((line, "COUPON"));
        let mut words = rule.split_ascii_whitespace().peekable();
        let codes = words.next().unwrap_or_default();
        let flags =
            words.next_if(|word| !word.starts_with(|c: char| c.is_alphanumeric() || c == '['));
        let flags = flags.unwrap_or_default();
        let words: Vec<&str> = words.collect();
        let (first, last) = codes.split_once('-').unwrap_or((codes, codes));
        for number in
            first.parse::<u16>().into_iter().flat_map(|first| first..=last.parse().unwrap_or(first))
        {
            let code = format!("{number:0width$}", width = first.len());
            if let Some(length) = code[..2].parse::<usize>().ok().and_then(|at| lengths.get_mut(at))
            {
                *length = code.len() as u8;
            }
            entries.push(entry(code, flags, &words, title.trim()));
        }
    }
    entries.sort_by(|one, other| one.code.cmp(&other.code));
    Table { entries, lengths }
}

fn entry(code: String, flags: &str, words: &[&str], title: &str) -> Entry {
    let mut entry = Entry {
        title: title.to_owned(),
        predefined: flags.contains('*'),
        attribute: flags.contains('?'),
        components: Vec::new(),
        requires: Vec::new(),
        excludes: Vec::new(),
        key: OLDER_KEYS.contains(&code.as_str()).then(Vec::new),
        code,
    };
    for word in words {
        let list = |names: &str, by: char| names.split(by).map(str::to_owned).collect::<Vec<_>>();
        if let Some(groups) = word.strip_prefix("req=") {
            entry.requires.push(groups.split(',').map(|group| list(group, '+')).collect());
        } else if let Some(others) = word.strip_prefix("ex=") {
            entry.excludes.extend(list(others, ','));
        } else if let Some(sequences) = word.strip_prefix("dlpkey=") {
            entry.key = Some(sequences.split('|').map(|sequence| list(sequence, ',')).collect());
        } else if *word == "dlpkey" {
            entry.key = Some(Vec::new());
        } else {
            entry.components.extend(component(word));
        }
    }
    entry
}

/// Reads one component, such as `N13,csum,gcppos1` or `[X..17]`.
fn component(word: &str) -> Option<Component> {
    let mut parts = word.split(',');
    let shape = parts.next()?;
    let (optional, shape) = match shape.strip_prefix('[').and_then(|inner| inner.strip_suffix(']'))
    {
        Some(inner) => (true, inner),
        None => (false, shape),
    };
    let charset = match shape.chars().next()? {
        'N' => Charset::Digits,
        'X' => Charset::Set82,
        'Y' => Charset::Set39,
        'Z' => Charset::Set64,
        _ => return None,
    };
    let (length_min, length_max) = match shape[1..].strip_prefix("..") {
        Some(most) => (1, most.parse().ok()?),
        None => (shape[1..].parse().ok()?, shape[1..].parse().ok()?),
    };
    let rules = parts.map(Rule::named).collect::<Option<Vec<_>>>()?;
    Some(Component { charset, length_min, length_max, optional, rules })
}
