//! The grammar of UCUM codes (case sensitive, "The Unified Code for Units of Measure" 2.2,
//! clauses 5 to 12), as far as to tell a code from any other text.

/// Metric prefixes (tables 1 and clause 4.5, binary ones).
const PREFIXES: &[&str] = &[
    "Y", "Z", "E", "P", "T", "G", "M", "k", "h", "da", "d", "c", "m", "u", "n", "p", "f", "a", "z",
    "y", "Ki", "Mi", "Gi", "Ti",
];

/// Units that take a metric prefix.
const METRIC: &[&str] = &[
    "m", "s", "g", "rad", "K", "C", "cd", "mol", "sr", "Hz", "N", "Pa", "J", "W", "A", "V", "F",
    "Ohm", "S", "Wb", "Cel", "T", "H", "lm", "lx", "Bq", "Gy", "Sv", "l", "L", "ar", "t", "bar",
    "u", "eV", "pc", "dyn", "erg", "P", "St", "Gal", "Mx", "G", "Oe", "Gb", "sb", "Lmb", "ph",
    "Ci", "R", "RAD", "REM", "Np", "B", "B[SPL]", "B[V]", "B[mV]", "B[uV]", "B[W]", "B[kW]", "bit",
    "By", "Bd", "kat", "U", "[iU]", "[IU]", "mho", "eq", "osm", "g%", "tex", "m[H2O]", "m[Hg]",
    "cal", "cal_th", "cal_IT", "gf", "st", "[G]", "[c]", "[h]", "[k]", "[e]", "[ly]", "[g]",
];

/// Units that take no prefix.
const PLAIN: &[&str] = &[
    "10*",
    "10^",
    "[pi]",
    "%",
    "[ppth]",
    "[ppm]",
    "[ppb]",
    "[pptr]",
    "gon",
    "deg",
    "'",
    "''",
    "min",
    "h",
    "d",
    "a",
    "a_t",
    "a_j",
    "a_g",
    "wk",
    "mo",
    "mo_s",
    "mo_j",
    "mo_g",
    "atm",
    "att",
    "[lbf_av]",
    "AU",
    "[in_i]",
    "[ft_i]",
    "[yd_i]",
    "[mi_i]",
    "[fth_i]",
    "[nmi_i]",
    "[kn_i]",
    "[mil_i]",
    "[sin_i]",
    "[sft_i]",
    "[syd_i]",
    "[cin_i]",
    "[cft_i]",
    "[cyd_i]",
    "[gal_us]",
    "[bbl_us]",
    "[qt_us]",
    "[pt_us]",
    "[foz_us]",
    "[gal_br]",
    "[qt_br]",
    "[pt_br]",
    "[foz_br]",
    "[gr]",
    "[lb_av]",
    "[oz_av]",
    "[dr_av]",
    "[ston_av]",
    "[lton_av]",
    "[scwt_av]",
    "[lcwt_av]",
    "[stone_av]",
    "[lb_tr]",
    "[oz_tr]",
    "[degF]",
    "[degR]",
    "[Btu]",
    "[Btu_IT]",
    "[Btu_th]",
    "[HP]",
    "[psi]",
    "[pH]",
    "circ",
    "sph",
    "bit_s",
    "[car_m]",
    "[in_i'H2O]",
    "[in_i'Hg]",
    "[p'diop]",
    "%[slope]",
    "[mesh_i]",
    "[CFU]",
    "[PFU]",
    "[acr_us]",
    "[mi_us]",
];

/// Most brackets within brackets: a bound for the recursion, beyond what any unit needs.
const DEPTH_MAX: usize = 8;

/// Whether a text is a UCUM code.
pub(super) fn is_code(text: &str) -> bool {
    let term = text.strip_prefix('/').unwrap_or(text);
    text.is_ascii() && whole_term(term, 0)
}

fn whole_term(text: &str, depth: usize) -> bool {
    depth <= DEPTH_MAX && term(text, depth).is_some_and(str::is_empty)
}

/// Components joined by `.` and `/`; what is left behind them.
fn term(text: &str, depth: usize) -> Option<&str> {
    let mut rest = component(text, depth)?;
    while let Some(next) = rest.strip_prefix(['.', '/']) {
        rest = component(next, depth)?;
    }
    Some(rest)
}

fn component(text: &str, depth: usize) -> Option<&str> {
    if let Some(inner) = text.strip_prefix('(') {
        let end = closing(inner)?;
        return whole_term(&inner[..end], depth + 1).then(|| &inner[end + 1..]);
    }
    if text.starts_with('{') {
        return annotation(text);
    }
    let rest = match simple(text) {
        Some(rest) => exponent(rest),
        // A factor: a whole number on its own.
        None => {
            let digits = text.bytes().take_while(u8::is_ascii_digit).count();
            if digits == 0 { return None } else { &text[digits..] }
        }
    };
    if rest.starts_with('{') { annotation(rest) } else { Some(rest) }
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

fn annotation(text: &str) -> Option<&str> {
    let end = text.find('}')?;
    let inner = &text[1..end];
    inner.bytes().all(|b| (33..=126).contains(&b) && b != b'{').then(|| &text[end + 1..])
}

fn exponent(text: &str) -> &str {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let digits = unsigned.bytes().take_while(u8::is_ascii_digit).count();
    if digits == 0 { text } else { &unsigned[digits..] }
}

/// The longest unit, with a prefix or without, that the text begins with and that ends where a
/// unit may end.
fn simple(text: &str) -> Option<&str> {
    let atoms = METRIC.iter().chain(PLAIN).filter_map(|atom| text.strip_prefix(atom));
    let prefixed = PREFIXES.iter().filter_map(|prefix| text.strip_prefix(prefix));
    let prefixed =
        prefixed.flat_map(|rest| METRIC.iter().filter_map(move |atom| rest.strip_prefix(atom)));
    atoms.chain(prefixed).filter(|rest| ends_here(rest)).min_by_key(|rest| rest.len())
}

fn ends_here(rest: &str) -> bool {
    let next = rest.bytes().next();
    next.is_none_or(|b| b.is_ascii_digit() || matches!(b, b'.' | b'/' | b'{' | b')' | b'+' | b'-'))
}
