//! Topic names and topic filters (MQTT 5, 4.7).

#[cfg(test)]
mod tests;

/// Why a text is no topic name or filter. The first three are the client's fault, the last is ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TopicError {
    /// A topic has at least one character (MQTT 5, 4.7.3-1).
    #[error("a topic has at least one character")]
    Empty,
    /// U+0000 is forbidden (MQTT 5, 1.5.4-2).
    #[error("a topic must not hold U+0000")]
    Nul,
    /// Wildcards in a name, or out of place in a filter (MQTT 5, 4.7.1).
    #[error("`+` and `#` stand only in filters, as a whole level, `#` as the last one")]
    Wildcard,
    /// More levels than the limit.
    #[error("the topic has more levels than this broker takes")]
    Levels,
    /// Longer than the limit.
    #[error("the topic is longer than this broker takes")]
    Long,
    /// A malformed `$share/group/filter` (MQTT 5, 4.8.2).
    #[error("a shared subscription is $share/group/filter, and the group has no `/`, `+` or `#`")]
    Share,
}

/// What topics may be.
#[derive(Debug, Clone, Copy)]
pub(crate) struct TopicLimits {
    pub(crate) bytes_max: usize,
    pub(crate) levels_max: usize,
}

/// Checks the topic of a PUBLISH.
pub(crate) fn check_name(name: &str, limits: TopicLimits) -> Result<(), TopicError> {
    if name.is_empty() {
        return Err(TopicError::Empty);
    }
    let mut levels = 1;
    for byte in name.bytes() {
        match byte {
            0 => return Err(TopicError::Nul),
            b'+' | b'#' => return Err(TopicError::Wildcard),
            b'/' => levels += 1,
            _ => {}
        }
    }
    check_size(name, levels, limits)
}

fn check_size(text: &str, levels: usize, limits: TopicLimits) -> Result<(), TopicError> {
    if text.len() > limits.bytes_max {
        return Err(TopicError::Long);
    }
    if levels > limits.levels_max {
        return Err(TopicError::Levels);
    }
    Ok(())
}

/// A topic filter, with the group that shares it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Filter<'a> {
    /// The group of a shared subscription.
    pub(crate) group: Option<&'a str>,
    /// The filter alone.
    pub(crate) filter: &'a str,
}

/// Parses the filter of a SUBSCRIBE.
pub(crate) fn parse_filter(text: &str, limits: TopicLimits) -> Result<Filter<'_>, TopicError> {
    let (group, filter) = match text.strip_prefix("$share/") {
        None => (None, text),
        Some(rest) => {
            let (group, filter) = rest.split_once('/').ok_or(TopicError::Share)?;
            if group.is_empty() || group.contains(['+', '#', '\0']) || filter.is_empty() {
                return Err(TopicError::Share);
            }
            (Some(group), filter)
        }
    };
    if filter.is_empty() {
        return Err(TopicError::Empty);
    }
    if text == "$share" {
        return Err(TopicError::Share);
    }
    let mut levels = 0;
    let mut ended = false;
    for level in filter.split('/') {
        levels += 1;
        if ended {
            return Err(TopicError::Wildcard); // something follows `#`
        }
        match level {
            "#" => ended = true,
            "+" => {}
            _ if level.contains(['+', '#']) => return Err(TopicError::Wildcard),
            _ if level.contains('\0') => return Err(TopicError::Nul),
            _ => {}
        }
    }
    check_size(filter, levels, limits)?;
    Ok(Filter { group, filter })
}

/// Whether a valid filter matches a valid topic name. Wildcards at the first level do not match names
/// that begin with `$` (MQTT 5, 4.7.2-1).
pub(crate) fn matches(filter: &str, name: &str) -> bool {
    if name.starts_with('$') && filter.starts_with(['+', '#']) {
        return false;
    }
    let mut names = name.split('/');
    for level in filter.split('/') {
        if level == "#" {
            return true; // also the parent itself: `a/#` matches `a`
        }
        match names.next() {
            Some(name) if level == "+" || level == name => {}
            _ => return false,
        }
    }
    names.next().is_none()
}
