//! Numbers in text.

/// The integer at the front of the bytes and how many bytes it has: a sign if it has one, then 1 to 19
/// digits. None where there is no integer or it does not fit.
pub(crate) fn integer(bytes: &[u8]) -> Option<(i64, usize)> {
    let (negative, start) = match bytes.first()? {
        b'-' => (true, 1),
        b'+' => (false, 1),
        _ => (false, 0),
    };
    let (magnitude, digits) = digits(&bytes[start..])?;
    let number = if negative {
        0i64.checked_sub_unsigned(magnitude)?
    } else {
        i64::try_from(magnitude).ok()?
    };
    Some((number, start + digits))
}

/// The digits at the front of the bytes, at least one and at most 20, as a number.
pub(crate) fn digits(bytes: &[u8]) -> Option<(u64, usize)> {
    let mut at = 0;
    let mut number = 0u64;
    // Two steps of eight digits are what a time in nanoseconds has, less three.
    while at < 16
        && let Some(eight) =
            bytes.get(at..).and_then(|rest| rest.first_chunk::<8>()).and_then(eight)
    {
        number = number * 100_000_000 + eight;
        at += 8;
    }
    while let Some(digit) =
        bytes.get(at).map(|byte| byte.wrapping_sub(b'0')).filter(|digit| *digit < 10)
    {
        number = number.checked_mul(10)?.checked_add(u64::from(digit))?;
        at += 1;
        if at > 20 {
            return None;
        }
    }
    (at > 0).then_some((number, at))
}

/// Eight digits as a number, all at once (Lemire, "Quickly parsing eight digits", 2018).
fn eight(bytes: &[u8; 8]) -> Option<u64> {
    let word = u64::from_le_bytes(*bytes);
    let below = word.wrapping_sub(0x3030_3030_3030_3030);
    let above = word.wrapping_add(0x4646_4646_4646_4646);
    if (below | above) & 0x8080_8080_8080_8080 != 0 {
        return None;
    }
    let pairs = below.wrapping_mul(10).wrapping_add(below >> 8);
    let low = (pairs & 0x0000_00FF_0000_00FF).wrapping_mul(0x000F_4240_0000_0064);
    let high = (pairs >> 16 & 0x0000_00FF_0000_00FF).wrapping_mul(0x0000_2710_0000_0001);
    Some(low.wrapping_add(high) >> 32)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_no_integer() {
        for wrong in [
            "",
            "-",
            "+",
            "x",
            "9223372036854775808",
            "-9223372036854775809",
            "99999999999999999999",
            "999999999999999999999",
        ] {
            assert_eq!(integer(wrong.as_bytes()), None, "{wrong}");
        }
        assert_eq!(integer(b"-9223372036854775808"), Some((i64::MIN, 20)));
        assert_eq!(integer(b"00000000000000000007x"), Some((7, 20)));
    }

    proptest! {
        #[test]
        fn integers_are_read_as_the_library_reads_them(x in any::<i64>(), behind in "[ ,\n]?") {
            let text = x.to_string();
            let whole = format!("{text}{behind}");
            prop_assert_eq!(integer(whole.as_bytes()), Some((x, text.len())));
        }

        #[test]
        fn any_bytes(bytes in prop::collection::vec(any::<u8>(), 0..30)) {
            if let Some((number, used)) = integer(&bytes) {
                let text = std::str::from_utf8(&bytes[..used]).unwrap();
                prop_assert_eq!(text.parse::<i64>(), Ok(number));
            }
        }
    }
}
