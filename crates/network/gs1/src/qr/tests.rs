use proptest::prelude::*;

use super::*;

/// Reads a picture with a decoder that others wrote.
fn read(side: usize, dark: impl Fn(usize, usize) -> bool) -> String {
    let mut image =
        rqrr::PreparedImage::prepare_from_greyscale(
            side,
            side,
            |x, y| if dark(x, y) { 0 } else { 255 },
        );
    let grids = image.detect_grids();
    assert_eq!(grids.len(), 1);
    grids[0].decode().unwrap().1
}

fn read_png(file: &[u8]) -> String {
    let mut decoder = png::Decoder::new(std::io::Cursor::new(file));
    decoder.set_transformations(png::Transformations::EXPAND);
    let mut reader = decoder.read_info().unwrap();
    let mut image = vec![0; reader.output_buffer_size().unwrap()];
    let info = reader.next_frame(&mut image).unwrap();
    assert_eq!((info.color_type, info.width), (png::ColorType::Grayscale, info.height));
    let side = info.width as usize;
    read(side, |x, y| image[y * side + x] < 128)
}

/// Reads the path of our SVG again, `M x y h n …`, and draws it.
fn read_svg(svg: &str) -> String {
    let number = |text: &str| text.parse::<usize>().unwrap();
    let side = number(svg.split("viewBox=\"0 0 ").nth(1).unwrap().split(' ').next().unwrap());
    let path = svg.split("<path d=\"").nth(1).unwrap().split('"').next().unwrap();
    let mut dark = vec![false; side * side];
    for run in path.split('M').skip(1) {
        let (x, rest) = run.split_once(' ').unwrap();
        let (y, rest) = rest.split_once('h').unwrap();
        let length = number(rest.split('v').next().unwrap());
        let start = number(y) * side + number(x);
        dark[start..start + length].fill(true);
    }
    // A decoder wants more than one pixel a module.
    read(side * 4, |x, y| dark[y / 4 * side + x / 4])
}

#[test]
fn what_is_drawn_is_read_by_another() {
    for text in [
        "https://id.example.cn/01/09506000134352/10/A%2F1/21/S-9?17=261231",
        "88.118.1000/pump-7",
        "1.2.156.10001",
        "标识 12345",
        "0",
    ] {
        for correction in
            [Correction::Low, Correction::Medium, Correction::Quartile, Correction::High]
        {
            let code = Qr::of_text(text, correction).unwrap();
            for drawing in [Drawing::default(), Drawing { module_pixels: 3, quiet_modules: 10 }] {
                assert_eq!(read_png(&code.png(drawing).unwrap()), text);
                assert_eq!(read_svg(&code.svg(drawing).unwrap()), text);
            }
        }
    }
}

#[test]
fn bounds_hold() {
    let code = Qr::of_text(&"x".repeat(2953), Correction::Low).unwrap();
    assert_eq!(code.side(), 177);
    for (module_pixels, quiet_modules, message) in [
        (0, 4, "no QR code can be drawn: a module has 1 to 64 pixels"),
        (65, 4, "no QR code can be drawn: a module has 1 to 64 pixels"),
        (8, 3, "no QR code can be drawn: the white around it has 4 to 64 modules"),
        (8, 65, "no QR code can be drawn: the white around it has 4 to 64 modules"),
        (64, 4, "no QR code can be drawn: its side would have 11840 pixels, more than 4096"),
    ] {
        let drawing = Drawing { module_pixels, quiet_modules };
        assert_eq!(code.svg(drawing).unwrap_err().to_string(), message);
        assert_eq!(code.png(drawing).unwrap_err().to_string(), message);
    }
    let error = Qr::of_text(&"x".repeat(2954), Correction::Low).unwrap_err();
    assert_eq!(
        error.to_string(),
        "no QR code can be drawn: 2954 bytes are more than it holds at this level of correction"
    );
    assert!(Qr::of_text(&"x".repeat(2953), Correction::Medium).is_err());
    assert!(!code.is_dark(177, 0) && !code.is_dark(0, 177));
}

#[test]
fn element_strings_become_symbols_with_fnc1() {
    let elements = ElementString::parse("(01)09506000134352(10)A%1(21)S").unwrap();
    let gs1 = Qr::of_elements(&elements, Correction::Medium).unwrap();
    let plain = Qr::of_text(&elements.to_raw(), Correction::Medium).unwrap();
    assert_ne!(gs1, plain);
    let long: Vec<String> = (91..=99).map(|code| format!("({code}){}", "9".repeat(90))).collect();
    let long = ElementString::parse(&long.concat()).unwrap();
    assert!(Qr::of_elements(&long, Correction::Low).unwrap().side() > gs1.side());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn any_identifier_is_read_back(text in "[!-~]{1,120}") {
        let code = Qr::of_text(&text, Correction::Medium).unwrap();
        prop_assert_eq!(read_png(&code.png(Drawing { module_pixels: 4, quiet_modules: 4 }).unwrap()), text);
    }
}
