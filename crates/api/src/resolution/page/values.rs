//! Values in words.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use weir_handle::trust::Jws;
use weir_handle::{PublicKey, Reference, Ttl, Value, ValueData};
use weir_model::Timestamp;

use super::html::{Escaped, mailbox, web_address};
use super::words::Words;
use crate::resolution::target;

/// Most bytes of a value's data that are shown; the JSON has them all.
const DATA_BYTES_MAX: usize = 2_048;

/// Most values that are shown, and most entries of a list in one of them.
const VALUES_MAX: usize = 100;

/// Writes values: first those for people, then those for programs, which are folded away.
pub(super) fn write<'a>(values: impl Iterator<Item = Value<'a>>, words: &Words, out: &mut String) {
    let (mut shown, mut rest, mut of_people) = (0, 0, false);
    let mut technical = String::new();
    for value in values {
        if shown == VALUES_MAX {
            rest += 1;
            continue;
        }
        shown += 1;
        let of_protocol = value.kind.get(..3).is_some_and(|kind| kind.eq_ignore_ascii_case(b"HS_"));
        of_people |= !of_protocol;
        card(&value, words, if of_protocol { &mut technical } else { out });
    }
    if rest > 0 {
        let _ = write!(out, "<p class=\"faint\">{rest} {}</p>", words.more_values);
    }
    if !technical.is_empty() {
        // Where there is nothing else to read, it is not folded away.
        let open = if of_people { "" } else { " open" };
        let summary = words.technical;
        let _ = write!(out, "<details{open}><summary>{summary}</summary>{technical}</details>");
    }
}

fn card(value: &Value<'_>, words: &Words, out: &mut String) {
    let kind = String::from_utf8_lossy(value.kind);
    let kind = shortened(&kind).0;
    out.push_str("<section class=\"card\"><h2>");
    match words.kind(kind) {
        Some(name) => {
            let _ = write!(out, "{name} <span class=\"faint\">{}", Escaped(kind));
        }
        None => {
            let _ = write!(out, "{} <span class=\"faint\">", Escaped(kind));
        }
    }
    let _ = write!(out, " · {} {}</span></h2>", words.index, value.index);
    data(value, words, out);
    out.push_str("<p class=\"faint\">");
    if value.timestamp > 0 {
        let _ = write!(out, "{} {} · ", words.changed, time(i64::from(value.timestamp)));
    }
    let _ = match value.ttl {
        Ttl::Absolute(until) => write!(out, "{} {}", words.until, time(i64::from(until))),
        ttl => write!(out, "{} {}", words.keep, words.span(ttl.seconds_at(0))),
    };
    if !value.references.is_empty() {
        let _ = write!(out, " · {} ", words.see_also);
        let references = value.references.iter().take(VALUES_MAX);
        for (at, reference) in references.enumerate() {
            out.push_str(if at == 0 { "" } else { ", " });
            link(&reference, out);
        }
    }
    out.push_str("</p></section>");
}

fn data(value: &Value<'_>, words: &Words, out: &mut String) {
    match ValueData::of(value) {
        Ok(ValueData::Admin(admin)) => {
            let _ = write!(out, "<p class=\"data\">{} ", words.may_change);
            link(&admin.user, out);
            let _ = write!(out, " <code>{:012b}</code></p>", admin.permissions.0);
        }
        Ok(ValueData::ValueList(list)) => {
            let _ = write!(out, "<div class=\"data\">{}<ul>", words.group);
            for reference in list.iter().take(VALUES_MAX) {
                out.push_str("<li>");
                link(&reference, out);
                out.push_str("</li>");
            }
            out.push_str("</ul></div>");
        }
        Ok(ValueData::Site(site)) => {
            out.push_str("<div class=\"data\"><ul>");
            for server in site.servers.iter().take(VALUES_MAX) {
                let _ = write!(out, "<li>{} <code>{}</code>", words.server, server.ip());
                for interface in server.interfaces.iter().take(VALUES_MAX) {
                    let name = format!("{:?}", interface.transport).to_uppercase();
                    let _ = write!(out, " · {} {}", Escaped(&name), interface.port);
                }
                out.push_str("</li>");
            }
            out.push_str("</ul></div>");
        }
        Ok(ValueData::PublicKey(key)) => {
            let _ = write!(out, "<p class=\"data\">{} {}</p>", words.key, algorithm(&key));
        }
        Ok(ValueData::Alias(handle) | ValueData::Service(handle)) => {
            out.push_str("<p class=\"data\">");
            link_to(&String::from_utf8_lossy(handle), None, out);
            out.push_str("</p>");
        }
        Ok(ValueData::Signature(jws) | ValueData::Certificate(jws)) => signature(jws, words, out),
        _ => text(value.data, words, out),
    }
}

/// Who signed, as the signature itself says; whether it holds is for whoever knows whom to trust.
fn signature(jws: &[u8], words: &Words, out: &mut String) {
    let Ok(read) = Jws::read(jws) else { return text(jws, words, out) };
    let _ = write!(out, "<p class=\"data\">{} ", words.signed_by);
    let issuer = Reference::parse(&read.claims.iss);
    link(&issuer, out);
    if let Some(until) = read.claims.exp {
        let _ = write!(out, ", {} {}", words.until, time(until));
    }
    out.push_str("</p>");
}

fn text(data: &[u8], words: &Words, out: &mut String) {
    if data.is_empty() {
        let _ = write!(out, "<p class=\"data faint\">{}</p>", words.empty);
        return;
    }
    let Ok(whole) = std::str::from_utf8(data) else {
        let front = BASE64.encode(&data[..data.len().min(DATA_BYTES_MAX)]);
        let _ = write!(
            out,
            "<p class=\"data\">{} {}<br><code>{front}</code></p>",
            data.len(),
            words.bytes
        );
        cut(data.len() > DATA_BYTES_MAX, words, out);
        return;
    };
    let (shown, is_cut) = shortened(whole);
    let shown_text = Escaped(shown);
    let _ = match (web_address(whole).filter(|_| !is_cut), mailbox(whole)) {
        (Some(_), _) => write!(
            out,
            "<p class=\"data\"><a href=\"{shown_text}\" rel=\"noopener noreferrer nofollow\">{shown_text}</a></p>"
        ),
        (_, Some(_)) => {
            write!(out, "<p class=\"data\"><a href=\"mailto:{shown_text}\">{shown_text}</a></p>")
        }
        _ => write!(out, "<p class=\"data\">{shown_text}</p>"),
    };
    cut(is_cut, words, out);
}

fn cut(is_cut: bool, words: &Words, out: &mut String) {
    if is_cut {
        let _ = write!(out, "<p class=\"faint\">{}</p>", words.cut);
    }
}

/// The front of a text, and whether that is not all of it.
fn shortened(text: &str) -> (&str, bool) {
    let end = text.floor_char_boundary(DATA_BYTES_MAX);
    (&text[..end], end < text.len())
}

fn link(reference: &Reference<'_>, out: &mut String) {
    link_to(&String::from_utf8_lossy(reference.handle), Some(reference.index), out);
}

/// Links to the page of a handle.
fn link_to(handle: &str, index: Option<i32>, out: &mut String) {
    let (shown, is_cut) = shortened(handle);
    let index = index.map(|index| format!("{index}:")).unwrap_or_default();
    let shown_text = Escaped(shown);
    let _ = match is_cut || shown.is_empty() {
        true => write!(out, "{index}{shown_text}"),
        false => {
            write!(out, "<a href=\"{}\">{index}{shown_text}</a>", target::path(shown))
        }
    };
}

fn algorithm(key: &PublicKey<'_>) -> String {
    match key {
        // A zero in front is the sign of the number.
        PublicKey::Rsa { n, .. } => {
            let bytes = n.iter().position(|byte| *byte != 0).map_or(0, |zeros| n.len() - zeros);
            format!("RSA {}", bytes * 8)
        }
        PublicKey::Dsa { .. } => "DSA".to_owned(),
        PublicKey::DiffieHellman { .. } => "DH".to_owned(),
        PublicKey::Ed25519(_) => "Ed25519".to_owned(),
        PublicKey::Sm2(_) => "SM2".to_owned(),
        PublicKey::Other { kind, .. } => {
            Escaped(shortened(&String::from_utf8_lossy(kind)).0).to_string()
        }
    }
}

/// An instant, for people and for programs.
pub(super) fn time(second: i64) -> String {
    let nanos = second.saturating_mul(1_000_000_000);
    let exact = Timestamp::from_nanos(nanos).to_string();
    let (date, clock) = exact.split_once('T').unwrap_or((&exact, ""));
    let clock = clock.get(..8).unwrap_or(clock);
    format!("<time datetime=\"{exact}\">{date} {clock} UTC</time>")
}
