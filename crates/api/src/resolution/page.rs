//! Pages for people: a record, what is said where there is none, and a field to search with. They
//! need no script, load nothing but the QR code from here, and say everything as text.

mod html;
mod values;
mod words;

use std::fmt::Write as _;
use std::sync::LazyLock;

use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use http::{HeaderMap, StatusCode, header};
use weir_gs1::resolve::{Accept, Answer};
use weir_gs1::{DigitalLink, Scheme, recognise};
use weir_handle::{DigestAlgorithm, HANDLE_BYTES_MAX, ResponseCode, Value, Version};

use super::ask::{self, Answered, Question};
use super::target::{self, Target};
use super::{CACHE_SECONDS_MAX, IdentifierState, handles, kept, qr, set, text_of};
use html::Escaped;
use words::Words;

const STYLE: &str = include_str!("page/style.css");

/// Most links of a thing that are shown.
const LINKS_MAX: usize = 200;

/// What a page may do: wear its own style, show the QR code from here, and ask here. The data of
/// links in a page of a thing is no script.
static POLICY: LazyLock<String> = LazyLock::new(|| {
    let digest = DigestAlgorithm::of(Version::CURRENT).digest(&[STYLE.as_bytes()]);
    format!(
        "default-src 'none'; style-src 'sha256-{}'; img-src 'self' data:; form-action 'self'; \
         base-uri 'none'; frame-ancestors 'none'",
        BASE64.encode(digest.as_bytes())
    )
});

/// What a client wants to see at the address of an identifier.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wanted {
    /// The page.
    Page,
    /// The record in JSON.
    Json,
    /// What the identifier leads to: a client that says nothing of what it takes, as the
    /// reference server has it.
    Target,
}

/// What a client wants, by the header `Accept`.
pub(super) fn wanted(headers: &HeaderMap) -> Wanted {
    if !headers.contains_key(header::ACCEPT) {
        return Wanted::Target;
    }
    let accept = Accept::parse(&text_of(headers, header::ACCEPT));
    match accept.quality("application/json") > accept.quality("text/html") {
        true => Wanted::Json,
        false => Wanted::Page,
    }
}

/// The page of an identifier, its JSON, or the way to where it leads.
pub(super) fn get(state: &IdentifierState, target: &Target<'_>, headers: &HeaderMap) -> Response {
    let handle = target::handle(target.path.strip_prefix('/').unwrap_or(target.path));
    let Some(handle) = handle.filter(|handle| handle.len() <= HANDLE_BYTES_MAX) else {
        let words = Words::of(target, headers);
        return broken(state, target, headers, words.broken);
    };
    let wanted = wanted(headers);
    if wanted == Wanted::Json {
        let mut response = handles::of_page(state, target, headers, &handle);
        set(&mut response, header::VARY, VARY);
        return response;
    }
    let answered = ask::resolve(state, &Question { handle: &handle, ..Question::default() });
    let answered = match answered {
        Ok(answered) => answered,
        Err(error) => return failed(state, target, headers, &error),
    };
    if wanted == Wanted::Target
        && let Some(response) = redirect(state, &answered)
    {
        return response;
    }
    record(state, target, headers, &handle, &answered)
}

/// What the pages of an identifier differ by.
const VARY: &str = "Accept, Accept-Language";

/// On to the first address that a record has.
fn redirect(state: &IdentifierState, answered: &Answered) -> Option<Response> {
    let list = answered.values.as_ref().filter(|_| answered.code == ResponseCode::Success)?.list();
    let leads = |value: &Value<'_>| {
        let text = std::str::from_utf8(value.data).ok().filter(|_| value.is(b"URL"))?;
        let address = html::web_address(text)?;
        // What is no ASCII is encoded as browsers do it; the rest was checked.
        Some(percent_encoding::utf8_percent_encode(address, percent_encoding::CONTROLS).to_string())
    };
    let (address, ttl) = list.iter().find_map(|value| Some((leads(&value)?, value.ttl)))?;
    let mut response = StatusCode::FOUND.into_response();
    set(&mut response, header::LOCATION, &address);
    set(&mut response, header::VARY, VARY);
    let seconds = ttl.seconds_at(i64::from(state.now().seconds())).min(CACHE_SECONDS_MAX);
    set(&mut response, header::CACHE_CONTROL, &format!("public, max-age={seconds}"));
    Some(response)
}

fn record(
    state: &IdentifierState,
    target: &Target<'_>,
    headers: &HeaderMap,
    handle: &str,
    answered: &Answered,
) -> Response {
    let words = Words::of(target, headers);
    let page = Page { state, target, headers, words, seconds: 0 };
    match answered.code {
        ResponseCode::Success => {}
        ResponseCode::ValuesNotFound => {
            let main = page.notice(handle, words.private, words.private_hint);
            return page.answer(StatusCode::OK, handle, &main);
        }
        ResponseCode::HandleNotFound => {
            return match ask::is_withdrawn(state, handle) {
                Ok(true) => withdrawn(state, target, headers, handle),
                Ok(false) => unknown(state, target, headers, handle),
                Err(error) => failed(state, target, headers, &error),
            };
        }
        ResponseCode::ServerNotResponsible => {
            let main = page.notice(handle, words.not_ours, words.not_ours_hint);
            return page.answer(StatusCode::NOT_FOUND, handle, &main);
        }
        ResponseCode::PrefixReferral | ResponseCode::ServiceReferral => {
            let mut main = page.notice(handle, words.elsewhere, words.elsewhere_hint);
            if let Some(values) = &answered.values {
                values::write(values.list().iter(), words, &mut main);
            }
            return page.answer(StatusCode::NOT_FOUND, handle, &main);
        }
        code => {
            let main = page.notice(handle, words.failed, &code.code().to_string());
            return page.answer(StatusCode::INTERNAL_SERVER_ERROR, handle, &main);
        }
    }
    let mut main = page.heading(handle);
    let mut seconds = 0;
    if let Some(values) = &answered.values {
        seconds = ask::seconds(state, values);
        values::write(values.list().iter(), words, &mut main);
    }
    let path = target::path(handle);
    let json = format!("/api/handles{path}?pretty");
    main.push_str(&picture(words, &path));
    let _ = write!(main, "<p class=\"faint\"><a href=\"{json}\">{}</a></p>", words.as_json);
    Page { seconds, ..page }.answer(StatusCode::OK, handle, &main)
}

/// The QR code of a path below the root.
fn picture(words: &Words, path: &str) -> String {
    let alt = words.qr;
    format!("<p class=\"picture\"><img src=\"/api/qr{path}?size=320\" alt=\"{alt}\"></p>")
}

/// The page of an identifier that nobody knows.
pub(super) fn unknown(
    state: &IdentifierState,
    target: &Target<'_>,
    headers: &HeaderMap,
    identifier: &str,
) -> Response {
    let page = Page::of(state, target, headers);
    let main = page.notice(identifier, page.words.unknown, page.words.unknown_hint);
    page.answer(StatusCode::NOT_FOUND, identifier, &main)
}

/// The page of an identifier that was withdrawn.
pub(super) fn withdrawn(
    state: &IdentifierState,
    target: &Target<'_>,
    headers: &HeaderMap,
    identifier: &str,
) -> Response {
    let page = Page::of(state, target, headers);
    let main = page.notice(identifier, page.words.withdrawn, page.words.withdrawn_hint);
    page.answer(StatusCode::GONE, identifier, &main)
}

/// The page of what is no identifier, with a sentence that says why.
pub(super) fn broken(
    state: &IdentifierState,
    target: &Target<'_>,
    headers: &HeaderMap,
    sentence: &str,
) -> Response {
    let page = Page::of(state, target, headers);
    let main = page.notice(page.words.broken, sentence, "");
    page.answer(StatusCode::BAD_REQUEST, page.words.broken, &main)
}

fn failed(
    state: &IdentifierState,
    target: &Target<'_>,
    headers: &HeaderMap,
    error: &weir_store::StoreError,
) -> Response {
    tracing::error!(%error, "a record could not be read");
    let page = Page::of(state, target, headers);
    let main = page.notice(page.words.failed, "", "");
    page.answer(StatusCode::INTERNAL_SERVER_ERROR, page.words.failed, &main)
}

/// The page of a thing with the links that an answer has, and the links as data for programs.
pub(super) fn links(
    state: &IdentifierState,
    target: &Target<'_>,
    headers: &HeaderMap,
    thing: &DigitalLink,
    answer: &Answer,
) -> Response {
    let page = Page::of(state, target, headers);
    let words = page.words;
    let title = thing.elements().to_string();
    let mut main = page.heading(&title);
    let Some(links) = answer.links() else { return unknown(state, target, headers, &title) };
    for (_, description) in links.descriptions().take(LINKS_MAX) {
        let _ = write!(main, "<p>{}</p>", Escaped(description));
    }
    let _ = write!(main, "<section class=\"card\"><h2>{}</h2><ul>", words.links);
    for (_, link) in links.links().take(LINKS_MAX) {
        let kind = link.link_type().short();
        let kind = words.kind(&kind).map(str::to_owned).unwrap_or(kind);
        let _ = write!(
            main,
            "<li><a href=\"{}\" rel=\"noopener noreferrer nofollow\">{}</a> <span class=\"faint\">{}",
            Escaped(link.href()),
            Escaped(link.title()),
            Escaped(&kind),
        );
        for language in link.languages() {
            let _ = write!(main, " · {}", Escaped(language));
        }
        main.push_str("</span></li>");
    }
    main.push_str("</ul></section>");
    main.push_str(&picture(words, &thing.path()));
    // Nothing in the data can end the element that it stands in.
    let data = links.json_ld().to_string().replace('<', "\\u003c");
    let _ = write!(main, "<script type=\"application/ld+json\">{data}</script>");
    let status = StatusCode::from_u16(answer.status()).unwrap_or(StatusCode::OK);
    page.answer(status, &title, &main)
}

/// The first page, or the way to the page of what was searched for.
pub(super) fn root(state: &IdentifierState, target: &Target<'_>, headers: &HeaderMap) -> Response {
    let page = Page::of(state, target, headers);
    let asked = target.first("q").map(str::trim).filter(|asked| !asked.is_empty());
    let mut main = String::new();
    if let Some(asked) = asked {
        if let Some(mut path) = destination(asked) {
            if let Some(lang) = target.first("lang").filter(|lang| matches!(*lang, "zh" | "en")) {
                let join = if path.contains('?') { '&' } else { '?' };
                let _ = write!(path, "{join}lang={lang}");
            }
            let mut response = StatusCode::SEE_OTHER.into_response();
            set(&mut response, header::LOCATION, &path);
            return response;
        }
        let shown = &asked[..asked.floor_char_boundary(200)];
        let words = page.words.not_recognised;
        let _ = write!(main, "<p>{words} <b>{}</b></p>", Escaped(shown));
    }
    let _ = write!(main, "<h1>{}</h1>{}", Escaped(state.name()), page.search(asked.unwrap_or("")));
    let status = if asked.is_some() { StatusCode::NOT_FOUND } else { StatusCode::OK };
    page.answer(status, state.name(), &main)
}

/// The page of what somebody typed or scanned; of a thing the page with its links, which goes
/// nowhere by itself.
fn destination(asked: &str) -> Option<String> {
    let seen = recognise(asked);
    let gs1 = seen.as_ref().filter(|seen| seen.scheme == Scheme::Gs1);
    let link = match gs1 {
        Some(seen) => DigitalLink::parse(&seen.normal).ok(),
        None => qr::bare(asked),
    };
    if let Some(link) = link {
        return Some(format!("{}?linkType=linkset", link.path()));
    }
    let handle = seen.and_then(|seen| seen.handle);
    let written = || asked.contains('/').then(|| asked.to_owned());
    let handle = handle.or_else(written).filter(|handle| handle.len() <= HANDLE_BYTES_MAX)?;
    (!handle.chars().any(char::is_control)).then(|| target::path(&handle))
}

/// One page.
struct Page<'a> {
    state: &'a IdentifierState,
    target: &'a Target<'a>,
    headers: &'a HeaderMap,
    words: &'static Words,
    /// For how many seconds it may be kept.
    seconds: u32,
}

impl<'a> Page<'a> {
    fn of(state: &'a IdentifierState, target: &'a Target<'a>, headers: &'a HeaderMap) -> Self {
        let words = Words::of(target, headers);
        Self { state, target, headers, words, seconds: 0 }
    }

    /// The identifier, and the system that it is of.
    fn heading(&self, identifier: &str) -> String {
        let scheme = match recognise(identifier).map(|seen| seen.scheme) {
            Some(Scheme::Industrial | Scheme::Vaa) => self.words.industrial,
            Some(scheme) => scheme.name(),
            None => self.words.identifier,
        };
        format!("<p class=\"tag\">{scheme}</p><h1>{}</h1>", Escaped(identifier))
    }

    /// What is said where there is no record to show, and a field to search for another.
    fn notice(&self, identifier: &str, says: &str, hint: &str) -> String {
        format!(
            "{}<section class=\"card\"><h2>{}</h2><p>{}</p></section>{}",
            self.heading(identifier),
            Escaped(says),
            Escaped(hint),
            self.search(""),
        )
    }

    fn search(&self, value: &str) -> String {
        let Words { tag, resolve, resolve_hint, identifier, .. } = self.words;
        let lang = &tag[..2];
        let value = Escaped(&value[..value.floor_char_boundary(HANDLE_BYTES_MAX)]);
        format!(
            "<form action=\"/\" method=\"get\" role=\"search\">\
             <input type=\"hidden\" name=\"lang\" value=\"{lang}\">\
             <input name=\"q\" value=\"{value}\" maxlength=\"{HANDLE_BYTES_MAX}\" \
             aria-label=\"{identifier}\" autocapitalize=\"off\" autocomplete=\"off\" \
             spellcheck=\"false\" required><button>{resolve}</button></form>\
             <p class=\"faint\">{resolve_hint}</p>"
        )
    }

    fn answer(&self, status: StatusCode, title: &str, main: &str) -> Response {
        let Words { tag, answered_by, .. } = self.words;
        let name = self.state.name();
        let of_thing = self.target.first("linkType") == Some("linkset");
        let more = if of_thing { "&amp;linkType=linkset" } else { "" };
        let body = format!(
            "<!DOCTYPE html>\n<html lang=\"{tag}\"><head><meta charset=\"utf-8\">\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
             <meta name=\"color-scheme\" content=\"light dark\">\
             <link rel=\"icon\" href=\"data:,\"><title>{title} · {name}</title>\
             <style>{STYLE}</style></head><body>\
             <header><a class=\"home\" href=\"/\">{name}</a>\
             <nav><a href=\"?lang=zh{more}\" lang=\"zh-CN\" hreflang=\"zh-CN\">中文</a>\
             <a href=\"?lang=en{more}\" lang=\"en\" hreflang=\"en\">English</a></nav></header>\
             <main>{main}</main>\
             <footer class=\"faint\">{answered_by} {name}</footer></body></html>\n",
            title = Escaped(title),
            name = Escaped(name),
        );
        let mut response = (status, body.clone()).into_response();
        set(&mut response, header::CONTENT_TYPE, "text/html; charset=utf-8");
        set(&mut response, header::CONTENT_SECURITY_POLICY, &POLICY);
        set(&mut response, header::CONTENT_LANGUAGE, tag);
        set(&mut response, header::VARY, VARY);
        match status {
            StatusCode::OK => kept(response, body.as_bytes(), self.seconds, self.headers),
            _ => response,
        }
    }
}
