use crate::percent;
use crate::resolve::{Accept, AcceptLanguage, Form};

/// What a client asks about a thing.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Request {
    /// The parameter `linkType`, decoded.
    pub link_type: Option<String>,
    /// The parameter `context`, decoded.
    pub context: Option<String>,
    /// Media types that the client accepts.
    pub accept: Accept,
    /// Languages that the client accepts.
    pub languages: AcceptLanguage,
    /// The query as it was sent, without the question mark, which is passed on.
    pub query: String,
}

impl Request {
    /// A request of its query string and of the headers `Accept` and `Accept-Language`, each empty if it
    /// was not sent.
    pub fn new(query: &str, accept: &str, accept_language: &str) -> Request {
        let parameter = |wanted: &str| {
            let parameters =
                query.split(['&', ';']).filter_map(|parameter| parameter.split_once('='));
            let mut named = parameters.filter(|(name, _)| name.eq_ignore_ascii_case(wanted));
            named.find_map(|(_, value)| percent::decode(value)).filter(|value| !value.is_empty())
        };
        Request {
            link_type: parameter("linkType"),
            context: parameter("context"),
            accept: Accept::parse(accept),
            languages: AcceptLanguage::parse(accept_language),
            query: query.to_owned(),
        }
    }

    /// The form of linkset that the client asks for, if it asks for the linkset: by `linkType=linkset`,
    /// by the older `all`, or by naming a media type of linksets as what it likes most (resolver
    /// standard, 2.9).
    pub(super) fn wants_linkset(&self) -> Option<Form> {
        let named = [Form::Json, Form::Text].into_iter().find(|form| {
            let quality = self.accept.named(form.media_type());
            quality > 0 && quality == self.accept.highest()
        });
        let asked =
            self.link_type.as_deref().is_some_and(|asked| matches!(asked, "linkset" | "all"));
        named.or_else(|| asked.then(|| self.form()))
    }

    /// The form for this client. One that says nothing, or that it takes anything, is a program: it gets
    /// JSON, though the standard would rather give it a page (2.10).
    pub(super) fn form(&self) -> Form {
        let forms = [Form::Json, Form::Text, Form::JsonLd, Form::Html];
        let quality = |form: &Form| {
            let also: &[&str] = match form {
                Form::Json => &["application/json"],
                Form::Html => &["application/xhtml+xml"],
                _ => &[],
            };
            let types = also.iter().copied().chain([form.media_type()]);
            let types = types.map(|name| self.accept.named(name));
            types.max().unwrap_or(0)
        };
        let best = forms.iter().rev().max_by_key(|form| quality(form));
        best.copied().filter(|form| quality(form) > 0).unwrap_or(Form::Json)
    }
}
