//! Bars as SVG: a row for each thing that is compared, a bar for each system, on a logarithmic axis.

use std::fmt::Write as _;

/// Bars of several systems beside each other.
pub(super) struct Plot<'p> {
    pub(super) title: &'p str,
    /// What the numbers are, below the axis.
    pub(super) unit: &'p str,
    /// The names of the systems.
    pub(super) systems: Vec<String>,
    /// Label and a number for each system; none where it has none.
    pub(super) rows: Vec<(String, Vec<Option<f64>>)>,
}

const WIDTH: f64 = 860.0;

/// Where bars begin and end.
const LEFT: f64 = 270.0;
const RIGHT: f64 = WIDTH - 80.0;

/// Height of a bar, and of the gap between two rows.
const BAR: f64 = 13.0;
const GAP: f64 = 12.0;

/// Colours that stay apart for eyes that see few (Okabe and Ito's), ours first.
const COLOURS: [&str; 7] =
    ["#0072b2", "#56b4e9", "#009e73", "#e69f00", "#d55e00", "#cc79a7", "#999999"];

/// Powers of ten that the axis may span; beyond them a bar has no length.
const DECADES_MAX: i32 = 12;

impl Plot<'_> {
    /// The picture.
    pub(super) fn svg(&self) -> String {
        let numbers = || self.rows.iter().flat_map(|(_, bars)| bars.iter().flatten());
        let numbers = || numbers().filter(|x| **x > 0.0);
        let least = numbers().copied().fold(f64::INFINITY, f64::min);
        let most = numbers().copied().fold(0.0, f64::max);
        let (low, high) = decades(least, most);
        let x = |number: f64| {
            let part = (number.log10() - f64::from(low)) / f64::from(high - low);
            LEFT + part.clamp(0.0, 1.0) * (RIGHT - LEFT)
        };
        let head = 40.0 + 18.0 * self.systems.len().div_ceil(4) as f64;
        let row_height = BAR * self.systems.len() as f64 + GAP;
        let bottom = head + row_height * self.rows.len() as f64;
        let height = bottom + 44.0;
        // Writing into a string does not fail.
        let mut out = String::new();
        let _ = writeln!(
            out,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" \
             font-family=\"sans-serif\" font-size=\"11\" role=\"img\">\n<title>{0}</title>\n\
             <rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n\
             <text x=\"12\" y=\"22\" font-size=\"15\" font-weight=\"bold\">{0}</text>",
            escaped(self.title),
        );
        for (index, system) in self.systems.iter().enumerate() {
            let (column, line) = (index % 4, index / 4);
            let (left, top) = (12.0 + 205.0 * column as f64, 36.0 + 18.0 * line as f64);
            let _ = writeln!(
                out,
                "<rect x=\"{left}\" y=\"{top}\" width=\"10\" height=\"10\" fill=\"{}\"/>\
                 <text x=\"{}\" y=\"{}\">{}</text>",
                COLOURS[index % COLOURS.len()],
                left + 15.0,
                top + 9.0,
                escaped(system),
            );
        }
        for decade in low..=high {
            let at = x(10f64.powi(decade));
            let _ = writeln!(
                out,
                "<path d=\"M{at:.1} {head}V{bottom}\" stroke=\"#ddd\"/>\
                 <text x=\"{at:.1}\" y=\"{}\" text-anchor=\"middle\">{}</text>",
                bottom + 16.0,
                short(10f64.powi(decade)),
            );
        }
        let _ = writeln!(
            out,
            "<text x=\"{}\" y=\"{}\" text-anchor=\"middle\">{}</text>",
            (LEFT + RIGHT) / 2.0,
            bottom + 34.0,
            escaped(self.unit),
        );
        for (index, (label, bars)) in self.rows.iter().enumerate() {
            let top = head + row_height * index as f64 + GAP / 2.0;
            let _ = writeln!(
                out,
                "<text x=\"{}\" y=\"{}\" text-anchor=\"end\">{}</text>",
                LEFT - 8.0,
                top + (row_height - GAP) / 2.0 + 4.0,
                escaped(label),
            );
            for (place, number) in bars.iter().enumerate() {
                let y = top + BAR * place as f64;
                let Some(number) = number else { continue };
                let end = if *number > 0.0 { x(*number) } else { LEFT };
                let _ = writeln!(
                    out,
                    "<rect x=\"{LEFT}\" y=\"{y}\" width=\"{:.1}\" height=\"{}\" fill=\"{}\"/>\
                     <text x=\"{:.1}\" y=\"{}\" font-size=\"10\">{}</text>",
                    end - LEFT,
                    BAR - 2.0,
                    COLOURS[place % COLOURS.len()],
                    end + 4.0,
                    y + BAR - 3.5,
                    short(*number),
                );
            }
        }
        out.push_str("</svg>\n");
        out
    }
}

/// The powers of ten around some numbers, at least one apart.
fn decades(least: f64, most: f64) -> (i32, i32) {
    if !(least.is_finite() && most > 0.0) {
        return (0, 1);
    }
    // A bar of the least number shall be seen.
    let low = (least * 0.8).log10().floor() as i32;
    let high = (most.log10().ceil() as i32).clamp(low + 1, low + DECADES_MAX);
    (low, high)
}

/// A number in three digits, with k for thousands and M for millions.
pub(super) fn short(number: f64) -> String {
    let (number, suffix) = match number.abs() {
        size if size >= 999_500.0 => (number / 1e6, " M"),
        size if size >= 9_995.0 => (number / 1e3, " k"),
        _ => (number, ""),
    };
    let size = number.abs();
    let decimals = match size {
        _ if size == 0.0 || size >= 99.95 => 0,
        _ if size >= 9.995 => 1,
        _ if size >= 0.9995 => 2,
        _ => (2 - size.log10().floor() as i32).clamp(2, 6) as usize,
    };
    let text = format!("{number:.decimals$}");
    let text = match text.split_once('.') {
        Some((whole, digits)) => match digits.trim_end_matches('0') {
            "" => whole.to_owned(),
            digits => format!("{whole}.{digits}"),
        },
        None => text,
    };
    text + suffix
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::{Plot, decades, short};

    #[test]
    fn numbers_are_short() {
        for (number, text) in [
            (0.0, "0"),
            (0.00123, "0.00123"),
            (0.25, "0.25"),
            (1.234, "1.23"),
            (12.34, "12.3"),
            (687.4, "687"),
            (7000.0, "7000"),
            (23_456.0, "23.5 k"),
            (999_999.0, "1 M"),
            (8_123_456.0, "8.12 M"),
        ] {
            assert_eq!(short(number), text);
        }
    }

    #[test]
    fn the_axis_holds_all_numbers() {
        assert_eq!(decades(0.5, 700.0), (-1, 3));
        assert_eq!(decades(1.0, 9.0), (-1, 1));
        assert_eq!(decades(f64::INFINITY, 0.0), (0, 1));
    }

    #[test]
    fn every_number_has_a_bar_and_names_are_escaped() {
        let plot = Plot {
            title: "bytes <a point>",
            unit: "bytes",
            systems: vec!["a & b".into(), "c".into()],
            rows: vec![
                ("one".into(), vec![Some(1.5), None]),
                ("two".into(), vec![Some(0.0), Some(150.0)]),
            ],
        };
        let svg = plot.svg();
        // The background, two systems and three bars.
        assert_eq!(svg.matches("<rect").count(), 6);
        assert!(svg.contains("a &amp; b") && svg.contains("&lt;a point>"));
        assert!(svg.contains(">150</text>") && svg.trim_end().ends_with("</svg>"));
        assert!(!svg.contains("NaN") && !svg.contains("inf"));
    }
}
