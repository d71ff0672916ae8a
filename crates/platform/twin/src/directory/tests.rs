use std::collections::BTreeMap;

use weir_model::{Grade, Level, TagId, TenantId};

use crate::draft::tests::{Bench, asset, id, organisation, tag};
use crate::{Asset, Directory, Tag, TagEntry, TenantView};

const TENANT: TenantId = TenantId(1);

fn grade(directory: &Directory, name: &str) -> Grade {
    let key = id(name).folded();
    directory
        .with(TENANT, |view| view.grade_of_tag(view.tag(&key).expect("the tag is there")))
        .unwrap()
        .unwrap()
}

async fn plant(bench: &Bench) {
    bench
        .change(|draft| {
            draft.create_organisation(&organisation(Some(Grade::General)))?;
            draft.create_asset(&asset("site", Level::Site, None))?;
            let line = asset("line", Level::WorkCenter, Some("site"));
            draft.create_asset(&Asset { grade: Some(Grade::Important), ..line })?;
            draft.create_asset(&asset("m1", Level::EquipmentModule, Some("line")))?;
            for (name, on) in [("free", None), ("on-site", Some("site")), ("on-m1", Some("m1"))] {
                let number = draft.next_tag()?;
                draft.create_tag(&tag(name, number, on))?;
            }
            let number = draft.next_tag()?;
            let own = tag("own", number, Some("m1"));
            draft.create_tag(&Tag { grade: Some(Grade::Public), ..own })
        })
        .await
        .unwrap();
}

#[tokio::test]
async fn grades_are_inherited() {
    let bench = Bench::new();
    let directory = Directory::open(bench.store.clone()).unwrap();
    plant(&bench).await;
    assert_eq!(grade(&directory, "free"), Grade::General);
    assert_eq!(grade(&directory, "on-site"), Grade::General);
    assert_eq!(grade(&directory, "on-m1"), Grade::Important);
    assert_eq!(grade(&directory, "own"), Grade::Public);

    // A change of the asset holds from the next question on.
    let line = asset("line", Level::WorkCenter, Some("site"));
    let core = Asset { grade: Some(Grade::Core), ..line };
    bench.change(|draft| draft.update_asset(&core, None)).await.unwrap();
    assert_eq!(grade(&directory, "on-m1"), Grade::Core);
    bench.change(|draft| draft.update_organisation(&organisation(None), None)).await.unwrap();
    assert_eq!(grade(&directory, "free"), Grade::Core);
}

#[tokio::test]
async fn a_directory_that_followed_equals_one_that_was_read() {
    let bench = Bench::new();
    let followed = Directory::open(bench.store.clone()).unwrap();
    plant(&bench).await;
    bench.change(|draft| draft.delete_tag(&id("free"), None)).await.unwrap();
    let renamed = Tag { name: "Renamed".into(), ..tag("on-site", TagId(2), None) };
    bench.change(|draft| draft.update_tag(&renamed, None)).await.unwrap();
    let moved = asset("m1", Level::EquipmentModule, Some("site"));
    bench.change(|draft| draft.update_asset(&moved, None)).await.unwrap();

    let read = Directory::open(bench.store.clone()).unwrap();
    let shown = |directory: &Directory| {
        let shown = |view: &TenantView| {
            let by_name = view.tags_by_name_after(None, false).map(|(key, _)| key.to_owned());
            let assets: Vec<_> = view.assets_after(None).map(|(_, a)| a.clone()).collect();
            let tags: Vec<_> = view.tags_after(None).map(|(_, tag)| tag.clone()).collect();
            (tags, by_name.collect::<Vec<_>>(), assets, view.organisation().cloned())
        };
        directory.with(TENANT, shown).unwrap().unwrap()
    };
    assert_eq!(shown(&followed), shown(&read));
    for directory in [&followed, &read] {
        directory
            .with(TENANT, |view| {
                assert!(view.tag(&id("free").folded()).is_none());
                assert!(view.tag_by_number(TagId(1)).is_none());
                let names: Vec<_> = view.tags_by_name("Renamed").map(|t| t.id.clone()).collect();
                assert_eq!(names, [id("on-site")]);
                let site: Vec<_> = sorted(view.subtree("88.100/site"));
                assert_eq!(site, ["88.100/line", "88.100/m1", "88.100/site"]);
                assert_eq!(sorted(view.subtree("88.100/line")), ["88.100/line"]);
                assert!(view.subtree("88.100/nowhere").is_empty());
                let below = |after| view.children_after("88.100/site", after).map(|(key, _)| key);
                assert_eq!(below(None).collect::<Vec<_>>(), ["88.100/line", "88.100/m1"]);
                assert_eq!(below(Some("88.100/line")).collect::<Vec<_>>(), ["88.100/m1"]);
            })
            .unwrap()
            .unwrap();
    }
}

#[tokio::test]
async fn lists_go_on_behind_a_key_in_both_directions() {
    let bench = Bench::new();
    let directory = Directory::open(bench.store.clone()).unwrap();
    plant(&bench).await;
    directory
        .with(TENANT, |view| {
            let all: Vec<_> = view.tags_by_name_after(None, false).map(|(k, _)| k).collect();
            assert_eq!(all, ["88.100/free", "88.100/on-m1", "88.100/on-site", "88.100/own"]);
            let after = Some(("on-m1", "88.100/on-m1"));
            let rest: Vec<_> = view.tags_by_name_after(after, false).map(|(k, _)| k).collect();
            assert_eq!(rest, ["88.100/on-site", "88.100/own"]);
            let before: Vec<_> = view.tags_by_name_after(after, true).map(|(k, _)| k).collect();
            assert_eq!(before, ["88.100/free"]);
            let by_key: Vec<_> =
                view.tags_after(Some("88.100/on-m1")).map(|(key, _)| key).collect();
            assert_eq!(by_key, ["88.100/on-site", "88.100/own"]);
        })
        .unwrap()
        .unwrap();
    assert!(directory.with(TenantId(2), |_| ()).unwrap().is_none());
}

/// A small generator of numbers (Marsaglia, Xorshift RNGs, 2003).
fn dice(state: &mut u64, sides: u64) -> u64 {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    *state % sides
}

#[test]
fn tags_of_a_view_equal_a_plain_list() {
    let mut view = TenantView::default();
    let mut plain: BTreeMap<String, Tag> = BTreeMap::new();
    let mut state = 0x9E37_79B9_7F4A_7C15;
    for round in 0..3000 {
        let key = format!("T{}", dice(&mut state, 60));
        let name = format!("Name {}", dice(&mut state, 30));
        let made = Tag { name, id: id(&key), ..tag(&key, TagId(round), None) };
        let key = made.id.folded();
        let before = (view.revision(), view.settled_revision());
        let of_name = |list: &BTreeMap<String, Tag>, name: &str| -> Vec<String> {
            list.iter().filter(|(_, tag)| tag.name == name).map(|(key, _)| key.clone()).collect()
        };
        let is_addition = !plain.contains_key(&key) && of_name(&plain, &made.name).is_empty();
        if dice(&mut state, 3) == 0 {
            view.set_tag(&key, None);
            plain.remove(&key);
            assert!(view.settled_revision() > before.1);
        } else {
            view.set_tag(&key, Some(TagEntry::of(&made)));
            plain.insert(key, made.clone());
            let is_first = before.1 == 0;
            assert_eq!(view.settled_revision() == before.1, is_addition && !is_first);
        }
        assert!(view.revision() > before.0 && view.revision() != view.settled_revision());

        assert_eq!(view.tag_count(), plain.len());
        assert!(view.tags_after(None).map(|(key, _)| key).eq(plain.keys()));
        let found = view.tags_by_name(&made.name).map(|tag| tag.key().to_owned());
        assert_eq!(found.collect::<Vec<_>>(), of_name(&plain, &made.name));
        let mut sorted: Vec<(&str, &str)> =
            plain.iter().map(|(key, tag)| (tag.name.as_str(), key.as_str())).collect();
        sorted.sort_unstable();
        let down: Vec<_> =
            view.tags_by_name_after(None, true).map(|(key, tag)| (&*tag.name, key)).collect();
        assert!(down.iter().rev().eq(&sorted));
        for tag in plain.values() {
            assert_eq!(view.tag_by_number(tag.tag).map(|found| &found.id), Some(&tag.id));
        }
    }
    for tag in view.tags_after(None).map(|(_, tag)| tag.tag).collect::<Vec<_>>() {
        let key = view.tag_by_number(tag).map(|tag| tag.key().to_owned()).unwrap();
        view.set_tag(&key, None);
        assert!(view.tag_by_number(tag).is_none());
    }
    assert_eq!(view.tag_count(), 0);
}

#[test]
fn a_tag_is_found_by_words_in_any_case() {
    let names = [("zh-CN".to_owned(), "反应器".to_owned())].into();
    let made = Tag {
        name: "Ofen ÄÖ 3".into(),
        names,
        description: "Where STEEL melts".into(),
        ..tag("Kiln-7", TagId(1), None)
    };
    let entry = TagEntry::of(&made);
    for words in ["kiln", "ofen äö", "äö", "反应", "steel", "88.100/kiln-7 3 melts", ""] {
        assert!(entry.matches(words), "{words}");
    }
    for words in ["kilo", "ofen x", "ö3", "steelmelts"] {
        assert!(!entry.matches(words), "{words}");
    }
}

fn sorted(keys: std::collections::HashSet<&str>) -> Vec<&str> {
    let mut keys: Vec<_> = keys.into_iter().collect();
    keys.sort_unstable();
    keys
}
