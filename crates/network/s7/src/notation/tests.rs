use proptest::prelude::*;

use super::*;

#[track_caller]
fn means(text: &str, expected: (Area, u16, u32, u8, RawType, u16)) {
    let address = PointAddress::of_text(text).unwrap_or_else(|e| panic!("{text}: {e}"));
    let PointAddress { area, db, start, bit, raw_type, length } = address;
    assert_eq!((area, db, start, bit, raw_type, length), expected, "{text}");
    assert_eq!(PointAddress::of_text(&address.to_string()), Ok(address), "{text} and back");
}

#[test]
fn the_notations_that_engineers_know() {
    use RawType::*;
    means("DB1.DBX10.3", (Area::Db, 1, 10, 3, Bool, 0));
    means("%db1.dbx10.3:bool", (Area::Db, 1, 10, 3, Bool, 0));
    means("DB1.DBB10", (Area::Db, 1, 10, 0, Byte, 0));
    means("DB12.DBW4", (Area::Db, 12, 4, 0, Word, 0));
    means("DB12.DBW4:INT", (Area::Db, 12, 4, 0, Int, 0));
    means("DB1.DBD10:REAL", (Area::Db, 1, 10, 0, Real, 0));
    means("DB1.DBB10:LREAL", (Area::Db, 1, 10, 0, Lreal, 0));
    means("DB1.DBB20:STRING[30]", (Area::Db, 1, 20, 0, String, 30));
    means("DB1,REAL10", (Area::Db, 1, 10, 0, Real, 0));
    means("DB1,X10.3", (Area::Db, 1, 10, 3, Bool, 0));
    means("DB1,STRING20.30", (Area::Db, 1, 20, 0, String, 30));
    means("DB1,STRING20", (Area::Db, 1, 20, 0, String, 254));
    means("DB 1, WSTRING 20.300", (Area::Db, 1, 20, 0, Wstring, 300));
    means("DB1,DT8", (Area::Db, 1, 8, 0, DateAndTime, 0));
    means("DB1,S5TIME8", (Area::Db, 1, 8, 0, S5time, 0));
    means("M10.3", (Area::Merker, 0, 10, 3, Bool, 0));
    means("MX10.3", (Area::Merker, 0, 10, 3, Bool, 0));
    means("MB10", (Area::Merker, 0, 10, 0, Byte, 0));
    means("MD10:DINT", (Area::Merker, 0, 10, 0, Dint, 0));
    means("M,DINT10", (Area::Merker, 0, 10, 0, Dint, 0));
    means("E0.1", (Area::Input, 0, 0, 1, Bool, 0));
    means("IW64", (Area::Input, 0, 64, 0, Word, 0));
    means("AW64:INT", (Area::Output, 0, 64, 0, Int, 0));
    means("Q0.7", (Area::Output, 0, 0, 7, Bool, 0));
    means("T5", (Area::Timer, 0, 5, 0, S5time, 0));
    means("Z5", (Area::Counter, 0, 5, 0, Bcd, 0));
}

#[test]
fn what_is_wrong_is_said() {
    let told = |text: &str| PointAddress::of_text(text).unwrap_err().to_string();
    for text in [
        "",
        "%",
        "DB",
        "DB1",
        "DB0.DBW2",
        "DB1.DBX10",
        "DB1.DBX10.8",
        "DB1.DBW",
        "M",
        "M10",
        "DB1.DBQ3",
        "DB99999.DBW0",
        "DB1.DBW2.1",
        "MW70000",
        "TW5",
        "T5.1",
        "X5",
        "DB1.DBB1.2",
        "温度",
        "DB1.DB温0",
    ] {
        let error = told(text);
        assert!(error.contains("expected is something like DB1.DBX10.3"), "{text}: {error}");
    }
    assert!(told("DB1.DBD10:RAEL").contains("there is no type RAEL"));
    assert!(told("DB1,FLOAT10").contains("there is no type FLOAT"));
    let size = told("DB1.DBW10:REAL");
    assert_eq!(size, "a REAL has 4 bytes, but DB1.DBW10 names 2; write it as DB1,REAL10");
    assert!(told("MD10:LREAL").ends_with("write it as M,LREAL10"));
    assert!(told("M10.3:REAL").contains("says bool and the type says real"));
    assert!(told("DB1,REAL10:DINT").contains("says real and the type says dint"));
    assert!(told("MW65535").contains("beyond byte 65535"));
    assert!(told("DB1,STRING0.255").contains("from 1 to 254"));
    assert!(told("DB1.DBD0:REAL[3]").contains("have a length"));
}

proptest! {
    #[test]
    fn no_text_panics(text in ".{0,40}", tail in "(DB1|M|I|T|DB1,)[.,:%A-Z0-9\\[\\]]{0,20}") {
        let _ = PointAddress::of_text(&text);
        let _ = PointAddress::of_text(&tail);
    }
}
