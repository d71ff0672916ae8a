use super::*;

const SECOND: i64 = 1_000_000_000;

fn refusal(action: &str, remote: &str, seconds: i64) -> Entry {
    let author = Author {
        tenant: TenantId(1),
        principal: "88.100/user.ada".parse().unwrap(),
        cause: "request".to_owned(),
        request: RequestId(1),
    };
    let event =
        Event::Refusal { action: action.to_owned(), reason: "not-permitted".into(), status: 403 };
    let time = Timestamp::from_nanos(seconds * SECOND);
    Entry::new(time, author, event).from_remote(Some(remote.parse().unwrap()))
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_nanos(seconds * SECOND)
}

#[test]
fn ten_alike_are_copied_and_the_rest_is_counted() {
    let mut floods = Floods::default();
    let verdicts: Vec<_> =
        (0..25).map(|n| floods.meet(&refusal("tag:write", "192.0.2.1", n)).unwrap()).collect();
    assert!(verdicts[..10].iter().all(|v| *v == Verdict::Copy));
    assert!(verdicts[10..].iter().all(|v| *v == Verdict::Count));
    assert!(floods.close(at(59), false).is_empty());
    let [flood] = &floods.close(at(60), false)[..] else { panic!("one flood") };
    let Event::Flood { action, count, first, last, .. } = &flood.event else { panic!() };
    assert_eq!((action.as_str(), *count, *first, *last), ("tag:write", 15, at(10), at(24)));
    assert_eq!(flood.author.tenant, TenantId(1));
    // A new minute begins with copies again.
    assert_eq!(floods.meet(&refusal("tag:write", "192.0.2.1", 61)).unwrap(), Verdict::Copy);
}

#[test]
fn other_kinds_have_windows_of_their_own() {
    let mut floods = Floods::default();
    for n in 0..20 {
        floods.meet(&refusal("tag:write", "192.0.2.1", n)).unwrap();
    }
    assert_eq!(floods.meet(&refusal("tag:read", "192.0.2.1", 1)).unwrap(), Verdict::Copy);
    assert_eq!(floods.meet(&refusal("tag:write", "192.0.2.2", 1)).unwrap(), Verdict::Copy);
    // The addresses of one IPv6 network are one.
    for n in 0..20 {
        floods.meet(&refusal("x", &format!("2001:db8::{n:x}"), 1)).unwrap();
    }
    assert_eq!(floods.meet(&refusal("x", "2001:db8::ffff", 1)).unwrap(), Verdict::Count);
    assert_eq!(floods.meet(&refusal("x", "2001:db8:0:1::1", 1)).unwrap(), Verdict::Copy);
}

#[test]
fn many_kinds_fill_neither_memory_nor_disk() {
    let mut floods = Floods::default();
    let mut copies = 0;
    for n in 0..10_000u32 {
        let remote = IpAddr::from(n.to_be_bytes()).to_string();
        copies += u32::from(floods.meet(&refusal("x", &remote, 1)).unwrap() == Verdict::Copy);
    }
    assert!(floods.windows.len() <= FLOOD_KEYS_MAX);
    assert!(copies <= FLOOD_COPIES_A_MINUTE_MAX);
    let counted: u64 = floods
        .close(at(2), true)
        .iter()
        .map(|entry| match entry.event {
            Event::Flood { count, .. } => count,
            _ => panic!("only floods"),
        })
        .sum();
    assert_eq!(counted + u64::from(copies), 10_000);
}

#[test]
fn guessing_names_is_one_kind() {
    let mut floods = Floods::default();
    let verdict = |floods: &mut Floods, user: String| {
        let mut entry = refusal("", "192.0.2.1", 1);
        entry.event = Event::SignIn { user, ok: false, reason: Some("wrong".into()) };
        floods.meet(&entry).unwrap()
    };
    for n in 0..10 {
        assert_eq!(verdict(&mut floods, format!("user{n}")), Verdict::Copy);
    }
    assert_eq!(verdict(&mut floods, "another".into()), Verdict::Count);
    let mut entry = refusal("", "192.0.2.1", 1);
    entry.event = Event::SignIn { user: "ada".into(), ok: true, reason: None };
    assert!(matches!(floods.meet(&entry), Err(AuditError::NotARefusal)));
}
