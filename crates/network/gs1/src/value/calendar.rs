//! Dates as application identifiers write them (General Specifications, section 7.12).

/// Whether digits are a date: `YYMMDD`, or `YYYYMMDD` with the century. Day 00 is the last of the month
/// where a rule allows it.
///
/// Which century two digits of a year mean moves with the current year and is no matter here: every
/// year that is a multiple of four from 2000 to 2099 is a leap year, and of 1951 to 1999 too.
pub(crate) fn is_date(digits: &str, century: bool, day_zero: bool) -> bool {
    let (year, rest) = match digits.split_at_checked(if century { 4 } else { 2 }) {
        Some((year, rest)) if rest.len() == 4 => (year, rest),
        _ => return false,
    };
    let (Ok(year), Ok(month), Ok(day)) =
        (year.parse::<u16>(), rest[..2].parse::<u8>(), rest[2..].parse::<u8>())
    else {
        return false;
    };
    let leap = year % 4 == 0 && (!century || year % 100 != 0 || year % 400 == 0);
    let days = match month {
        2 if leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => return false,
    };
    day <= days && (day > 0 || day_zero)
}
