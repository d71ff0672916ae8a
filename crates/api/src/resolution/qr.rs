//! QR codes of identifiers: what a phone opens is the identifier's page here.

use axum::response::{IntoResponse, Response};
use http::{HeaderMap, StatusCode, header};
use weir_gs1::{Correction, DigitalLink, Drawing, ElementString, Qr, recognise};

use super::target::{self, Target};
use super::{CACHE_SECONDS_MAX, IdentifierState, kept, sentence, set};

/// The largest side of a picture in pixels: 17 cm at 300 dots per inch, and 50 ms of work.
const SIDE_PIXELS_MAX: u32 = 2_048;

/// The longest identifier: what the largest QR code holds is less than 3,000 bytes.
const IDENTIFIER_BYTES_MAX: usize = 2_048;

/// Draws the QR code of an identifier, whether there is a record of it or not: labels are printed
/// before.
pub(super) async fn get(
    state: &IdentifierState,
    target: &Target<'_>,
    headers: &HeaderMap,
    identifier: &str,
) -> Response {
    let wanted = Wanted::of(target);
    let text = address(&state.root(headers), identifier);
    let (wanted, text) = match (wanted, text) {
        (Ok(wanted), Ok(text)) => (wanted, text),
        (Err(words), _) | (_, Err(words)) => return sentence(StatusCode::BAD_REQUEST, &words),
    };
    let as_png = wanted.as_png;
    let drawn = tokio::task::spawn_blocking(move || draw(&text, &wanted)).await;
    let body = match drawn {
        Ok(Ok(body)) => body,
        Ok(Err(words)) => return sentence(StatusCode::BAD_REQUEST, &words),
        Err(error) => {
            tracing::error!(%error, "a QR code could not be drawn");
            let words = "The code could not be drawn.";
            return sentence(StatusCode::INTERNAL_SERVER_ERROR, words);
        }
    };
    let mut response = body.clone().into_response();
    let kind = if as_png { "image/png" } else { "image/svg+xml" };
    set(&mut response, header::CONTENT_TYPE, kind);
    kept(response, &body, CACHE_SECONDS_MAX, headers)
}

/// What the code holds: the address of the identifier's page, or of the Digital Link that a code
/// of GS1 makes.
fn address(root: &str, identifier: &str) -> Result<String, String> {
    let link = match DigitalLink::parse_path(&format!("/{identifier}")) {
        Ok(link) if link.stem().is_empty() => Some(link),
        _ => None,
    };
    let text = target::handle(identifier);
    let text = text.filter(|text| (1..=IDENTIFIER_BYTES_MAX).contains(&text.len()));
    let words = || {
        let max = IDENTIFIER_BYTES_MAX;
        format!("An identifier is percent-encoded UTF-8 of 1 to {max} bytes.")
    };
    let text = text.ok_or_else(words)?;
    let link = match link {
        Some(link) => Some(link),
        None if text.starts_with('(') => {
            let elements = ElementString::parse(&text).and_then(|all| DigitalLink::of(&all));
            Some(elements.map_err(|error| format!("{error}."))?)
        }
        None => bare(&text),
    };
    match link {
        Some(link) => link.to_uri(root).map_err(|error| format!("{error}.")),
        None => Ok(format!("{root}{}", target::path(&text))),
    }
}

/// The Digital Link of digits as they stand below a barcode.
pub(super) fn bare(text: &str) -> Option<DigitalLink> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    let seen = recognise(text).filter(|_| digits)?;
    DigitalLink::parse(&seen.normal).ok()
}

/// How the code is drawn.
struct Wanted {
    as_png: bool,
    /// Pixels of a side at the most; none leaves it to the drawing.
    size: Option<u32>,
    correction: Correction,
}

impl Wanted {
    fn of(target: &Target<'_>) -> Result<Self, String> {
        let as_png = match target.first("format") {
            None | Some("svg") => false,
            Some("png") => true,
            Some(_) => return Err("A format is svg or png.".to_owned()),
        };
        let size = target.first("size").map(|size| {
            let size = size.parse().ok().filter(|size| (1..=SIDE_PIXELS_MAX).contains(size));
            size.ok_or_else(|| format!("A size is 1 to {SIDE_PIXELS_MAX} pixels."))
        });
        let correction =
            target.first("level").map_or(Some(Correction::Medium), Correction::from_letter);
        let correction = correction.ok_or("A level is L, M, Q or H.")?;
        Ok(Self { as_png, size: size.transpose()?, correction })
    }
}

fn draw(text: &str, wanted: &Wanted) -> Result<Vec<u8>, String> {
    let failed = |error: weir_gs1::Error| format!("{error}.");
    let code = Qr::of_text(text, wanted.correction).map_err(failed)?;
    let mut drawing = Drawing::default();
    if let Some(size) = wanted.size {
        let modules = code.side() + 2 * drawing.quiet_modules;
        drawing.module_pixels = (size / modules).min(weir_gs1::MODULE_PIXELS_MAX);
        if drawing.module_pixels == 0 {
            return Err(format!("This code needs a size of {modules} pixels at least."));
        }
    }
    match wanted.as_png {
        true => code.png(drawing).map_err(failed),
        false => code.svg(drawing).map(String::into_bytes).map_err(failed),
    }
}
