use expect_test::{Expect, expect};

use super::*;

fn check(code: &str, value: &str, expected: Expect) {
    let fault = check_value(Ai::find(code).unwrap(), value).map_err(|fault| fault.to_string());
    expected.assert_eq(&fault.err().unwrap_or_default());
}

#[test]
fn values_that_fit() {
    for (code, value) in [
        ("00", "106141411234567897"),
        ("01", "09506000134352"),
        ("10", "ABC-1_2/3"),
        ("17", "261200"),
        ("253", "9506000134369"),
        ("253", "9506000134369A/1"),
        ("3103", "000189"),
        ("3932", "1561250"),
        ("421", "156100000"),
        ("423", "156"),
        ("423", "156276840"),
        ("4309", "12345678903234567890"),
        ("4330", "002500-"),
        ("4330", "002500"),
        ("4300", "%E5%8C%97"),
        ("7003", "2612312359"),
        ("7007", "261201"),
        ("7007", "261201261231"),
        ("7011", "261231"),
        ("7011", "2612312359"),
        ("7040", "1ABC"),
        ("7041", "8"),
        ("7241", "01"),
        ("7250", "20000229"),
        ("7258", "2/3"),
        ("8001", "00010000100190"),
        ("8003", "09506000134352ABC"),
        ("8006", "095060001343520102"),
        ("8007", "GB82WEST12345698765432"),
        ("8008", "26123123"),
        ("8008", "261231235959"),
        ("8010", "9506000#-/A"),
        ("8013", "1987654Ad4X4bL5ttr2310c2K"),
        ("8030", "-_AZ09=="),
        ("8112", "001234561234560123456"),
        ("99", "!\"%&'()*+,-./:;<=>?_"),
    ] {
        check(code, value, expect![""]);
    }
}

#[test]
fn coupons_of_the_syntax_dictionary() {
    for whole in [
        "012345612345611110123",
        "012345612345611110123101101230123456",
        "0123456123456111101231011012361234567890123".get(..42).unwrap(),
        "012345612345611110123101101239",
        "01234561234561111012321101230123456",
        "01234561234561111012321101239",
    ] {
        check("8110", whole, expect![""]);
    }
    for broken in [
        "0123456123456",
        "712345678901231234561111012",
        "01234561234561111012310110123912",
        "0123456123456111101233",
        "012345612345611110123326123142701",
        "012345612345611110123326013142701011",
    ] {
        assert!(fault_in(Ai::find("8110").unwrap(), broken).is_err(), "{broken}");
    }
}

#[test]
fn messages_say_what_would_be_right() {
    check(
        "01",
        "09506000134353",
        expect![
            "the value “09506000134353” of (01) GTIN has the check digit 3, and 2 would be right"
        ],
    );
    check(
        "01",
        "9506000134352",
        expect!["the value “9506000134352” of (01) GTIN is shorter than 14 characters"],
    );
    check(
        "8013",
        "1987654Ad4X4bL5ttr2310cXK",
        expect![
            "the value “1987654Ad4X4bL5ttr2310cXK” of (8013) GMN does not end in its check characters, which are 2K"
        ],
    );
    check(
        "10",
        "A B",
        expect![
            "the value “A B” of (10) BATCH/LOT has the character “ ” where only the 82 characters of GS1 (no space, no #, $, @, [, \\ or the like) may stand"
        ],
    );
    check(
        "10",
        "A中",
        expect![
            "the value “A中” of (10) BATCH/LOT has the character “中” where only plain ASCII characters may stand"
        ],
    );
    check(
        "10",
        "123456789012345678901",
        expect!["the value “123456789012345678901” of (10) BATCH/LOT is longer than 20 characters"],
    );
    check(
        "17",
        "261332",
        expect![
            "the value “261332” of (17) USE BY or EXPIRY has no such day; 00 stands for the month's last"
        ],
    );
    check(
        "7003",
        "2612002359",
        expect!["the value “2612002359” of (7003) EXPIRY TIME has no such day"],
    );
    check(
        "422",
        "999",
        expect!["the value “999” of (422) ORIGIN has no such country code of ISO 3166"],
    );
    check("3932", "9991250", expect![""]);
    check(
        "3932",
        "0001250",
        expect!["the value “0001250” of (3932) PRICE has no such currency code of ISO 4217"],
    );
    check(
        "8006",
        "095060001343520302",
        expect!["the value “095060001343520302” of (8006) ITIP counts more pieces than the total"],
    );
    check(
        "8003",
        "19506000134352",
        expect!["the value “19506000134352” of (8003) GRAI does not begin with the filler 0"],
    );
    check(
        "401",
        "ABC",
        expect![
            "the value “ABC” of (401) GINC does not begin with a GS1 company prefix of four digits or more"
        ],
    );
    check(
        "8110",
        "0123456",
        expect!["the value “0123456” of (8110) COUPON ends within the offer code"],
    );
}

#[test]
fn days_are_those_of_the_calendar() {
    use calendar::is_date;
    for year in 0..100_u32 {
        for month in 0..14_u32 {
            for day in 0..33_u32 {
                let full = 2000 + year;
                let last = match month {
                    1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
                    4 | 6 | 9 | 11 => 30,
                    2 => 28 + u32::from((full % 4 == 0 && full % 100 != 0) || full % 400 == 0),
                    _ => 0,
                };
                let real = last > 0 && (1..=last).contains(&day);
                let digits = format!("{year:02}{month:02}{day:02}");
                assert_eq!(is_date(&digits, false, false), real, "{digits}");
                assert_eq!(
                    is_date(&digits, false, true),
                    real || (last > 0 && day == 0),
                    "{digits}"
                );
                assert_eq!(is_date(&format!("20{digits}"), true, false), real, "{digits}");
            }
        }
    }
    assert!(!is_date("19000229", true, false));
}
