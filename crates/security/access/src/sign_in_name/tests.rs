use weir_model::Grade;

use super::*;

const OTHER: TenantId = TenantId(7);

/// Where a text is looked up on a node with the organisation `88.100.7` and the first one `88.100`.
fn account(text: &str) -> (TenantId, String) {
    let name = SignInName::parse(text);
    let organisation = match name.organisation().map(Prefix::as_str) {
        Some("88.100.7") => Some(OTHER),
        Some("88.100") => Some(FIRST_TENANT),
        _ => None,
    };
    let (tenant, name) = name.account(organisation);
    (tenant, name.to_owned())
}

#[test]
fn a_name_means_one_organisation() {
    for (text, tenant, name) in [
        ("li", FIRST_TENANT, "li"),
        ("li@88.100", FIRST_TENANT, "li"),
        ("li@88.100.7", OTHER, "li"),
        ("李冰@88.100.7", OTHER, "李冰"),
        // Names of earlier versions.
        ("eve@example.com", FIRST_TENANT, "eve@example.com"),
        ("eve@example.com@88.100", FIRST_TENANT, "eve@example.com"),
        ("eve@example.com@88.100.7", OTHER, "eve@example.com"),
        // Nobody's.
        ("", FIRST_TENANT, ""),
        ("@", FIRST_TENANT, "@"),
        ("@88.100.7", FIRST_TENANT, "@88.100.7"),
        ("li@", FIRST_TENANT, "li@"),
        ("li@88..7", FIRST_TENANT, "li@88..7"),
        ("li@88.100.7/user.li", FIRST_TENANT, "li@88.100.7/user.li"),
        ("li@88.100.8", FIRST_TENANT, "li@88.100.8"),
    ] {
        assert_eq!(account(text), (tenant, name.to_owned()), "{text:?}");
    }
}

#[test]
fn what_is_too_long_is_nobodys() {
    let long = "x".repeat(NAME_CHARS_MAX);
    assert_eq!(account(&format!("{long}@88.100.7")).0, OTHER);
    let prefix = format!("@{}", "p".repeat(PREFIX_BYTES_MAX));
    assert!(SignInName::parse(&format!("{long}{prefix}")).organisation().is_some());
    assert!(SignInName::parse(&format!("{}{prefix}", "x".repeat(10_000))).organisation().is_none());
    assert_eq!(name_key(&"x".repeat(LOOKED_UP_CHARS_MAX + 1)), None);
    assert_eq!(name_key(""), None);
    assert_eq!(name_key("ÄDA").as_deref(), Some("äda"));
}

#[test]
fn users_are_told_what_to_type() {
    let user = |name: &str, prefix: &str| User {
        id: Prefix::parse(prefix).unwrap().child(&format!("user.{name}")).unwrap(),
        name: name.to_owned(),
        full_name: None,
        roles: Vec::new(),
        ceiling: Grade::Public,
        disabled: false,
        subjects: Vec::new(),
    };
    for (name, prefix, tenant, typed) in [
        ("li", "88.100", FIRST_TENANT, "li"),
        ("li", "88.100.7", OTHER, "li@88.100.7"),
        ("eve@example.com", "88.100", FIRST_TENANT, "eve@example.com@88.100"),
        ("eve@example.com", "88.100.7", OTHER, "eve@example.com@88.100.7"),
    ] {
        assert_eq!(user(name, prefix).sign_in_name(tenant), typed);
        assert_eq!(account(typed), (tenant, name.to_owned()), "it leads back");
    }
}
