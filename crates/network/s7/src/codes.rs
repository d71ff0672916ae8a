//! Return codes and header errors in words, with what to do.

use weir_model::Quality;

use crate::Area;

/// The object, or a part of it, cannot be reached this way.
pub(crate) const ACCESS_DENIED: u8 = 0x03;
/// The address lies outside the object.
pub(crate) const OUT_OF_RANGE: u8 = 0x05;
/// The object does not exist.
pub(crate) const NO_OBJECT: u8 = 0x0A;

const OPTIMISED: &str = "in TIA Portal, switch off \"Optimized block access\" in the block's properties and download it again";
const PERMIT: &str = "in TIA Portal, allow \"Permit access with PUT/GET communication from remote partner\" under Protection & Security of the CPU, and look at its access level";

/// The return code of an item in words.
pub fn item_error_text(code: u8, area: Area) -> String {
    let is_db = area == Area::Db;
    let text = match code {
        0x01 => "hardware fault: the module failed; look at its diagnostics".to_owned(),
        ACCESS_DENIED if is_db => format!("access denied: {OPTIMISED}; and {PERMIT}"),
        ACCESS_DENIED => format!("access denied: {PERMIT}"),
        OUT_OF_RANGE if is_db => format!(
            "address out of range: the block is shorter; check byte and type. If it is long enough, {OPTIMISED}"
        ),
        OUT_OF_RANGE => "address out of range: the area is shorter; check byte and type".to_owned(),
        0x06 => "data type not supported: the device cannot read this area in this way".to_owned(),
        0x07 => "data type inconsistent: the item's length does not fit its type".to_owned(),
        NO_OBJECT if is_db => format!(
            "object does not exist: there is no such block in the CPU, or it is kept only in load memory; check its number. If it is there, {OPTIMISED}"
        ),
        NO_OBJECT => "object does not exist: the device has no such area".to_owned(),
        _ => "a return code that the protocol does not define; see the device's manual".to_owned(),
    };
    format!("{text} (return code {code:02X})")
}

/// The error of a whole request (class and code) in words.
pub fn header_error_text(error: u16) -> String {
    let text = match error {
        0x8104 => format!("the CPU does not offer this service: {PERMIT}"),
        0x8500 => {
            "the message is larger than the CPU takes; try a smaller pdu_bytes_max".to_owned()
        }
        0xD209 | 0xD20E => "no such block in the CPU".to_owned(),
        0xD401 | 0xD402 => "the CPU has no such system status list".to_owned(),
        0xD241 | 0xD602..=0xD605 => {
            "the CPU is protected; look at its access level and password".to_owned()
        }
        error => match error >> 8 {
            0x81 => "application relationship: the CPU does not offer this service".to_owned(),
            0x82 => "object definition: the CPU does not know this object".to_owned(),
            0x83 => "no resources: the CPU is busy; try a longer interval".to_owned(),
            0x84 => "service processing: the CPU cannot do it in its present state".to_owned(),
            0x85 => "supplies: the CPU does not take the request in this form".to_owned(),
            0x87 => format!("access: {PERMIT}"),
            _ => "an error that is not described; see the device's manual".to_owned(),
        },
    };
    format!("{text} (error {error:04X})")
}

/// Whether an error of a whole request concerns the service rather than what was asked for, so that asking for
/// less is of no use.
pub(crate) fn is_of_service(error: u16) -> bool {
    matches!(error >> 8, 0x81 | 0x83 | 0x84 | 0x87)
}

/// Whether asking for a part of what was asked for may bring that part.
pub(crate) fn is_of_extent(code: u8) -> bool {
    code != 0x01
}

/// Whether an item's code will stay until somebody changes the program or the address.
pub(crate) fn is_lasting(code: u8) -> bool {
    matches!(code, ACCESS_DENIED | OUT_OF_RANGE | 0x06 | 0x07 | NO_OBJECT)
}

/// What a point gets in the place of a value.
pub(crate) fn item_quality(code: u8) -> Quality {
    match code {
        OUT_OF_RANGE | NO_OBJECT => Quality::ADDRESS_UNKNOWN,
        ACCESS_DENIED | 0x06 | 0x07 => Quality::CONFIGURATION_ERROR,
        _ => Quality::DEVICE_FAILURE,
    }
}

/// What a point gets in the place of a value where the whole request was refused.
pub(crate) fn header_quality(error: u16) -> Quality {
    match error >> 8 {
        0x81 | 0x85 | 0x87 => Quality::CONFIGURATION_ERROR,
        0x82 => Quality::ADDRESS_UNKNOWN,
        _ => Quality::DEVICE_FAILURE,
    }
}
