use std::time::Duration;

use tokio::time::timeout;
use weir_access::{Bootstrap, By, NewToken, NewUser};
use weir_audit::{Event, Filter};
use weir_model::{Batch, DataType, Grade, Level, Prefix, Quality, TenantId};
use weir_opcua_server::LiveEvent;
use weir_store::{Commit, Schema};
use weir_twin::{Asset, Draft, Organisation, Source, Tag};

use super::*;
use crate::samples::ToHistorian;

const ONE: TenantId = TenantId(1);
const TWO: TenantId = TenantId(2);
const PASSWORD: &str = "correct horse battery staple";
const SOON: Duration = Duration::from_secs(10);

/// Two organisations, `1.a` and `1.b`.
///
/// ```text
/// 1.a/site            general
///   1.a/hall          core
///     1.a/oven        general    seen at the top by who does not see the hall
///     1.a/heat        (core)     tag 1
///   1.a/power         (general)  tag 2
/// 1.a/alone           general    tag 3, of no asset
/// ```
struct Bench {
    plant: NodePlant,
    root: Caller,
    endings: mpsc::Receiver<Arc<str>>,
    _dir: tempfile::TempDir,
}

fn id(text: &str) -> Identifier {
    text.parse().unwrap()
}

fn prefix(tenant: TenantId) -> Prefix {
    Prefix::parse(if tenant == ONE { "1.a" } else { "1.b" }).unwrap()
}

fn asset(name: &str, parent: Option<&str>, grade: Option<Grade>, level: Level) -> Asset {
    Asset {
        id: id(name),
        name: name.to_owned(),
        names: Default::default(),
        level,
        parent: parent.map(id),
        grade,
        description: String::new(),
    }
}

fn tag(number: u32, name: &str, asset: Option<&str>, grade: Option<Grade>) -> Tag {
    Tag {
        id: id(name),
        tag: TagId(number),
        name: name.to_owned(),
        names: Default::default(),
        description: String::new(),
        asset: asset.map(id),
        unit: None,
        data_type: DataType::F64,
        grade,
        domain: None,
        range: None,
        labels: Default::default(),
        source: None,
        interpolation: None,
    }
}

fn by(caller: &Caller) -> By<'_> {
    By::new(caller, request_id(), now())
}

impl Bench {
    async fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let schema = Access::schema(weir_api::schema(weir_connect::schema(Schema::new())));
        let store = Store::open(&dir.path().join("store"), schema, Default::default()).unwrap();
        let historian = Historian::open(&dir.path().join("historian"), Default::default()).unwrap();
        let audit = Audit::open(&dir.path().join("audit"), Default::default()).unwrap();
        let access = Access::open(store.clone(), Default::default()).unwrap();
        let sink = Arc::new(ToHistorian(historian.clone()));
        let options = weir_connect::Options::new(dir.path().join("spool"));
        let supervisor = Supervisor::new(Vec::new(), sink, options).unwrap();
        let directory = Directory::open(store.clone()).unwrap();
        let rooms = Rooms { store, directory, historian, audit, access, supervisor };
        let mut first = Bootstrap::administrator(ONE, prefix(ONE), "root");
        first.password = Some(PASSWORD.to_owned());
        let system = rooms.access.system("start", ONE);
        rooms.access.bootstrap(by(&system), first, |_, _| {}).await.unwrap().unwrap();
        let name = weir_access::SignInName::parse("root");
        let here = "127.0.0.1".parse().unwrap();
        let root = rooms.access.by_password(&name, |_| Ok(None), PASSWORD, here, now());
        let root = root.await.unwrap();
        let (sender, endings) = mpsc::channel(8);
        let plant = NodePlant { rooms, endings: sender };
        let bench = Self { plant, root, endings, _dir: dir };
        bench.furnish().await;
        bench
    }

    async fn furnish(&self) {
        for tenant in [ONE, TWO] {
            self.change(ONE, |draft| {
                let prefix = prefix(tenant);
                let organisation = Organisation {
                    id: prefix.child("organisation").unwrap(),
                    tenant: draft.next_tenant().unwrap(),
                    prefix,
                    name: "Works".to_owned(),
                    names: Default::default(),
                    grade: Some(Grade::General),
                };
                draft.create_organisation(&organisation).unwrap();
            })
            .await;
        }
        self.change(ONE, |draft| {
            let general = Some(Grade::General);
            for asset in [
                asset("1.a/site", None, general, Level::Site),
                asset("1.a/hall", Some("1.a/site"), Some(Grade::Core), Level::Area),
                asset("1.a/oven", Some("1.a/hall"), general, Level::WorkUnit),
            ] {
                draft.create_asset(&asset).unwrap();
            }
            for mut tag in [
                tag(1, "1.a/heat", Some("1.a/hall"), None),
                tag(2, "1.a/power", Some("1.a/site"), None),
                tag(3, "1.a/alone", None, general),
            ] {
                tag.tag = draft.next_tag().unwrap();
                draft.create_tag(&tag).unwrap();
            }
        })
        .await;
        for (tenant, name, role, ceiling) in [
            (ONE, "engineer", "engineer", Grade::Core),
            (ONE, "viewer", "viewer", Grade::General),
            (ONE, "nobody", "nothing", Grade::Core),
            (TWO, "other", "administrator", Grade::Core),
        ] {
            let new = NewUser {
                tenant,
                prefix: prefix(tenant),
                name: name.to_owned(),
                full_name: None,
                roles: vec![role.to_owned()],
                ceiling,
                password: Some(PASSWORD.to_owned()),
            };
            self.plant.rooms.access.create_user(by(&self.root), new, |_, _| {}).await.unwrap();
        }
    }

    async fn change(&self, tenant: TenantId, change: impl Fn(&mut Draft<'_>)) {
        let store = &self.plant.rooms.store;
        let author = self.plant.rooms.access.system("test", tenant).author("test", request_id());
        let commit = store.read(|snap| {
            let mut draft = Draft::new(snap, Commit::new(author.clone(), now()));
            change(&mut draft);
            draft.finish()
        });
        store.commit(commit.unwrap()).await.unwrap();
    }

    async fn try_enter(&self, user: &str, password: &str) -> Option<Principal> {
        let client = Client {
            address: "127.0.0.1:9".parse().unwrap(),
            application: "urn:scada".to_owned(),
            certificate: None,
            encrypted: true,
        };
        self.plant.authenticate(Credentials::Password { user, password }, &client).await
    }

    async fn enter(&self, user: &str) -> Principal {
        self.try_enter(user, PASSWORD).await.unwrap()
    }

    async fn below(&self, principal: &Principal, parent: Option<&str>) -> Vec<String> {
        let parent = parent.map(id);
        let (mut found, mut after): (Vec<String>, Option<Identifier>) = (Vec::new(), None);
        // One at a time, so that every edge of a page is seen.
        loop {
            let page =
                self.plant.children(principal, parent.as_ref(), after.as_ref(), 1).await.unwrap();
            let Some(node) = page.into_iter().next() else { return found };
            assert_eq!(node.parent(), parent.as_ref(), "{node:?}");
            after = Some(node.id().clone());
            found.push(node.id().to_string());
        }
    }

    async fn measure(&self, tag: u32, value: f64) {
        let samples = vec![(TagId(tag), Sample::good(now(), Value::F64(value)))].into();
        let batch = Batch { tenant: ONE, producer: None, backfill: false, arrival: now(), samples };
        self.plant.rooms.historian.append(batch).await.unwrap();
    }

    async fn signed_in(&self, ok: bool) -> Vec<Option<String>> {
        let all = Filter::of_all_tenants();
        let page = self.plant.rooms.audit.page(None, 100, all).await.unwrap();
        let events = page.items.into_iter().map(|item| item.entry.event);
        let reason = |event| match event {
            Event::SignIn { ok: was, reason, .. } if was == ok => Some(reason),
            _ => None,
        };
        events.filter_map(reason).collect()
    }
}

#[tokio::test]
async fn each_sees_the_tree_of_its_organisation_up_to_its_ceiling() {
    let bench = Bench::new().await;
    let engineer = bench.enter("engineer").await;
    assert_eq!(bench.below(&engineer, None).await, ["1.a/alone", "1.a/site"]);
    assert_eq!(bench.below(&engineer, Some("1.a/site")).await, ["1.a/hall", "1.a/power"]);
    assert_eq!(bench.below(&engineer, Some("1.a/hall")).await, ["1.a/heat", "1.a/oven"]);
    // What stands below what one does not see stands at the top.
    let viewer = bench.enter("viewer").await;
    assert_eq!(bench.below(&viewer, None).await, ["1.a/alone", "1.a/oven", "1.a/site"]);
    assert_eq!(bench.below(&viewer, Some("1.a/site")).await, ["1.a/power"]);
    let hall = id("1.a/hall");
    let hidden = bench.plant.children(&viewer, Some(&hall), None, 10).await.unwrap();
    assert!(hidden.is_empty(), "{hidden:?}");
    let asked = ["1.a/heat", "1.a/POWER", "1.a/nothing", "1.a/oven"].map(id);
    let nodes = bench.plant.nodes(&viewer, &asked).await.unwrap();
    let told: Vec<_> = nodes.iter().map(|node| node.as_ref().map(|n| n.id().as_str())).collect();
    assert_eq!(told, [None, Some("1.a/power"), None, Some("1.a/oven")]);
    for user in ["nobody", "other@1.b"] {
        let stranger = bench.enter(user).await;
        assert!(bench.below(&stranger, None).await.is_empty(), "{user}");
        assert!(bench.plant.nodes(&stranger, &asked).await.unwrap().iter().all(Option::is_none));
    }
}

#[tokio::test]
async fn values_are_of_tags_that_one_sees_at_that_moment() {
    let bench = Bench::new().await;
    let (engineer, viewer) = (bench.enter("engineer").await, bench.enter("viewer").await);
    let nobody = bench.enter("nobody").await;
    bench.measure(1, 900.0).await;
    bench.measure(2, 40.0).await;
    let tags = [TagId(1), TagId(2), TagId(9)];
    let last = async |who: &Principal| -> Vec<Option<f64>> {
        let last = bench.plant.last(who, &tags).await.unwrap().into_iter();
        last.map(|sample| sample?.value?.as_f64()).collect()
    };
    assert_eq!(last(&engineer).await, [Some(900.0), Some(40.0), None]);
    assert_eq!(last(&viewer).await, [None, Some(40.0), None]);
    let denied = bench.plant.last(&nobody, &tags).await.unwrap();
    assert!(denied.iter().flatten().all(|s| s.quality == Quality::from_code(0x801F_0000)));
    let span = Span { from: Timestamp::MIN, to: Timestamp::MAX, newest_first: true };
    assert_eq!(bench.plant.history(&engineer, TagId(1), span, 9).await.unwrap().len(), 1);
    assert!(bench.plant.history(&viewer, TagId(1), span, 9).await.unwrap().is_empty());
    let forwards = Span { newest_first: false, ..span };
    assert_eq!(bench.plant.history(&viewer, TagId(2), forwards, 9).await.unwrap().len(), 1);
    let refused = bench.plant.history(&nobody, TagId(2), span, 9).await;
    assert_eq!(refused, Err(PlantError::Denied));

    // A stream goes on with what its caller sees, and stops with what it sees no more.
    let mut live = bench.plant.live(&viewer).await;
    let next = async |live: &mut Box<dyn Live>| match timeout(SOON, live.next()).await.unwrap() {
        Some(LiveEvent::Samples(samples)) => samples[0].0,
        other => panic!("{other:?}"),
    };
    bench.measure(1, 901.0).await;
    bench.measure(2, 41.0).await;
    assert_eq!(next(&mut live).await, TagId(2));
    bench
        .change(ONE, |draft| {
            let power =
                Tag { grade: Some(Grade::Core), ..tag(2, "1.a/power", Some("1.a/site"), None) };
            draft.update_tag(&power, None).unwrap();
        })
        .await;
    bench.measure(2, 42.0).await;
    bench.measure(3, 7.0).await;
    assert_eq!(next(&mut live).await, TagId(3));
    assert_eq!(last(&viewer).await, [None, None, None]);
}

#[tokio::test]
async fn who_is_let_in_is_written_down_and_sent_away_when_rights_change() {
    let mut bench = Bench::new().await;
    let new = NewToken {
        name: "scada".to_owned(),
        user: None,
        actions: vec![Action::TagRead],
        ceiling: None,
        expires: now().saturating_add(3_600_000_000_000),
    };
    let access = bench.plant.rooms.access.clone();
    let (secret, made) = access.create_token(by(&bench.root), new).await.unwrap();
    let program = bench.try_enter("whoever", &secret).await.unwrap();
    let person = bench.enter("root").await;
    assert!(program.name().starts_with("1.a/user.root by token "), "{}", program.name());
    assert_eq!(person.name(), "1.a/user.root");
    assert_eq!(entry::user_and_token(program.name()), ("1.a/user.root", true));
    assert_eq!(entry::user_and_token(person.name()), ("1.a/user.root", false));
    // A token does no more than it is made for.
    assert_eq!(bench.below(&program, None).await, ["1.a/alone", "1.a/heat", "1.a/power"]);
    let span = Span { from: Timestamp::MIN, to: Timestamp::MAX, newest_first: true };
    let refused = bench.plant.history(&program, TagId(3), span, 1).await;
    assert_eq!(refused, Err(PlantError::Denied));
    access.revoke_token(by(&bench.root), ONE, &made.key).await.unwrap();
    let ended = timeout(SOON, bench.endings.recv()).await.unwrap().unwrap();
    assert_eq!(&*ended, program.name());
    assert!(bench.try_enter("whoever", &secret).await.is_none());
    assert!(bench.try_enter("root", "a guess").await.is_none());

    let client = Client {
        address: "127.0.0.1:9".parse().unwrap(),
        application: String::new(),
        certificate: None,
        encrypted: true,
    };
    for credentials in [Credentials::Anonymous, Credentials::Certificate { der: &[1, 2, 3] }] {
        assert!(bench.plant.authenticate(credentials, &client).await.is_none());
    }
    assert_eq!(bench.signed_in(true).await.len(), 2);
    let wrong = Some("wrong".to_owned());
    assert_eq!(bench.signed_in(false).await, [wrong.clone(), wrong]);
}

#[tokio::test]
async fn a_write_needs_the_right_and_a_tag_that_is_written() {
    let bench = Bench::new().await;
    let (engineer, viewer) = (bench.enter("engineer").await, bench.enter("viewer").await);
    let source = |write: serde_json::Value| Source {
        device: id("1.a/plc"),
        protocol: "modbus".to_owned(),
        address: serde_json::json!({}),
        poll_ms: None,
        scaling: Vec::new(),
        write: Some(write),
    };
    let set = async |write: serde_json::Value| {
        let source = Some(source(write));
        bench
            .change(ONE, |draft| {
                let power = tag(2, "1.a/power", Some("1.a/site"), None);
                draft.update_tag(&Tag { source: source.clone(), ..power }, None).unwrap();
            })
            .await;
    };
    let write = async |who: &Principal, name: &str| {
        bench.plant.write(who, &id(name), Value::F64(1.0)).await
    };
    let writable = async |who: &Principal| {
        let nodes = bench.plant.nodes(who, &[id("1.a/power")]).await.unwrap();
        matches!(&nodes[0], Some(Node::Tag(tag)) if tag.writable)
    };
    assert_eq!(write(&engineer, "1.a/power").await, Err(WriteError::NotWritable));
    set(serde_json::json!({ "confirm": true })).await;
    assert_eq!(write(&engineer, "1.a/power").await, Err(WriteError::Unconfirmed));
    assert!(!writable(&engineer).await);
    set(serde_json::json!({ "max": 5.0 })).await;
    assert!(writable(&engineer).await && !writable(&viewer).await);
    assert_eq!(write(&viewer, "1.a/power").await, Err(WriteError::Denied));
    assert_eq!(write(&viewer, "1.a/heat").await, Err(WriteError::Unknown));
    // There is no such device here, and the order stands in the documents all the same.
    let failed = write(&engineer, "1.a/power").await;
    assert!(matches!(failed, Err(WriteError::Unavailable(_))), "{failed:?}");
    let store = &bench.plant.rooms.store;
    let orders = store.list::<weir_connect::Commands>(ONE, "", None, 10).unwrap().items;
    assert_eq!(orders.len(), 1);
    assert!(orders[0].record.outcome.as_ref().unwrap().error.is_some());
    let page = bench.plant.rooms.audit.page(None, 100, Filter::of(ONE)).await.unwrap();
    let refused = page.items.iter().filter(|item| {
        matches!(&item.entry.event, Event::Refusal { action, .. } if action == "device:control")
    });
    assert_eq!(refused.count(), 1);
}
