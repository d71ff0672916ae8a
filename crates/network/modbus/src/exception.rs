//! Exception codes (Modbus Application Protocol 1.1b3, section 7) in words.

use weir_model::Quality;

/// The name of an exception code.
pub fn exception_name(code: u8) -> &'static str {
    match code {
        0x01 => "illegal function",
        0x02 => "illegal data address",
        0x03 => "illegal data value",
        0x04 => "server device failure",
        0x05 => "acknowledge",
        0x06 => "server device busy",
        0x07 => "negative acknowledge",
        0x08 => "memory parity error",
        0x0A => "gateway path unavailable",
        0x0B => "gateway target device failed to respond",
        _ => "an exception that the protocol does not define",
    }
}

/// What to do about an exception code.
pub fn exception_remedy(code: u8) -> &'static str {
    match code {
        0x01 => "the device does not know this function; choose another table",
        0x02 => "the device has no such address; check table, address and type",
        0x03 => "the device does not take this length or value; try a smaller registers_max",
        0x04 => "the device failed while doing it; look at the device itself",
        0x05 => "the device is still at it; try a longer interval",
        0x06 => "the device is busy; try a longer interval",
        0x07 => "the device cannot do it now; look at the device itself",
        0x08 => "the device's memory is damaged; look at the device itself",
        0x0A => "the gateway has no way to this unit; check the unit and the gateway's settings",
        0x0B => "the unit behind the gateway does not answer; check its power, wiring and number",
        _ => "see the device's manual",
    }
}

/// What a point gets in the place of a value.
pub(crate) fn exception_quality(code: u8) -> Quality {
    match code {
        0x02 => Quality::ADDRESS_UNKNOWN,
        0x01 | 0x03 => Quality::CONFIGURATION_ERROR,
        0x0A | 0x0B => Quality::NO_COMMUNICATION,
        _ => Quality::DEVICE_FAILURE,
    }
}

/// Name, code and remedy in one sentence.
pub(crate) fn exception_text(code: u8) -> String {
    format!("{} (exception {code:02X}): {}", exception_name(code), exception_remedy(code))
}
