//! The inside of North American coupon codes: (8110) of the coupon guideline for GS1 DataBar, and (8112)
//! of the positive offer file. Fields follow each other, many with their length in the digit before.

use super::{Fault, calendar};

/// Whether digits are a coupon code of (8110).
pub(super) fn is_coupon(part: &str) -> Result<(), Fault> {
    let mut fields = Fields::of(part)?;
    fields.sized("the funder's company prefix", 0..=6, 6)?;
    fields.take("the offer code", 6)?;
    fields.sized("the save value", 1..=5, 0)?;
    fields.purchase("the first purchase")?;
    if fields.option('1') {
        fields.choice("the rules of further purchases", "0123")?;
        fields.purchase("the second purchase")?;
        fields.prefix_or_none("the second purchase's company prefix")?;
    }
    if fields.option('2') {
        fields.purchase("the third purchase")?;
        fields.prefix_or_none("the third purchase's company prefix")?;
    }
    let expires = if fields.option('3') { Some(fields.date("the expiry date")?) } else { None };
    if fields.option('4') {
        let starts = fields.date("the start date")?;
        if expires.is_some_and(|expires| expires < starts) {
            return Err(Fault::Rule("expires before it starts"));
        }
    }
    if fields.option('5') {
        fields.sized("the serial number", 0..=9, 6)?;
    }
    if fields.option('6') {
        fields.sized("the retailer", 1..=7, 6)?;
    }
    if fields.option('9') {
        fields.choice("the save value code", "01256")?;
        fields.choice("the item that the value applies to", "012")?;
        fields.take("the store coupon flag", 1)?;
        fields.choice("the do-not-multiply flag", "01")?;
    }
    fields.end()
}

/// Whether digits are an offer of (8112).
pub(super) fn is_offer(part: &str) -> Result<(), Fault> {
    let mut fields = Fields::of(part)?;
    fields.choice("the format", "01")?;
    fields.sized("the funder", 0..=6, 6)?;
    fields.take("the offer code", 6)?;
    fields.sized("the serial number", 0..=9, 6)?;
    fields.end()
}

struct Fields<'a> {
    rest: &'a str,
}

impl<'a> Fields<'a> {
    fn of(part: &'a str) -> Result<Fields<'a>, Fault> {
        match part.chars().find(|character| !character.is_ascii_digit()) {
            Some(other) => Err(Fault::Character(other, "digits")),
            None => Ok(Fields { rest: part }),
        }
    }

    /// The next `length` digits of a field.
    fn take(&mut self, field: &'static str, length: usize) -> Result<&'a str, Fault> {
        let (taken, rest) = self.rest.split_at_checked(length).ok_or(Fault::FieldCutOff(field))?;
        self.rest = rest;
        Ok(taken)
    }

    /// A digit of a set.
    fn choice(&mut self, field: &'static str, set: &str) -> Result<(), Fault> {
        let digit = self.take(field, 1)?;
        if set.contains(digit) { Ok(()) } else { Err(Fault::Field(field)) }
    }

    /// A digit that gives the length, less `base`, and the digits that it announces.
    fn sized(
        &mut self,
        field: &'static str,
        lengths: std::ops::RangeInclusive<u8>,
        base: usize,
    ) -> Result<(), Fault> {
        let length = self.take(field, 1)?.bytes().next().map_or(0, |digit| digit - b'0');
        if !lengths.contains(&length) {
            return Err(Fault::Field(field));
        }
        self.take(field, usize::from(length) + base).map(drop)
    }

    fn purchase(&mut self, field: &'static str) -> Result<(), Fault> {
        self.sized(field, 1..=5, 0)?;
        self.choice(field, "012349")?;
        self.take(field, 3).map(drop)
    }

    /// A company prefix with its length, or 9 for the same as the first.
    fn prefix_or_none(&mut self, field: &'static str) -> Result<(), Fault> {
        if self.option('9') { Ok(()) } else { self.sized(field, 0..=6, 6) }
    }

    fn date(&mut self, field: &'static str) -> Result<&'a str, Fault> {
        let date = self.take(field, 6)?;
        match calendar::is_date(date, false, false) {
            true => Ok(date),
            false => Err(Fault::Rule("has a date that is no day")),
        }
    }

    /// Whether the next digit announces an optional field, and past it.
    fn option(&mut self, mark: char) -> bool {
        let rest = self.rest.strip_prefix(mark);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    fn end(&self) -> Result<(), Fault> {
        if self.rest.is_empty() { Ok(()) } else { Err(Fault::Rule("goes on after its last field")) }
    }
}
