//! What forms are made of: the pieces of [`crate::Driver::describe`].
//!
//! A description is a JSON object whose `settings` and `address` are JSON Schemas (draft 2020-12) of
//! objects. Beyond the standard's own words, a field may have
//!
//! - `x-title`, `x-description`: texts by BCP 47 tag, `en` and `zh-CN`;
//! - `x-enum-title`: texts of the choices of an `enum`, by choice and then by tag;
//! - `x-secret`: true for what is sealed at rest and never shown again;
//! - `x-advanced`: true for what most people leave alone;
//! - `x-when`: `{"field": [values]}`, the choices of another field for which this one matters;
//! - `x-trust`: true for the list of thumbprints of certificates that a person has reviewed;
//! - `x-own`: true for what is one device's own though its type may have the rest in common: its address, its name
//!   among others, who Weir is there. A template leaves it out, as it does secrets and reviewed certificates.
//!
//! `x-order` names the fields of an object in the order of the form.

use serde_json::{Value as Json, json};

/// Most certificates that one device trusts: the present one, its successor, and some spare.
pub const TRUSTED_MAX: usize = 16;

/// A field with its title and description, English and Chinese.
pub fn field(mut schema: Json, title: [&str; 2], description: [&str; 2]) -> Json {
    schema["title"] = title[0].into();
    schema["x-title"] = json!({"en": title[0], "zh-CN": title[1]});
    schema["description"] = description[0].into();
    schema["x-description"] = json!({"en": description[0], "zh-CN": description[1]});
    schema
}

/// A whole number within a range.
pub fn integer(from: u64, to: u64, default: u64) -> Json {
    json!({"type": "integer", "minimum": from, "maximum": to, "default": default})
}

/// A text of at most so many bytes.
pub fn text(bytes_max: usize) -> Json {
    json!({"type": "string", "minLength": 1, "maxLength": bytes_max})
}

/// One of several names, each with its title in English and Chinese.
pub fn choice(choices: &[(&str, [&str; 2])], default: &str) -> Json {
    let names: Vec<_> = choices.iter().map(|(name, _)| *name).collect();
    let titles: serde_json::Map<_, _> = choices
        .iter()
        .map(|(name, [en, zh])| ((*name).to_owned(), json!({"en": en, "zh-CN": zh})))
        .collect();
    json!({"enum": names, "default": default, "x-enum-title": titles})
}

/// Marks a field whose value is sealed at rest and never shown again.
pub fn secret(mut schema: Json) -> Json {
    schema["x-secret"] = true.into();
    schema
}

/// Marks a field that tells one device from others of its type: where it is, what it is called there, and who
/// Weir is to it.
pub fn own(mut schema: Json) -> Json {
    schema["x-own"] = true.into();
    schema
}

/// Marks a field that most people leave alone.
pub fn advanced(mut schema: Json) -> Json {
    schema["x-advanced"] = true.into();
    schema
}

/// Says for which choices of another field this one matters.
pub fn when(mut schema: Json, other: &str, choices: &[&str]) -> Json {
    schema["x-when"] = json!({other: choices});
    schema
}

/// The thumbprints of the certificates that a person has reviewed and trusts.
pub fn trusted() -> Json {
    let list = json!({
        "type": "array", "maxItems": TRUSTED_MAX, "default": [], "x-trust": true,
        "items": {"type": "string", "pattern": "^[0-9a-f]{64}$"},
    });
    field(
        list,
        ["Trusted certificates", "受信任的证书"],
        [
            "SHA-256 thumbprints of certificates that were reviewed; the device shows its own when it is tested",
            "经人工核对的证书的 SHA-256 指纹；测试连接时会显示设备出示的证书",
        ],
    )
}

/// Whether a reviewed certificate is also accepted outside of its validity.
pub fn accept_expired() -> Json {
    field(
        advanced(json!({"type": "boolean", "default": false})),
        ["Accept expired certificates", "接受过期证书"],
        [
            "Also connect when the certificate was reviewed but is outside of its validity",
            "证书虽经核对但不在有效期内时，仍然连接",
        ],
    )
}

/// The whole description of a protocol.
pub fn description(title: [&str; 2], settings: Json, address: Json) -> Json {
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": title[0],
        "x-title": {"en": title[0], "zh-CN": title[1]},
        "settings": settings,
        "address": address,
    })
}
