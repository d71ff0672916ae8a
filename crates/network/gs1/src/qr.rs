//! QR codes (ISO/IEC 18004) of identifiers, as SVG and PNG.

use qrcode::bits::Bits;
use qrcode::types::QrError;
use qrcode::{Color, EcLevel, QrCode, Version};

use crate::{ElementString, Error};

#[cfg(test)]
mod tests;

/// The largest side of a picture, in pixels: an A4 sheet at 300 dots per inch is 2480 wide.
pub const SIDE_PIXELS_MAX: u32 = 4096;

/// The most pixels of one module.
pub const MODULE_PIXELS_MAX: u32 = 64;

/// The least quiet zone around the symbol, in modules, that the standard asks for (section 5.3.8).
pub const QUIET_MODULES_MIN: u32 = 4;

/// The greatest quiet zone, in modules: beyond it the code gets lost in white.
pub const QUIET_MODULES_MAX: u32 = 64;

/// How much of a symbol can be damaged and still be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Correction {
    /// About 7 %.
    Low,
    /// About 15 %, which GS1 recommends for what is not roughly handled.
    #[default]
    Medium,
    /// About 25 %.
    Quartile,
    /// About 30 %.
    High,
}

impl Correction {
    /// The level with a letter of the standard: `L`, `M`, `Q` or `H`.
    pub fn from_letter(letter: &str) -> Option<Correction> {
        Some(match letter {
            "L" | "l" => Correction::Low,
            "M" | "m" => Correction::Medium,
            "Q" | "q" => Correction::Quartile,
            "H" | "h" => Correction::High,
            _ => return None,
        })
    }

    fn level(self) -> EcLevel {
        match self {
            Correction::Low => EcLevel::L,
            Correction::Medium => EcLevel::M,
            Correction::Quartile => EcLevel::Q,
            Correction::High => EcLevel::H,
        }
    }
}

/// How a symbol is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Drawing {
    /// Pixels of a module's side: 1 to [`MODULE_PIXELS_MAX`].
    pub module_pixels: u32,
    /// White modules around it: [`QUIET_MODULES_MIN`] to [`QUIET_MODULES_MAX`].
    pub quiet_modules: u32,
}

impl Default for Drawing {
    fn default() -> Drawing {
        Drawing { module_pixels: 8, quiet_modules: QUIET_MODULES_MIN }
    }
}

/// A QR code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Qr {
    /// Modules of a side.
    side: u32,
    /// Whether each module is dark, row by row.
    dark: Vec<bool>,
}

impl Qr {
    /// A QR code of a text, such as a Digital Link URI or any other identifier, in the smallest version
    /// that holds it.
    pub fn of_text(text: &str, correction: Correction) -> Result<Qr, Error> {
        let code = QrCode::with_error_correction_level(text, correction.level());
        code.map(drawn).map_err(|error| refused(error, text.len()))
    }

    /// A GS1 QR Code of an element string: with FNC1 in the first position (General Specifications,
    /// section 5.7), for scanners in supply chains; a phone shows its digits.
    pub fn of_elements(elements: &ElementString, correction: Correction) -> Result<Qr, Error> {
        let data = elements.to_raw();
        let level = correction.level();
        for version in 1..=40 {
            let mut bits = Bits::new(Version::Normal(version));
            // Behind FNC1 a percent sign in alphanumeric mode would be read as a separator.
            let push = |bits: &mut Bits| match data.contains('%') {
                true => bits.push_byte_data(data.as_bytes()),
                false => bits.push_optimal_data(data.as_bytes()),
            };
            let filled = bits.push_fnc1_first_position().and_then(|()| push(&mut bits));
            match filled.and_then(|()| bits.push_terminator(level)) {
                Ok(()) => {
                    let code = QrCode::with_bits(bits, level);
                    return code.map(drawn).map_err(|error| refused(error, data.len()));
                }
                Err(QrError::DataTooLong) => {}
                Err(error) => return Err(refused(error, data.len())),
            }
        }
        Err(refused(QrError::DataTooLong, data.len()))
    }

    /// Modules of a side, without the quiet zone: 21 to 177.
    pub fn side(&self) -> u32 {
        self.side
    }

    /// Whether the module in a column and a row is dark.
    pub fn is_dark(&self, column: u32, row: u32) -> bool {
        let inside = column < self.side && row < self.side;
        inside && self.dark[(row * self.side + column) as usize]
    }

    /// As an SVG document, black on white.
    pub fn svg(&self, drawing: Drawing) -> Result<String, Error> {
        let (modules, pixels) = self.measure(drawing)?;
        let mut path = String::new();
        for row in 0..self.side {
            let mut column = 0;
            while column < self.side {
                let run = (column..self.side)
                    .take_while(|column| self.is_dark(*column, row))
                    .count() as u32;
                if run > 0 {
                    let (x, y) = (column + drawing.quiet_modules, row + drawing.quiet_modules);
                    path.push_str(&format!("M{x} {y}h{run}v1h-{run}z"));
                }
                column += run.max(1);
            }
        }
        Ok(format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{pixels}\" height=\"{pixels}\" \
             viewBox=\"0 0 {modules} {modules}\" shape-rendering=\"crispEdges\">\
             <path fill=\"#fff\" d=\"M0 0h{modules}v{modules}H0z\"/><path d=\"{path}\"/></svg>\n"
        ))
    }

    /// As a PNG file, black and white with one bit a pixel.
    pub fn png(&self, drawing: Drawing) -> Result<Vec<u8>, Error> {
        let (_, pixels) = self.measure(drawing)?;
        let row_bytes = pixels.div_ceil(8) as usize;
        let mut image = vec![0xff; row_bytes * pixels as usize];
        for y in 0..pixels {
            let row = &mut image[y as usize * row_bytes..][..row_bytes];
            for x in 0..pixels {
                let module =
                    |pixel: u32| (pixel / drawing.module_pixels).checked_sub(drawing.quiet_modules);
                if let (Some(column), Some(line)) = (module(x), module(y))
                    && self.is_dark(column, line)
                {
                    row[(x / 8) as usize] &= !(0x80 >> (x % 8));
                }
            }
        }
        let mut file = Vec::new();
        let mut encoder = png::Encoder::new(&mut file, pixels, pixels);
        encoder.set_color(png::ColorType::Grayscale);
        encoder.set_depth(png::BitDepth::One);
        let written = encoder.write_header().and_then(|mut writer| {
            writer.write_image_data(&image)?;
            writer.finish()
        });
        written.map_err(|error| Error::Qr(error.to_string()))?;
        Ok(file)
    }

    /// Modules and pixels of a side with the quiet zone, within the bounds.
    fn measure(&self, drawing: Drawing) -> Result<(u32, u32), Error> {
        if !(1..=MODULE_PIXELS_MAX).contains(&drawing.module_pixels) {
            return Err(Error::Qr(format!("a module has 1 to {MODULE_PIXELS_MAX} pixels")));
        }
        if !(QUIET_MODULES_MIN..=QUIET_MODULES_MAX).contains(&drawing.quiet_modules) {
            let bounds = format!("{QUIET_MODULES_MIN} to {QUIET_MODULES_MAX}");
            return Err(Error::Qr(format!("the white around it has {bounds} modules")));
        }
        let modules = self.side + 2 * drawing.quiet_modules;
        match modules * drawing.module_pixels {
            pixels if pixels <= SIDE_PIXELS_MAX => Ok((modules, pixels)),
            pixels => Err(Error::Qr(format!(
                "its side would have {pixels} pixels, more than {SIDE_PIXELS_MAX}"
            ))),
        }
    }
}

fn drawn(code: QrCode) -> Qr {
    let dark = code.to_colors().into_iter().map(|color| color == Color::Dark).collect();
    Qr { side: code.width() as u32, dark }
}

fn refused(error: QrError, bytes: usize) -> Error {
    Error::Qr(match error {
        QrError::DataTooLong => {
            format!("{bytes} bytes are more than it holds at this level of correction")
        }
        other => other.to_string(),
    })
}
