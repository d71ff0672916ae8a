use serde_json::json;
use weir_model::RequestId;

use super::*;

fn author(tenant: u32) -> Author {
    Author {
        tenant: TenantId(tenant),
        principal: "88.100/user.ada".parse().unwrap(),
        cause: "tag.update".to_owned(),
        request: RequestId(0xab),
    }
}

fn change(tenant: u32, key: &str) -> Change {
    Change {
        tenant: TenantId(tenant),
        collection: "tags".to_owned(),
        key: key.to_owned(),
        version: 2,
        op: Operation::Put,
    }
}

#[test]
fn the_written_form_stays() {
    let event = Event::Change { position: 7, changes: vec![change(1, "88.100/t")] };
    let entry = Entry::new(Timestamp::from_nanos(1_500_000_000), author(1), event)
        .from_remote(Some("192.0.2.7".parse().unwrap()))
        .with_detail(json!({"before": 1}));
    let expected = json!({
        "time": "1970-01-01T00:00:01.5Z",
        "tenant": 1,
        "principal": "88.100/user.ada",
        "cause": "tag.update",
        "request": "000000000000000000000000000000ab",
        "remote": "192.0.2.7",
        "event": {"change": {"position": 7, "changes": [
            {"tenant": 1, "collection": "tags", "key": "88.100/t", "version": 2, "op": "put"}
        ]}},
        "detail": {"before": 1},
    });
    assert_eq!(serde_json::to_value(&entry).unwrap(), expected);
    assert_eq!(serde_json::from_value::<Entry>(expected).unwrap(), entry);
}

#[test]
fn a_tenant_sees_its_own_and_what_others_did_to_it() {
    let both = Event::Change { position: 1, changes: vec![change(1, "a"), change(2, "b")] };
    let entry = Entry::new(Timestamp::from_nanos(0), author(1), both)
        .from_remote(Some("192.0.2.7".parse().unwrap()))
        .with_detail(json!("secret"));
    assert_eq!(entry.sole_tenant(), None);

    let own = entry.clone().seen_by(TenantId(1)).unwrap();
    assert!(matches!(&own.event, Event::Change { changes, .. } if *changes == [change(1, "a")]));
    assert!(own.remote.is_some());

    let other = entry.clone().seen_by(TenantId(2)).unwrap();
    assert!(matches!(&other.event, Event::Change { changes, .. } if *changes == [change(2, "b")]));
    assert_eq!((other.remote, other.detail), (None, None));

    assert_eq!(entry.seen_by(TenantId(3)), None);
    let note = Event::Note { text: "x".to_owned() };
    let note = Entry::new(Timestamp::from_nanos(0), author(1), note);
    assert_eq!(note.sole_tenant(), Some(TenantId(1)));
    assert_eq!(note.seen_by(TenantId(2)), None);
}
