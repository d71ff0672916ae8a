//! What people type to sign in: `name`, or `name@prefix` of their organisation.

use weir_model::{PREFIX_BYTES_MAX, Prefix, TenantId};

use crate::user::{NAME_CHARS_MAX, User};

/// The tenant of the node's first organisation, whose users may leave the prefix out.
pub const FIRST_TENANT: TenantId = TenantId(1);

/// What parts a name from an organisation's prefix.
pub const SIGN_IN_SEPARATOR: char = '@';

/// Longest name in characters that is looked up: changing the case of a letter makes two of it at
/// the most.
const LOOKED_UP_CHARS_MAX: usize = 2 * NAME_CHARS_MAX;

/// Longest text that can be somebody's. Of a longer one, one character more is kept, so that it is
/// nobody's.
const TYPED_CHARS_MAX: usize = LOOKED_UP_CHARS_MAX + 1 + PREFIX_BYTES_MAX;

/// What somebody typed as their name to sign in. A name belongs to one organisation and says
/// nothing in another: a plain one is looked up in the first organisation and nowhere else.
///
/// ```
/// use weir_access::SignInName;
///
/// let prefix = |text| SignInName::parse(text).organisation().map(ToString::to_string);
/// assert_eq!(prefix("li@88.100.7").as_deref(), Some("88.100.7"));
/// assert_eq!(prefix("Li@Demo.TEP").as_deref(), Some("demo.tep"));
/// assert_eq!(prefix("li"), None);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignInName {
    /// The whole, without what makes it too long.
    typed: String,
    /// What stands before the prefix, and the prefix.
    parts: Option<(String, Prefix)>,
}

impl SignInName {
    /// Takes whatever was typed; what is no name is nobody's.
    pub fn parse(typed: &str) -> Self {
        let typed: String = typed.chars().take(TYPED_CHARS_MAX + 1).collect();
        // The last separator counts: users of earlier versions may have one in their names.
        let parts = typed.rsplit_once(SIGN_IN_SEPARATOR).filter(|(name, _)| !name.is_empty());
        let parts =
            parts.and_then(|(name, prefix)| Some((name.to_owned(), Prefix::parse(prefix).ok()?)));
        Self { typed, parts }
    }

    /// The prefix of the organisation that is meant, if this node has one of that prefix.
    pub fn organisation(&self) -> Option<&Prefix> {
        self.parts.as_ref().map(|(_, prefix)| prefix)
    }

    /// The organisation and the name in it to look up. Without an organisation of that prefix, the
    /// whole is a name in the first one: names of earlier versions may look like it.
    pub(crate) fn account(&self, organisation: Option<TenantId>) -> (TenantId, &str) {
        match (organisation, &self.parts) {
            (Some(tenant), Some((name, _))) => (tenant, name),
            _ => (FIRST_TENANT, &self.typed),
        }
    }

    /// By what failures are counted: what was typed, so that the count does not tell whether there
    /// is such an organisation or such a user.
    pub(crate) fn folded(&self) -> String {
        self.typed.to_lowercase()
    }
}

impl User {
    /// What the user of a tenant types to sign in: `name` in the first organisation, `name@prefix`
    /// elsewhere.
    pub fn sign_in_name(&self, tenant: TenantId) -> String {
        if tenant == FIRST_TENANT && !self.name.contains(SIGN_IN_SEPARATOR) {
            return self.name.clone();
        }
        format!("{}{SIGN_IN_SEPARATOR}{}", self.name, self.id.prefix())
    }
}

/// The key that a name is found by; none for what is nobody's name.
pub(crate) fn name_key(name: &str) -> Option<String> {
    let may_be_one = (1..=LOOKED_UP_CHARS_MAX).contains(&name.chars().count());
    may_be_one.then(|| name.to_lowercase())
}

#[cfg(test)]
mod tests;
