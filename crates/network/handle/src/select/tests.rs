use proptest::prelude::*;

use super::*;
use crate::wire::Reader;

const KINDS: [&[u8]; 5] = [b"URL", b"url", b"URL.SUB", b"URLX", b""];
const ASKED: [&[u8]; 5] = [b"URL", b"url.", b"urlx", b"", b"EMAIL"];

proptest! {
    /// Each value is taken or not by itself, as the protocol says it.
    #[test]
    fn a_selection_is_what_each_value_says(
        stored in prop::collection::vec((1..6_i32, 0..5_usize, 0..16_u8), 0..8),
        indexes in prop::collection::vec(-1..6_i32, 0..3),
        types in prop::collection::vec(0..5_usize, 0..3),
        access in 0..3_usize,
    ) {
        let access = [Access::PublicOnly, Access::Anyone, Access::Admin][access];
        let values: Vec<_> = stored
            .iter()
            .map(|(index, kind, permissions)| Value {
                permissions: Permissions(*permissions),
                ..Value::new(*index, KINDS[*kind], b"data", 7)
            })
            .collect();
        let asked: Vec<_> = types.iter().map(|each| ASKED[*each]).collect();
        let (mut one, mut two, mut three) = (Vec::new(), Vec::new(), Vec::new());
        let list = List::build(&values, &mut one);
        let selection = Selection {
            indexes: List::build(&indexes, &mut two),
            types: List::build(&asked, &mut three),
            access,
        };
        let mut out = vec![9];
        let selected = selection.write(&list, &mut out);
        let written: List<'_, Value<'_>> = Reader::new(&out[1..]).list().unwrap();
        let wanted = |value: &&Value<'_>| {
            let all = indexes.is_empty() && asked.is_empty();
            all || (value.index > 0 && indexes.contains(&value.index))
                || asked.iter().any(|asked| name::type_matches(asked, value.kind))
        };
        let (public, admin) = (Permissions::PUBLIC_READ, Permissions::ADMIN_READ);
        let readable = |value: &&Value<'_>| {
            value.permissions.has(public)
                || (access == Access::Admin && value.permissions.has(admin))
        };
        let wanted: Vec<_> = values.iter().filter(wanted).collect();
        let expected: Vec<_> = wanted.iter().copied().filter(readable).copied().collect();
        prop_assert_eq!(written.iter().collect::<Vec<_>>(), expected);
        prop_assert_eq!(selected.written as usize, written.len());
        let left = wanted.iter().filter(|value| !readable(value));
        let (hidden, closed): (Vec<&&Value<'_>>, Vec<_>) =
            left.partition(|value| value.permissions.has(admin));
        prop_assert_eq!(selected.admin_only as usize, hidden.len());
        prop_assert_eq!(selected.unreadable as usize, closed.len());
    }
}
