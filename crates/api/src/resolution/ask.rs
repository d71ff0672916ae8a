//! Asks the authority as a client of the protocol would, so that every surface says the same.

use weir_handle::{
    Answer, Draft, Envelope, Flags, Header, List, Message, OpCode, Request, ResponseCode,
};
use weir_resolver::{Read, Told, Values};
use weir_store::StoreError;

use super::IdentifierState;

/// Which values of a handle are asked for; all if both lists are empty.
#[derive(Debug, Default)]
pub(super) struct Question<'a> {
    pub(super) handle: &'a str,
    pub(super) indexes: Vec<i32>,
    pub(super) types: Vec<&'a str>,
    /// Whether what is private is no answer rather than left out.
    pub(super) with_private: bool,
}

/// What is answered.
#[derive(Debug)]
pub(super) struct Answered {
    pub(super) code: ResponseCode,
    /// Words for people, if there are any.
    pub(super) message: Option<String>,
    /// Values of the handle, or those that say who has its prefix.
    pub(super) values: Option<Values>,
}

/// Asks for values of a handle.
///
/// # Errors
/// [`StoreError`].
pub(super) fn resolve(
    state: &IdentifierState,
    question: &Question<'_>,
) -> Result<Answered, StoreError> {
    let Question { handle, indexes, types, with_private } = question;
    let types: Vec<&[u8]> = types.iter().map(|kind| kind.as_bytes()).collect();
    let (mut first, mut second) = (Vec::new(), Vec::new());
    let request = Request::Resolution {
        handle: handle.as_bytes(),
        indexes: List::build(indexes, &mut first),
        types: List::build(&types, &mut second),
    };
    let flags = if *with_private { Flags::default() } else { Flags::PUBL };
    ask(state, OpCode::Resolution, flags, &request, |message| {
        let code = message.header.response;
        let response = message.response().map(|response| response.answer);
        let (words, values) = match response {
            Ok(Answer::Resolution { values, .. }) => (None, Some(values)),
            Ok(Answer::Referral { values, .. }) => (None, values),
            Ok(Answer::Failed { message }) => (message, None),
            _ => (None, None),
        };
        let words = words.filter(|words| !words.is_empty());
        Answered {
            code,
            message: words.map(|words| String::from_utf8_lossy(words).into_owned()),
            values: values.map(|values| Values::of_list(&values)),
        }
    })
    .map(|answered| {
        // What is not answered at once is a challenge, which nobody can meet here.
        let code = ResponseCode::AuthenticationNeeded;
        answered.unwrap_or(Answered { code, message: None, values: None })
    })
}

/// The site record of this server, in its JSON form.
///
/// # Errors
/// [`StoreError`].
pub(super) fn site(state: &IdentifierState) -> Result<Option<weir_handle::json::Site>, StoreError> {
    let request = Request::GetSiteInfo { handle: b"/" };
    let site = ask(state, OpCode::GetSiteInfo, Flags::default(), &request, |message| match message
        .response()
        .map(|response| response.answer)
    {
        Ok(Answer::SiteInfo(site)) => weir_handle::json::Site::of(&site),
        _ => None,
    });
    site.map(Option::flatten)
}

/// Whether there was a record of a handle, and it was withdrawn.
///
/// # Errors
/// [`StoreError`].
pub(super) fn is_withdrawn(state: &IdentifierState, handle: &str) -> Result<bool, StoreError> {
    let registry = state.authority().registry();
    let told = registry.store().read(|snap| registry.tell(snap, handle))?;
    Ok(matches!(told, Told::Withdrawn { .. }))
}

/// Asks, and reads the answer where it was written; none if it needs more than a look.
fn ask<T>(
    state: &IdentifierState,
    op: OpCode,
    flags: Flags,
    request: &Request<'_>,
    read: impl FnOnce(&Message<'_>) -> T,
) -> Result<Option<T>, StoreError> {
    let now = state.now().seconds();
    let mut asked = Vec::new();
    let mut draft =
        Draft::begin(&mut asked, &Envelope::request(1), &Header::request(op, flags, now));
    request.encode(draft.body());
    draft.finish();
    let mut answer = Vec::new();
    let authority = state.authority();
    let store = authority.registry().store();
    let done = store.read(|snap| authority.read(snap, now, &asked, &mut answer))?;
    if done != Read::Answered {
        return Ok(None);
    }
    Ok(Message::decode(&answer).ok().map(|message| read(&message)))
}

/// Seconds for which all of these values may be kept; none of no values.
pub(super) fn seconds(state: &IdentifierState, values: &Values) -> u32 {
    let now = i64::from(state.now().seconds());
    values.list().iter().map(|value| value.ttl.seconds_at(now)).min().unwrap_or(0)
}
