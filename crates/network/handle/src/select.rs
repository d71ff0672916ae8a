use crate::wire::{List, ListIter};
use crate::{Permissions, Value, name};

/// Which values of a handle a resolution asks for, and who asks.
#[derive(Debug, Clone, Copy)]
pub struct Selection<'a> {
    /// Indexes; those below 1 match nothing.
    pub indexes: List<'a, i32>,
    /// Types. With both lists empty, everything is asked for.
    pub types: List<'a, &'a [u8]>,
    /// Who asks.
    pub access: Access,
}

/// Who asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Anyone, who takes what all may read (the flag PUBL): the rest is left out.
    PublicOnly,
    /// Anyone, who did not say so: what only administrators may read makes a challenge.
    Anyone,
    /// An administrator with [`crate::AdminPermissions::READ_VALUE`].
    Admin,
}

/// How a selection went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Selected {
    /// Values that were written.
    pub written: u32,
    /// Values that match and that only administrators may read. Without PUBL the answer is a
    /// challenge if there is one.
    pub admin_only: u32,
    /// Values that match and that nobody may read. Without PUBL the answer is
    /// [`crate::ResponseCode::InsufficientPermissions`] if there is one.
    pub unreadable: u32,
}

impl Selection<'_> {
    /// Whether a value is asked for.
    #[inline]
    #[must_use]
    pub fn matches(&self, value: &Value<'_>) -> bool {
        if self.indexes.is_empty() && self.types.is_empty() {
            return true;
        }
        self.indexes.iter().any(|index| index > 0 && index == value.index)
            || self.types.iter().any(|asked| name::type_matches(asked, value.kind))
    }

    /// Appends the values that are asked for and may be read, in the order in which they are
    /// stored and as they are stored, with their count in front: the list of a
    /// [`crate::Answer::Resolution`]. No value is decoded beyond its bounds.
    ///
    /// What is written means nothing to a client if the result says challenge or refusal: use
    /// [`crate::Draft::abandon`] or truncate then.
    pub fn write(&self, values: &List<'_, Value<'_>>, out: &mut Vec<u8>) -> Selected {
        let mut selected = Selected::default();
        let at = out.len();
        out.extend_from_slice(&[0; 4]);
        // What lies next to each other is copied in one piece.
        let mut piece: Option<(usize, usize)> = None;
        let wire = values.wire();
        let mut from = 0;
        let mut walk: ListIter<'_, Value<'_>> = values.iter();
        while let Some((value, bytes)) = walk.next_with_wire() {
            let until = from + bytes.len();
            if self.takes(&value, &mut selected) {
                piece = match piece {
                    Some((start, end)) if end == from => Some((start, until)),
                    Some((start, end)) => {
                        out.extend_from_slice(&wire[start..end]);
                        Some((from, until))
                    }
                    None => Some((from, until)),
                };
            }
            from = until;
        }
        if let Some((start, end)) = piece {
            out.extend_from_slice(&wire[start..end]);
        }
        out[at..at + 4].copy_from_slice(&selected.written.to_be_bytes());
        selected
    }

    /// Whether a value is written; counts it either way.
    #[inline]
    pub(crate) fn takes(&self, value: &Value<'_>, selected: &mut Selected) -> bool {
        if !self.matches(value) || !self.readable(value.permissions, selected) {
            return false;
        }
        selected.written += 1;
        true
    }

    fn readable(&self, permissions: Permissions, selected: &mut Selected) -> bool {
        let public = permissions.has(Permissions::PUBLIC_READ);
        let admin = permissions.has(Permissions::ADMIN_READ);
        match self.access {
            _ if public => true,
            Access::Admin if admin => true,
            _ if admin => {
                selected.admin_only += 1;
                false
            }
            _ => {
                selected.unreadable += 1;
                false
            }
        }
    }
}

#[cfg(test)]
mod tests;
