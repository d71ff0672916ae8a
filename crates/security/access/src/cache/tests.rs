use super::*;

#[test]
fn a_full_map_is_emptied() {
    let mut map = Bounded::new(2);
    map.insert("a", 1);
    map.insert("b", 2);
    map.insert("a", 3);
    assert_eq!((map.get("a"), map.get("b")), (Some(3), Some(2)));
    map.insert("c", 4);
    assert_eq!((map.get("a"), map.get("b"), map.get("c")), (None, None, Some(4)));
}
