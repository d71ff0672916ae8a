//! The grammar of UCUM codes (case sensitive, "The Unified Code for Units of Measure" 2.2,
//! clauses 5 to 12): what a code is made of.

use super::atoms::{ATOMS, Atom, PREFIXES};

/// Most brackets within brackets: a bound for the recursion, beyond what any unit needs.
const DEPTH_MAX: usize = 8;

/// A part of a code.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Part<'a> {
    /// A unit to a power, with the factor of its prefix as a decimal.
    Unit {
        /// The prefix's factor.
        prefix: Option<&'static str>,
        /// The unit.
        atom: &'static Atom,
        /// The power, [`i32::MAX`] where it is beyond.
        exponent: i32,
    },
    /// A whole number, which is multiplied or divided by.
    Factor {
        /// Its digits.
        digits: &'a str,
        /// Whether it divides.
        divides: bool,
    },
    /// What stands in curly brackets.
    Note(&'a str),
}

/// Takes parts as they are found. Where the text turns out to be no code, it has been given some.
type Visit<'a, 'v> = &'v mut dyn FnMut(Part<'a>);

/// Whether a text is a UCUM code.
pub(super) fn is_code(text: &str) -> bool {
    read(text, &mut |_| {})
}

/// Reads a text as a UCUM code, part by part; whether it is one.
pub(super) fn read<'a>(text: &'a str, visit: Visit<'a, '_>) -> bool {
    let (term, divides) = match text.strip_prefix('/') {
        Some(term) => (term, true),
        None => (text, false),
    };
    text.is_ascii() && whole_term(term, divides, false, 0, visit)
}

/// A term that ends with the text. `first` says whether its first component divides, `all` whether
/// all of it does.
fn whole_term<'a>(
    text: &'a str,
    first: bool,
    all: bool,
    depth: usize,
    visit: Visit<'a, '_>,
) -> bool {
    depth <= DEPTH_MAX && term(text, first, all, depth, visit).is_some_and(str::is_empty)
}

/// Components joined by `.` and `/`; what is left behind them.
fn term<'a>(
    text: &'a str,
    first: bool,
    all: bool,
    depth: usize,
    visit: Visit<'a, '_>,
) -> Option<&'a str> {
    let mut rest = component(text, first != all, depth, visit)?;
    while let Some(next) = rest.strip_prefix(['.', '/']) {
        rest = component(next, rest.starts_with('/') != all, depth, visit)?;
    }
    Some(rest)
}

fn component<'a>(
    text: &'a str,
    divides: bool,
    depth: usize,
    visit: Visit<'a, '_>,
) -> Option<&'a str> {
    if let Some(inner) = text.strip_prefix('(') {
        let end = closing(inner)?;
        let whole = whole_term(&inner[..end], false, divides, depth + 1, visit);
        return whole.then(|| &inner[end + 1..]);
    }
    if text.starts_with('{') {
        return annotation(text, visit);
    }
    let rest = match simple(text) {
        Some((prefix, atom, rest)) => {
            let (exponent, rest) = exponent(rest);
            let exponent = if divides { exponent.saturating_neg() } else { exponent };
            visit(Part::Unit { prefix, atom, exponent });
            rest
        }
        // A factor: a whole number on its own.
        None => {
            let digits = text.bytes().take_while(u8::is_ascii_digit).count();
            let (digits, rest) = text.split_at(digits);
            if digits.is_empty() {
                return None;
            }
            visit(Part::Factor { digits, divides });
            rest
        }
    };
    if rest.starts_with('{') { annotation(rest, visit) } else { Some(rest) }
}

/// Where the bracket that is open already ends.
fn closing(text: &str) -> Option<usize> {
    let mut open = 1usize;
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            b'(' => open += 1,
            b')' => open -= 1,
            _ => {}
        }
        if open == 0 {
            return Some(at);
        }
    }
    None
}

fn annotation<'a>(text: &'a str, visit: Visit<'a, '_>) -> Option<&'a str> {
    let end = text.find('}')?;
    let inner = &text[1..end];
    let fits = inner.bytes().all(|b| (33..=126).contains(&b) && b != b'{');
    fits.then(|| {
        visit(Part::Note(inner));
        &text[end + 1..]
    })
}

fn exponent(text: &str) -> (i32, &str) {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let digits = unsigned.bytes().take_while(u8::is_ascii_digit).count();
    if digits == 0 {
        return (1, text);
    }
    let (digits, rest) = unsigned.split_at(digits);
    let exponent = digits.parse().unwrap_or(i32::MAX);
    (if text.starts_with('-') { -exponent } else { exponent }, rest)
}

/// The longest unit, with a prefix or without, that the text begins with and that ends where a
/// unit may end: the factor of its prefix, the unit, and what is left.
fn simple(text: &str) -> Option<(Option<&'static str>, &'static Atom, &str)> {
    let atoms = ATOMS.iter();
    let alone = atoms.filter_map(|atom| Some((None, atom, text.strip_prefix(atom.code)?)));
    let prefixed = PREFIXES.iter().filter_map(|(prefix, factor)| {
        let rest = text.strip_prefix(prefix)?;
        let atoms = ATOMS.iter().filter(|atom| atom.metric);
        Some(
            atoms
                .filter_map(move |atom| Some((Some(*factor), atom, rest.strip_prefix(atom.code)?))),
        )
    });
    let found = alone.chain(prefixed.flatten()).filter(|(_, _, rest)| ends_here(rest));
    found.min_by_key(|(_, _, rest)| rest.len())
}

fn ends_here(rest: &str) -> bool {
    let next = rest.bytes().next();
    next.is_none_or(|b| b.is_ascii_digit() || matches!(b, b'.' | b'/' | b'{' | b')' | b'+' | b'-'))
}
