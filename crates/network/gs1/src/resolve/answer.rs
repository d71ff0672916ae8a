use crate::Error;
use crate::digital_link::{DigitalLink, check_stem};
use crate::resolve::linkset::CONTEXT;
use crate::resolve::{Form, Link, LinkType, Linkset, Request, Standing, levels};

/// The headers that let scripts of any page ask a resolver (resolver standard, 2.2); they belong to
/// every answer, and to `OPTIONS`.
pub const CORS: [(&str, &str); 3] = [
    ("access-control-allow-origin", "*"),
    ("access-control-allow-methods", "GET, HEAD, OPTIONS"),
    ("access-control-expose-headers", "Link, Location"),
];

/// What is answered to a request about a valid Digital Link. (One that is not valid is answered with 400
/// and the [`Error`] that says why.)
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// 307: go on to the target.
    Redirect {
        /// The target, with the query of the request.
        location: String,
        /// The type of the link that was followed.
        link_type: LinkType,
        /// Where the linkset is.
        linkset: String,
    },
    /// 200: the links of the thing and of all of its kind.
    Linkset {
        /// The links.
        links: Linkset,
        /// How the client wants them.
        form: Form,
    },
    /// 300: several links fit equally well.
    Choices {
        /// The links that fit.
        links: Linkset,
        /// How the client wants them.
        form: Form,
    },
    /// 404: nothing is known of the thing, or there is no link of the type that was asked for.
    NotFound {
        /// The type that was asked for, if anything is known of the thing.
        link_type: Option<String>,
        /// What there is instead; empty if nothing is known of the thing.
        links: Linkset,
        /// How the client would see it.
        form: Form,
    },
}

impl Answer {
    /// The status code of HTTP.
    pub fn status(&self) -> u16 {
        match self {
            Answer::Redirect { .. } => 307,
            Answer::Linkset { .. } => 200,
            Answer::Choices { .. } => 300,
            Answer::NotFound { .. } => 404,
        }
    }

    /// The headers besides [`CORS`], names in small letters. A body of the form [`Form::Html`] has its
    /// content type here too.
    pub fn headers(&self) -> Vec<(&'static str, String)> {
        let mut headers = vec![("vary", "Accept, Accept-Language".to_owned())];
        match self {
            Answer::Redirect { location, link_type, linkset } => {
                headers.push(("location", location.clone()));
                let handled = *link_type == LinkType::handled_by();
                headers.push((
                    "link",
                    match handled {
                        // Whoever else answers for the thing has the linkset (resolver standard, 2.8).
                        true => format!("<{location}>; rel=\"{}\"", link_type.as_str()),
                        false => format!(
                            "<{linkset}>; rel=\"linkset\"; type=\"application/linkset+json\""
                        ),
                    },
                ));
            }
            Answer::Linkset { form, .. } | Answer::Choices { form, .. } => {
                headers.push(("content-type", content_type(*form)));
                let context =
                    "rel=\"http://www.w3.org/ns/json-ld#context\"; type=\"application/ld+json\"";
                headers.push(("link", format!("<{CONTEXT}>; {context}")));
            }
            Answer::NotFound { form, links, .. } if links.links().next().is_some() => {
                headers.push(("content-type", content_type(*form)));
            }
            Answer::NotFound { .. } => {}
        }
        headers
    }

    /// The body, unless there is none or it is a page, which the resolver makes of [`Answer::links`].
    pub fn body(&self) -> Option<String> {
        match self {
            Answer::Redirect { .. } => None,
            Answer::Linkset { links, form } | Answer::Choices { links, form } => links.write(*form),
            Answer::NotFound { links, form, .. } => {
                links.links().next().is_some().then(|| links.write(*form)).flatten()
            }
        }
    }

    /// The links of the answer.
    pub fn links(&self) -> Option<&Linkset> {
        match self {
            Answer::Redirect { .. } => None,
            Answer::Linkset { links, .. }
            | Answer::Choices { links, .. }
            | Answer::NotFound { links, .. } => Some(links),
        }
    }
}

fn content_type(form: Form) -> String {
    match form {
        Form::Html => "text/html; charset=utf-8".to_owned(),
        other => other.media_type().to_owned(),
    }
}

/// Answers a request about a thing from what stands at its [`levels`] (resolver standard, 2.5 to 2.12).
///
/// `root` is the resolver's own address, `https://host[/path]`, under which the anchors of linksets are.
/// Standings at other levels than the thing's are left aside.
pub fn answer(
    root: &str,
    thing: &DigitalLink,
    request: &Request,
    standings: &[Standing],
) -> Result<Answer, Error> {
    let root = check_stem(root)?;
    let levels = levels(thing);
    let found = levels.iter().flat_map(|level| {
        standings
            .iter()
            .filter(move |standing| standing.level == *level && !standing.links.is_empty())
    });
    let known = with_default(found.collect());
    let (path, form) = (thing.path(), request.form());
    if known.is_empty() {
        return Ok(Answer::NotFound { link_type: None, links: Linkset::default(), form });
    }
    if let Some(form) = request.wants_linkset() {
        return Ok(Answer::Linkset { links: all(root, &known), form });
    }
    let choice = match &request.link_type {
        None => by_default(&known, request),
        Some(asked) => {
            LinkType::parse(asked).ok().and_then(|asked| by_type(&known, &asked, request))
        }
    };
    let Some((standing, chosen)) = choice else {
        let links = all(root, &known);
        return Ok(Answer::NotFound { link_type: request.link_type.clone(), links, form });
    };
    match chosen.as_slice() {
        [link] => {
            let location = if link.link_type == LinkType::handled_by() {
                forwarded(&format!("{}{path}", link.href.trim_end_matches('/')), &request.query)
            } else if link.forwards_query {
                forwarded(&link.href, &request.query)
            } else {
                link.href.clone()
            };
            let linkset = format!("{root}{path}?linkType=linkset");
            Ok(Answer::Redirect { location, link_type: link.link_type.clone(), linkset })
        }
        several => {
            let mut links = Linkset::default();
            links.add(root, standing, several.iter().copied());
            Ok(Answer::Choices { links, form })
        }
    }
}

/// The standings, where the first link of the least granular one is made the default if there is none
/// at any level: for every thing one link is recognised as the default (resolver standard, 2.5.8).
fn with_default(found: Vec<&Standing>) -> Vec<Standing> {
    let mut known: Vec<Standing> = found.into_iter().cloned().collect();
    let (default, handled) = (LinkType::default_link(), LinkType::handled_by());
    let has = |wanted: &LinkType| {
        known.iter().flat_map(|standing| &standing.links).any(|link| link.link_type == *wanted)
    };
    if !has(&default)
        && !has(&handled)
        && let Some(last) = known.last_mut()
    {
        let first = last.links.first().cloned();
        last.links.extend(first.map(|first| Link { link_type: default, ..first }));
    }
    known
}

fn all(root: &str, known: &[Standing]) -> Linkset {
    let mut links = Linkset::default();
    for standing in known {
        links.add(root, standing, standing.links.iter());
    }
    links
}

type Choice<'a> = (&'a Standing, Vec<&'a Link>);

fn of_type<'a>(standing: &'a Standing, wanted: &LinkType) -> Vec<&'a Link> {
    standing.links.iter().filter(|link| link.link_type == *wanted).collect()
}

/// The links of a type at the most granular level that has any, as far as the request tells them apart.
fn by_type<'a>(known: &'a [Standing], wanted: &LinkType, request: &Request) -> Option<Choice<'a>> {
    let standing = known.iter().find(|standing| !of_type(standing, wanted).is_empty())?;
    Some((standing, narrow(of_type(standing, wanted), request).0))
}

/// Where a request goes that asks for no type: at the most granular level that has a default, to the
/// one of several defaults that the request fits, or else to the single one.
fn by_default<'a>(known: &'a [Standing], request: &Request) -> Option<Choice<'a>> {
    for standing in known {
        let several = narrow(of_type(standing, &LinkType::default_link_multi()), request);
        if let (links, true) = &several
            && links.len() == 1
        {
            return Some((standing, several.0));
        }
        for wanted in [LinkType::default_link(), LinkType::handled_by()] {
            let single: Vec<&Link> = of_type(standing, &wanted).into_iter().take(1).collect();
            if !single.is_empty() {
                return Some((standing, single));
            }
        }
    }
    None
}

/// Narrows links of one type down by media type, then language, then context (resolver standard,
/// 2.6.3). What does not fit at all is not held against a link: the closest is the answer. Also says
/// whether language, context or a named media type had a say.
fn narrow<'a>(links: Vec<&'a Link>, request: &Request) -> (Vec<&'a Link>, bool) {
    let Request { accept, languages, context, .. } = request;
    let mut said = false;
    let quality = |link: &&Link| match &link.media_type {
        Some(media_type) => accept.quality(media_type),
        // What has no type is as welcome as anything that is not named.
        None if accept.is_silent() => 1000,
        None => accept.quality("*/*").max(1),
    };
    let links = keep_best(links, |link| Some(quality(link)).filter(|quality| *quality > 0));
    said |= links
        .iter()
        .any(|link| link.media_type.as_deref().is_some_and(|name| accept.named(name) > 0));
    let spoken = |link: &&Link| languages.best(&link.languages);
    let links = match links.iter().any(|link| spoken(link).is_some()) {
        true => {
            said = true;
            keep_best(links, spoken)
        }
        false => keep_best(links, |link| link.languages.is_empty().then_some(())),
    };
    let inside = |link: &&Link| {
        let fits =
            |mine: &String| context.as_ref().is_some_and(|asked| mine.eq_ignore_ascii_case(asked));
        link.contexts.iter().any(fits)
    };
    let links = match links.iter().any(inside) {
        true => {
            said = true;
            keep_best(links, |link| inside(link).then_some(()))
        }
        false => keep_best(links, |link| link.contexts.is_empty().then_some(())),
    };
    (links, said)
}

/// The links with the highest mark; all of them if none has a mark.
fn keep_best<'a, M: Ord>(
    links: Vec<&'a Link>,
    mark: impl Fn(&&'a Link) -> Option<M>,
) -> Vec<&'a Link> {
    let best = links.iter().filter_map(&mark).max();
    match best {
        Some(best) => links.into_iter().filter(|link| mark(link).as_ref() == Some(&best)).collect(),
        None => links,
    }
}

/// A target with the query of the request behind its own, before its fragment (resolver standard, 2.12).
fn forwarded(href: &str, query: &str) -> String {
    if query.is_empty() {
        return href.to_owned();
    }
    let (address, fragment) = match href.find('#') {
        Some(at) => href.split_at(at),
        None => (href, ""),
    };
    let join = match address.contains('?') {
        true if address.ends_with(['?', '&']) => "",
        true => "&",
        false => "?",
    };
    format!("{address}{join}{query}{fragment}")
}
