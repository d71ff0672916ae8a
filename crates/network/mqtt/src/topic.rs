//! Topic names and topic filters (MQTT 5, 4.7).

/// Longest topic: its length stands in two bytes (MQTT 5, 1.5.4).
pub const TOPIC_BYTES_MAX: usize = 65_535;

/// Most levels of a topic: more is no address that a person made.
pub const TOPIC_LEVELS_MAX: usize = 128;

/// Whether a text is a topic name, one that can be published to.
///
/// # Errors
/// Why not, for people.
pub fn check_name(name: &str) -> Result<(), String> {
    check_text(name)?;
    if name.contains(['+', '#']) {
        return Err(
            "a topic of a point names one topic: \"+\" and \"#\" stand only in filters".to_owned()
        );
    }
    Ok(())
}

/// Whether a text is a topic filter, also a shared one (`$share/group/filter`).
///
/// # Errors
/// Why not, for people.
pub fn check_filter(text: &str) -> Result<(), String> {
    check_text(text)?;
    let filter = match text.strip_prefix("$share/") {
        None => text,
        Some(rest) => match rest.split_once('/') {
            Some((group, filter))
                if !group.is_empty() && !group.contains(['+', '#']) && !filter.is_empty() =>
            {
                filter
            }
            _ => return Err("a shared subscription is written $share/group/filter".to_owned()),
        },
    };
    let mut levels = filter.split('/').peekable();
    while let Some(level) = levels.next() {
        let ends = levels.peek().is_none();
        let fits = match level {
            "#" => ends,
            "+" => true,
            _ => !level.contains(['+', '#']),
        };
        if !fits {
            return Err(
                "\"+\" stands for one whole level, and \"#\" only as the last one".to_owned()
            );
        }
    }
    Ok(())
}

fn check_text(text: &str) -> Result<(), String> {
    if text.is_empty() {
        return Err("a topic has at least one character".to_owned());
    }
    if text.len() > TOPIC_BYTES_MAX {
        return Err(format!("a topic has at most {TOPIC_BYTES_MAX} bytes, not {}", text.len()));
    }
    if text.split('/').count() > TOPIC_LEVELS_MAX {
        return Err(format!("a topic has at most {TOPIC_LEVELS_MAX} levels"));
    }
    // MQTT 5, 1.5.4: brokers may close the connection because of these.
    if let Some(character) = text.chars().find(|c| c.is_control() || is_noncharacter(*c)) {
        let code = u32::from(character);
        return Err(format!("brokers refuse the control character U+{code:04X} in a topic"));
    }
    Ok(())
}

fn is_noncharacter(character: char) -> bool {
    let code = u32::from(character);
    (0xFDD0..=0xFDEF).contains(&code) || code & 0xFFFE == 0xFFFE
}

/// The filter of a subscription without its `$share/group/`.
pub fn unshared(filter: &str) -> &str {
    let shared = filter.strip_prefix("$share/").and_then(|rest| rest.split_once('/'));
    shared.map_or(filter, |(_, filter)| filter)
}

/// Whether a valid filter, which is not shared, matches a valid topic name. Wildcards at the first level do not
/// match names that begin with `$` (MQTT 5, 4.7.2).
pub fn matches(filter: &str, name: &str) -> bool {
    if name.starts_with('$') && filter.starts_with(['+', '#']) {
        return false;
    }
    let mut names = name.split('/');
    for level in filter.split('/') {
        if level == "#" {
            return true;
        }
        match names.next() {
            Some(name) if level == "+" || level == name => {}
            _ => return false,
        }
    }
    names.next().is_none()
}

#[cfg(test)]
mod tests;
