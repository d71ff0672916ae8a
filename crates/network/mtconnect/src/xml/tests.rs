use super::*;

use proptest::prelude::*;

fn read(text: &str) -> Result<String, XmlError> {
    let mut xml = Xml::new(text.as_bytes())?;
    let mut out = String::new();
    loop {
        match xml.next()? {
            Item::Open(element) => {
                out.push_str(&format!("<{}", element.name));
                element.attributes.iter().for_each(|(k, v)| out.push_str(&format!(" {k}={v}")));
                out.push('>');
            }
            Item::Text(text) => out.push_str(&text),
            Item::Close => out.push('/'),
            Item::End => return Ok(out),
        }
    }
}

#[test]
fn reads_names_attributes_and_text() {
    let text = "\u{feff}<?xml version=\"1.0\"?><!-- c --><m:a xmlns:m=\"u\" x:b='1 &lt; 2'>t&amp;&#x4e2d;<![CDATA[<&]]><c/></m:a>\n";
    assert_eq!(read(text).unwrap(), "<a b=1 < 2>t&中<&<c>//");
}

#[test]
fn refuses_what_could_grow_or_is_cut_off() {
    let bomb = "<!DOCTYPE a [<!ENTITY x \"yyyyyyyy\">]><a>&x;</a>";
    assert_eq!(read(bomb), Err(XmlError::Entity));
    assert_eq!(read("<a>&x;</a>"), Err(XmlError::Entity));
    assert!(read("<a b='&x;'/>").is_err());
    assert!(read("<a><b></a>").is_err());
    assert!(matches!(read("<a><b>"), Err(XmlError::Unfinished)));
    assert_eq!(read(""), Err(XmlError::Unfinished));
    assert_eq!(read("plain words"), Err(XmlError::Unfinished));
    assert!(read("<a/><b/>").is_err());
    let deep = "<a>".repeat(DEPTH_MAX + 1);
    assert_eq!(read(&deep), Err(XmlError::Depth));
    let wide: String = (0..=ATTRIBUTES_MAX).map(|n| format!(" a{n}=''")).collect();
    assert_eq!(read(&format!("<a{wide}/>")), Err(XmlError::Attributes));
    assert!(matches!(Xml::new(b"<a>\xff</a>"), Err(XmlError::Encoding)));
}

proptest! {
    #[test]
    fn any_bytes_end_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        if let Ok(mut xml) = Xml::new(&bytes) {
            for _ in 0..1000 {
                match xml.next() {
                    Ok(Item::End) | Err(_) => return Ok(()),
                    Ok(_) => {}
                }
            }
            panic!("300 bytes have no thousand items");
        }
    }

    #[test]
    fn any_markup_ends_without_a_panic(text in "[<>/a-c=\"'&;!\\[\\]#x0-9 -]{0,120}") {
        let _ = read(&text);
    }
}
