use weir_model::{Grade, Level, TagId, TenantId};

use crate::draft::tests::{Bench, asset, id, organisation, tag};
use crate::{Asset, Directory, Tag};

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
        directory.with(TENANT, |view| format!("{view:?}").len()).unwrap().unwrap()
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

fn sorted(keys: std::collections::HashSet<&str>) -> Vec<&str> {
    let mut keys: Vec<_> = keys.into_iter().collect();
    keys.sort_unstable();
    keys
}
