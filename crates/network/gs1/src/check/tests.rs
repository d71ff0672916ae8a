use super::*;

/// The weighted sum written out as the General Specifications print it, position by position.
fn sum_of(digits: &[u32]) -> u32 {
    let weighted = digits.iter().rev().enumerate();
    weighted.map(|(at, digit)| digit * if at % 2 == 0 { 1 } else { 3 }).sum()
}

#[test]
fn every_check_digit_makes_the_weighted_sum_a_multiple_of_ten_and_no_other_digit_does() {
    for number in 0..100_000_u32 {
        let body = format!("{number:05}");
        let right = digit(&body).unwrap();
        for last in '0'..='9' {
            let whole: Vec<u32> =
                body.chars().chain([last]).map(|digit| digit.to_digit(10).unwrap()).collect();
            assert_eq!(sum_of(&whole).is_multiple_of(10), last == right, "{body}{last}");
        }
    }
}

#[test]
fn check_digits_of_the_standard() {
    for whole in [
        "6291041500213",
        "376104250021234569",
        "9506000134352",
        "09506000134352",
        "95060002",
        "106141411234567897",
    ] {
        let (body, last) = whole.split_at(whole.len() - 1);
        assert_eq!(digit(body).unwrap().to_string(), last, "{whole}");
    }
    assert_eq!(digit(""), None);
    assert_eq!(digit("12a"), None);
}

#[test]
fn check_pairs_of_the_standard_and_of_the_syntax_dictionary() {
    for whole in [
        "22",
        "!22",
        "!!22",
        "1987654Ad4X4bL5ttr2310c2K",
        "12345678901234567890123NT",
        "12345_ABCDEFGHIJKLMCP",
        "12345_NOPQRSTUVWXYZDN",
        "12345_abcdefghijklmN3",
        "12345_nopqrstuvwxyzP2",
        "12345_!\"%&'()*+,-./LC",
        "12345_0123456789:;<=>?62",
        "7907665Bm8v2AB",
        "97850l6KZm0yCD",
        "225803106GSpEF",
        "149512464PM+GH",
        "62577B8fRG7HJK",
        "23956qk1&dB!23",
        "99999zzzzzzzzzzzzzzzzzzT2",
    ] {
        let (body, last) = whole.split_at(whole.len() - 2);
        assert_eq!(pair(body).unwrap(), last, "{whole}");
    }
    assert_eq!(pair("a b"), None);
    assert_eq!(pair(&"1".repeat(98)), None);
}

#[test]
fn a_pair_notices_every_single_changed_character() {
    let body = "1987654Ad4X4bL5ttr2310c";
    for at in 0..body.len() {
        for other in SET82.iter().map(|byte| char::from(*byte)) {
            let mut changed: Vec<char> = body.chars().collect();
            changed[at] = other;
            let changed: String = changed.into_iter().collect();
            assert_eq!(pair(&changed) == pair(body), changed == body);
        }
    }
}

#[test]
fn ibans_of_the_registry_hold_and_their_neighbours_do_not() {
    for iban in ["GB82WEST12345698765432", "DE89370400440532013000", "FR1420041010050500013M02606"]
    {
        assert!(iban_holds(iban), "{iban}");
        let last = if iban.ends_with('0') { "1" } else { "0" };
        assert!(!iban_holds(&format!("{}{last}", &iban[..iban.len() - 1])));
    }
    assert!(!iban_holds("GB82"));
    assert!(!iban_holds("gb82WEST12345698765432"));
}
