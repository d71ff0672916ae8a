use serde_json::json;
use weir_model::{
    Author, DataType, Grade, Identifier, Level, Prefix, RequestId, TagId, TenantId, Timestamp,
};
use weir_store::{Commit, CommitError, Options, Schema, Store};

use crate::{Asset, Draft, Names, Organisation, Source, Tag, TwinError, ValueRange};

const TENANT: TenantId = TenantId(1);

pub(crate) struct Bench {
    pub(crate) store: Store,
    _dir: tempfile::TempDir,
}

impl Bench {
    pub(crate) fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path(), crate::schema(Schema::new()), Options::default());
        Self { store: store.unwrap(), _dir: dir }
    }

    pub(crate) fn draft<T>(
        &self,
        plan: impl FnOnce(&mut Draft<'_>) -> Result<T, TwinError>,
    ) -> Result<(Commit, T), TwinError> {
        let author = Author {
            tenant: TENANT,
            principal: id("ada"),
            cause: "test".into(),
            request: RequestId(1),
        };
        self.store.read(|snap| {
            let mut draft = Draft::new(snap, Commit::new(author, Timestamp::from_nanos(0)));
            let made = plan(&mut draft)?;
            Ok((draft.finish()?, made))
        })
    }

    pub(crate) async fn change<T>(
        &self,
        plan: impl FnOnce(&mut Draft<'_>) -> Result<T, TwinError>,
    ) -> Result<T, TwinError> {
        let (commit, made) = self.draft(plan)?;
        self.store.commit(commit).await.unwrap();
        Ok(made)
    }
}

pub(crate) fn id(suffix: &str) -> Identifier {
    Identifier::parse(&format!("88.100/{suffix}")).unwrap()
}

pub(crate) fn organisation(grade: Option<Grade>) -> Organisation {
    Organisation {
        id: id("organisation"),
        tenant: TENANT,
        prefix: Prefix::parse("88.100").unwrap(),
        name: "Plant".into(),
        names: Names::new(),
        grade,
    }
}

pub(crate) fn asset(name: &str, level: Level, parent: Option<&str>) -> Asset {
    Asset {
        id: id(name),
        name: name.into(),
        names: Names::new(),
        level,
        parent: parent.map(id),
        grade: None,
        description: String::new(),
    }
}

pub(crate) fn tag(name: &str, number: TagId, asset: Option<&str>) -> Tag {
    Tag {
        id: id(name),
        tag: number,
        name: name.into(),
        names: Names::new(),
        description: String::new(),
        asset: asset.map(id),
        unit: None,
        data_type: DataType::F64,
        grade: None,
        domain: None,
        range: None,
        labels: Default::default(),
        interpolation: None,
        source: None,
    }
}

fn fields(result: Result<impl Sized, TwinError>) -> Vec<String> {
    match result {
        Err(TwinError::Invalid(errors)) => errors.into_iter().map(|e| e.field).collect(),
        Err(other) => panic!("{other}"),
        Ok(_) => panic!("accepted"),
    }
}

#[tokio::test]
async fn levels_fit_and_the_tree_has_no_cycles() {
    let bench = Bench::new();
    bench
        .change(|draft| {
            draft.create_asset(&asset("site", Level::Site, None))?;
            // A parent of the same draft counts.
            draft.create_asset(&asset("line", Level::WorkCenter, Some("site")))?;
            draft.create_asset(&asset("m1", Level::EquipmentModule, Some("line")))?;
            draft.create_asset(&asset("m2", Level::EquipmentModule, Some("m1")))
        })
        .await
        .unwrap();
    let above = asset("area", Level::Area, Some("line"));
    assert_eq!(fields(bench.draft(|draft| draft.create_asset(&above))), ["/parent"]);
    let nowhere = asset("area", Level::Area, Some("nowhere"));
    assert_eq!(fields(bench.draft(|draft| draft.create_asset(&nowhere))), ["/parent"]);
    let cycle = asset("m1", Level::EquipmentModule, Some("m2"));
    assert_eq!(fields(bench.draft(|draft| draft.update_asset(&cycle, None))), ["/parent"]);
    let own = asset("m1", Level::EquipmentModule, Some("m1"));
    assert_eq!(fields(bench.draft(|draft| draft.update_asset(&own, None))), ["/parent"]);
    let sunk = asset("line", Level::ControlModule, Some("site"));
    assert_eq!(fields(bench.draft(|draft| draft.update_asset(&sunk, None))), ["/level"]);
}

#[tokio::test]
async fn two_moves_that_would_make_a_cycle_together_are_not_both_accepted() {
    let bench = Bench::new();
    bench
        .change(|draft| {
            draft.create_asset(&asset("a", Level::EquipmentModule, None))?;
            draft.create_asset(&asset("b", Level::EquipmentModule, None))
        })
        .await
        .unwrap();
    let a_under_b = asset("a", Level::EquipmentModule, Some("b"));
    let b_under_a = asset("b", Level::EquipmentModule, Some("a"));
    let (first, ()) = bench.draft(|draft| draft.update_asset(&a_under_b, None)).unwrap();
    let (second, ()) = bench.draft(|draft| draft.update_asset(&b_under_a, None)).unwrap();
    bench.store.commit(first).await.unwrap();
    assert!(matches!(bench.store.commit(second).await, Err(CommitError::Conflict { .. })));
}

#[tokio::test]
async fn an_asset_goes_only_when_nothing_hangs_on_it() {
    let bench = Bench::new();
    bench
        .change(|draft| {
            draft.create_asset(&asset("site", Level::Site, None))?;
            draft.create_asset(&asset("line", Level::WorkCenter, Some("site")))?;
            let number = draft.next_tag()?;
            draft.create_tag(&tag("t", number, Some("line")))
        })
        .await
        .unwrap();
    for name in ["site", "line"] {
        let refused = bench.draft(|draft| draft.delete_asset(&id(name), None));
        assert!(matches!(refused, Err(TwinError::InTheWay(_))), "{name}");
    }
    bench.change(|draft| draft.delete_tag(&id("t"), None)).await.unwrap();
    bench.change(|draft| draft.delete_asset(&id("line"), None)).await.unwrap();
    let gone = bench.draft(|draft| draft.delete_asset(&id("line"), None));
    assert!(matches!(gone, Err(TwinError::NotFound(_))));
}

#[tokio::test]
async fn tag_numbers_are_never_given_twice() {
    let bench = Bench::new();
    let mut given = Vec::new();
    for round in 0..3 {
        let numbers = bench
            .change(|draft| {
                let (a, b) = (draft.next_tag()?, draft.next_tag()?);
                draft.create_tag(&tag(&format!("a{round}"), a, None))?;
                draft.create_tag(&tag(&format!("b{round}"), b, None))?;
                Ok([a, b])
            })
            .await
            .unwrap();
        given.extend(numbers);
        bench.change(|draft| draft.delete_tag(&id(&format!("b{round}")), None)).await.unwrap();
    }
    assert_eq!(given, (1..=6).map(TagId).collect::<Vec<_>>());
    // Two drafts of one moment would give the same number: one of them fails.
    let plan = |name: &'static str| {
        bench.draft(move |draft| {
            let number = draft.next_tag()?;
            draft.create_tag(&tag(name, number, None))
        })
    };
    let (first, second) = (plan("x").unwrap().0, plan("y").unwrap().0);
    bench.store.commit(first).await.unwrap();
    assert!(matches!(bench.store.commit(second).await, Err(CommitError::Conflict { .. })));
}

#[tokio::test]
async fn tags_keep_number_type_and_identifier() {
    let bench = Bench::new();
    let made = bench
        .change(|draft| {
            let tag = tag("t", draft.next_tag()?, None);
            draft.create_tag(&tag)?;
            Ok(tag)
        })
        .await
        .unwrap();
    let number = Tag { tag: TagId(9), ..made.clone() };
    assert_eq!(fields(bench.draft(|draft| draft.update_tag(&number, None))), ["/tag"]);
    let kind = Tag { data_type: DataType::Bool, ..made.clone() };
    assert_eq!(fields(bench.draft(|draft| draft.update_tag(&kind, None))), ["/data_type"]);
    let case = Tag { id: id("T"), ..made.clone() };
    assert_eq!(fields(bench.draft(|draft| draft.update_tag(&case, None))), ["/id"]);
    let renamed = Tag { name: "new name".into(), ..made.clone() };
    let stale = bench.draft(|draft| draft.update_tag(&renamed, Some(7)));
    assert!(matches!(stale, Err(TwinError::Version { current: 1, expected: 7, .. })));
    bench.change(|draft| draft.update_tag(&renamed, Some(1))).await.unwrap();
}

#[test]
fn tag_documents_are_checked() {
    let bench = Bench::new();
    let good = tag("t", TagId(1), None);
    let check = |tag: &Tag| fields(bench.draft(|draft| draft.create_tag(tag)));
    let range = |low, high| Some(ValueRange { low, high });
    assert_eq!(check(&Tag { range: range(1.0, 1.0), ..good.clone() }), ["/range"]);
    assert_eq!(check(&Tag { range: range(0.0, f64::INFINITY), ..good.clone() }), ["/range"]);
    assert_eq!(check(&Tag { labels: [(0, "off".into())].into(), ..good.clone() }), ["/labels"]);
    let line = Tag { interpolation: Some(weir_model::Interpolation::Linear), ..good.clone() };
    assert_eq!(line.check(), Ok(()));
    assert_eq!(check(&Tag { data_type: DataType::Text, ..line }), ["/interpolation"]);
    assert_eq!(check(&Tag { name: " ".into(), ..good.clone() }), ["/name"]);
    assert_eq!(check(&tag("t", TagId(1), Some("nowhere"))), ["/asset"]);
    let source = Source {
        device: id("d"),
        protocol: "modbus".into(),
        address: json!({"x": "y".repeat(5000)}),
        poll_ms: Some(1),
        scaling: vec![json!({}); 300],
        write: None,
    };
    let found = check(&Tag { source: Some(source), ..good });
    assert_eq!(found, ["/address", "/poll_ms", "/scaling"]);
}

#[test]
fn documents_refuse_unknown_fields() {
    let text = r#"{"id":"88.100/a","name":"a","level":"site","colour":"red"}"#;
    assert!(serde_json::from_str::<Asset>(text).unwrap_err().to_string().contains("colour"));
}

#[tokio::test]
async fn organisations_get_numbers_of_their_own() {
    let bench = Bench::new();
    let first = bench.change(|draft| draft.next_tenant()).await.unwrap();
    let second = bench.change(|draft| draft.next_tenant()).await.unwrap();
    assert_eq!((first, second), (TenantId(1), TenantId(2)));
    bench.change(|draft| draft.create_organisation(&organisation(None))).await.unwrap();
    let foreign = Organisation { id: "77/x".parse().unwrap(), ..organisation(None) };
    assert_eq!(fields(bench.draft(|draft| draft.create_organisation(&foreign))), ["/id"]);
    let prefix = Prefix::parse("weir").unwrap();
    let weir = Organisation { id: prefix.child("x").unwrap(), prefix, ..organisation(None) };
    assert_eq!(fields(bench.draft(|draft| draft.create_organisation(&weir))), ["/prefix"]);
    let moved = Organisation { tenant: TenantId(2), ..organisation(None) };
    assert_eq!(fields(bench.draft(|draft| draft.update_organisation(&moved, None))), ["/tenant"]);
}
