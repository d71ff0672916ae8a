use super::*;

const ADA: &str = "88.100/user.ada";

fn policy(text: &str) -> Policy {
    Policy { name: "p".to_owned(), text: text.to_owned() }
}

fn verdict(engine: &Engine, rules: &Rules, roles: &[&str], action: Action, tenant: u32) -> Verdict {
    let roles: Vec<_> = roles.iter().map(|role| (*role).to_owned()).collect();
    let principal = Principal {
        id: ADA,
        roles: &roles,
        own_role: Some("signed-in"),
        tenant: TenantId(1),
        ceiling: Grade::General,
    };
    engine.evaluate(rules, &principal, action, TenantId(tenant))
}

/// What each role may do in its own organisation, in another, and at the node.
#[test]
fn the_default_roles() {
    let engine = Engine::new().unwrap();
    let rules = engine.rules(&[], &[]);
    let actions = |role: &str, tenant| -> String {
        let permitted = |action: &&Action| {
            verdict(&engine, &rules, &[role], **action, tenant) == Verdict::Permitted
        };
        let actions: Vec<_> = Action::ALL.iter().filter(permitted).map(|a| a.as_str()).collect();
        actions.join(" ")
    };
    let viewer = "organisation:read asset:read tag:read sample:read device:read identifier:read \
                  session:own";
    assert_eq!(actions("viewer", 1), viewer);
    let operator = "organisation:read asset:read tag:read sample:read sample:write device:read \
                    device:control identifier:read session:own";
    assert_eq!(actions("operator", 1), operator);
    let engineer = "organisation:read asset:read asset:write tag:read tag:write sample:read \
                    sample:write retention:read device:read device:write device:control \
                    identifier:read identifier:write token:read token:write session:own";
    assert_eq!(actions("engineer", 1), engineer);
    let administrator = "organisation:read organisation:write asset:read asset:write tag:read \
                         tag:write sample:read sample:write sample:delete retention:read \
                         retention:write device:read device:write device:control identifier:read identifier:write user:read user:write token:read \
                         token:write policy:read policy:write audit:read session:own";
    assert_eq!(actions("administrator", 1), administrator);
    assert_eq!(actions("unheard-of", 1), "session:own");
    for role in ["viewer", "operator", "engineer", "administrator", "unheard-of"] {
        assert_eq!(actions(role, 2), "", "{role} elsewhere");
        assert_eq!(actions(role, 0), "", "{role} at the node");
    }
    let elsewhere = "organisation:read organisation:write user:read user:write";
    assert_eq!(actions("node-administrator", 2), elsewhere);
    assert_eq!(
        actions("node-administrator", 0),
        format!("{elsewhere} policy:read policy:write audit:read node:read node:admin")
    );
}

#[test]
fn every_action_is_in_the_schema_and_no_other() {
    let engine = Engine::new().unwrap();
    let mut actions: Vec<_> =
        engine.schema.actions().map(|action| action.id().unescaped().to_owned()).collect();
    actions.sort();
    let mut expected: Vec<_> = Action::ALL.iter().map(|a| a.as_str().to_owned()).collect();
    expected.extend(["read", "write", "control", "node"].map(str::to_owned));
    expected.sort();
    assert_eq!(actions, expected);
}

#[test]
fn a_bad_policy_is_refused_with_its_place() {
    let engine = Engine::new().unwrap();
    let error = engine.check("permit (\n  principal,\n  action,\n  resurce\n);").unwrap_err();
    assert_eq!((error.line, error.column), (4, 3), "{error}");
    assert!(error.message.contains("resurce") || error.message.contains("variable"), "{error}");

    let unknown_action =
        "// A comment.\npermit (principal, action == Weir::Action::\"tag:raed\", resource);";
    let error = engine.check(unknown_action).unwrap_err();
    assert_eq!(error.line, 2, "{error}");
    assert!(error.message.contains("tag:raed"), "{error}");
    assert!(error.message.contains("did you mean"), "Cedar's own advice is kept: {error}");

    let unknown_attribute =
        "permit (principal, action, resource)\nwhen {\n  principal.colour == 1\n};";
    let error = engine.check(unknown_attribute).unwrap_err();
    assert_eq!(error.line, 3, "{error}");
    assert!(error.message.contains("colour"), "{error}");

    let template = "permit (principal == ?principal, action, resource);";
    assert!(engine.check(template).unwrap_err().message.contains("template"));
    assert!(engine.check(&" ".repeat(POLICY_BYTES_MAX + 1)).is_err());
    engine.check("").unwrap();
}

#[test]
fn added_policies_permit_and_forbid() {
    let engine = Engine::new().unwrap();
    let permit = r#"permit (principal in Weir::Role::"maintenance",
        action == Weir::Action::"device:write", resource);"#;
    let forbid = format!(
        r#"@id("not-ada") forbid (principal == Weir::User::"{ADA}",
        action in Weir::Action::"write", resource) when {{ principal.ceiling < 2 }};"#
    );
    let rules = engine.rules(&[], &[policy(permit)]);
    let may = |rules: &Rules, role| verdict(&engine, rules, &[role], Action::DeviceWrite, 1);
    assert_eq!(may(&rules, "maintenance"), Verdict::Permitted);
    assert_eq!(may(&rules, "viewer"), Verdict::NotPermitted);
    let rules = engine.rules(&[policy(&forbid)], &[policy(permit)]);
    let forbidden = Verdict::Forbidden("node/p#0.not-ada".to_owned());
    assert_eq!(may(&rules, "maintenance"), forbidden);
    assert_eq!(may(&rules, "administrator"), forbidden);
}

#[test]
fn a_stored_policy_that_is_no_longer_valid_is_noticed() {
    let engine = Engine::new().unwrap();
    assert_eq!(engine.rules(&[], &[]).unsound, None);
    let rules = engine.rules(&[], &[policy("permit (principal")]);
    assert_eq!(rules.unsound.as_deref(), Some("own/p"));
}
