//! The OpenAPI document, made from the table of routes.

use std::collections::BTreeSet;

use serde_json::{Value as Json, json};
use utoipa::openapi::path::{Operation, PathItem};
use utoipa::openapi::security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{
    Components, ContentBuilder, Info, License, OpenApi, Paths, Ref, RefOr, ResponseBuilder, Schema,
    SecurityRequirement, Tag,
};
use utoipa::{PartialSchema, ToSchema};
use weir_model::{FieldError, Problem, ProblemCode};

use crate::door::{Permission, Reach, Route};
use crate::routes;

/// The parts of the interface, in the order they are read.
const TAGS: &[(&str, &str)] = &[
    ("session", "Signing in and out"),
    ("overview", "The state of the organisation"),
    ("organisations", "The tenants of the node"),
    ("assets", "The asset tree (ISA-95)"),
    ("tags", "Signals: what they mean and where they come from"),
    ("samples", "Values in and out, historical and live"),
    ("query", "SQL over samples, tags and assets"),
    ("identifiers", "What an identifier leads to"),
    ("devices", "Machines and the protocols they speak"),
    ("mqtt", "The MQTT broker of the node"),
    ("opcua", "The OPC UA server of the node"),
    ("users", "People and programs"),
    ("tokens", "How programs show who they are"),
    ("policies", "Who may do what"),
    ("audit", "Who did what"),
    ("node", "Health, metrics, documents as a whole"),
];

/// The document of this version's interface. It depends on nothing but the source.
pub fn openapi() -> OpenApi {
    let mut components = Components::new();
    let mut paths = Paths::new();
    for schema in [(Problem::name(), Problem::schema()), (FieldError::name(), FieldError::schema())]
    {
        components.schemas.insert(schema.0.into_owned(), schema.1);
    }
    components.schemas.insert(ProblemCode::name().into_owned(), ProblemCode::schema());
    for route in routes::table() {
        let permission = route.permission;
        let Route { methods: (schemas, route_paths, _), .. } = route;
        components.schemas.extend(schemas);
        for (path, mut item) in route_paths.paths {
            for (method, operation) in operations(&mut item) {
                describe(operation, method, &path, permission);
            }
            match paths.paths.get_mut(&path) {
                Some(existing) => existing.merge_operations(item),
                None => {
                    paths.paths.insert(path, item);
                }
            }
        }
    }
    nullables(&mut components);
    patches(&mut paths, &mut components);
    prune(&paths, &mut components);
    let bearer = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).build();
    let cookie = ApiKey::Cookie(ApiKeyValue::new(crate::door::COOKIE));
    components.add_security_scheme("token", SecurityScheme::Http(bearer));
    components.add_security_scheme("session", SecurityScheme::ApiKey(cookie));
    let mut info = Info::new("Weir", "1");
    info.description = Some(
        "The HTTP interface of a Weir node. Times are RFC 3339 in UTC with up to nine decimals. \
         Identifiers in paths are percent-encoded as one segment. A list is {\"items\", \"next\"}; \
         send \"next\" as \"cursor\" to go on. A document's ETag is its version; PATCH is a JSON \
         merge patch (RFC 7396), and If-Match is honoured where it is sent. Every failure is a \
         problem (RFC 9457) with a stable code. \"x-weir-permission\" names what an operation asks \
         for."
            .to_owned(),
    );
    let mut license = License::new("Apache-2.0");
    license.identifier = Some("Apache-2.0".to_owned());
    info.license = Some(license);
    let mut document = OpenApi::new(info, paths);
    document.components = Some(components);
    document.tags = Some(
        TAGS.iter()
            .map(|(name, description)| {
                let mut tag = Tag::new(*name);
                tag.description = Some((*description).to_owned());
                tag
            })
            .collect(),
    );
    document
}

/// The document as JSON with a line end.
pub fn openapi_json() -> String {
    let text = openapi().to_pretty_json().unwrap_or_default();
    format!("{text}\n")
}

fn operations(item: &mut PathItem) -> Vec<(&'static str, &mut Operation)> {
    let all = [
        ("get", &mut item.get),
        ("put", &mut item.put),
        ("post", &mut item.post),
        ("patch", &mut item.patch),
        ("delete", &mut item.delete),
    ];
    all.into_iter().filter_map(|(method, op)| Some((method, op.as_mut()?))).collect()
}

/// Adds what every operation has and no handler should have to repeat.
fn describe(operation: &mut Operation, method: &str, path: &str, permission: Permission) {
    let mut problems = vec![("429", "Too many requests, or too many failed sign-ins")];
    let asked = match permission {
        Permission::Public => {
            operation.security = Some(vec![SecurityRequirement::default()]);
            if operation.request_body.is_some() {
                problems.push(("401", "Wrong credentials"));
            }
            "public".to_owned()
        }
        Permission::Needs(action, reach) => {
            problems.push(("401", "No credentials, or wrong ones"));
            problems.push(("403", "Not permitted"));
            let token = SecurityRequirement::new::<_, [&str; 0], &str>("token", []);
            let session = SecurityRequirement::new::<_, [&str; 0], &str>("session", []);
            operation.security = Some(vec![token, session]);
            match reach {
                Reach::Tenant => action.to_string(),
                Reach::Node => format!("{action} at the node"),
            }
        }
    };
    if path.contains('{') {
        problems.push(("404", "Nothing has that identifier, or the caller may not know of it"));
    }
    if operation.parameters.as_ref().is_some_and(|all| !all.is_empty())
        || operation.request_body.is_some()
    {
        problems.push(("400", "The request is not well-formed"));
    }
    if operation.request_body.is_some() {
        problems.push(("413", "The body is too large"));
        problems.push(("415", "The content type or encoding is not read here"));
        problems.push(("422", "A field does not fit the rules"));
    }
    if method != "get" && path != "/api/v1/session" {
        problems.push(("409", "In conflict with what is there, or a bound is reached"));
    }
    if path == "/api/v1/tags/{id}/write" {
        problems.push(("428", "The tag's limits ask for \"confirm\""));
    }
    if path == "/api/v1/tags/{id}/write" || (path.starts_with("/api/v1/devices") && method != "get")
    {
        problems.push(("502", "The device answered with an error or not at all"));
    }
    if matches!(method, "patch" | "put" | "delete") && path.contains('{') {
        problems.push(("412", "Another version than If-Match names"));
    }
    if path == "/api/v1/query" {
        problems.push(("501", "The program was built without SQL"));
    }
    problems.push(("500", "A mistake of Weir's; the log tells more under the request's id"));
    problems.push(("503", "Overloaded, stopping, or the disk is full; nothing was stored"));
    problems.push(("504", "It took longer than a request may"));
    for (status, description) in problems {
        let content = ContentBuilder::new().schema(Some(Ref::from_schema_name("Problem"))).build();
        let response = ResponseBuilder::new()
            .description(description)
            .content("application/problem+json", content)
            .build();
        operation.responses.responses.insert(status.to_owned(), RefOr::T(response));
    }
    let extensions = operation.extensions.get_or_insert_default();
    extensions.insert("x-weir-permission".to_owned(), json!(asked));
}

/// Takes out the schemas that nothing refers to any more.
fn prune(paths: &Paths, components: &mut Components) {
    let mut used = BTreeSet::new();
    let mut open = vec![serde_json::to_value(paths).unwrap_or_default()];
    // Every round adds names of schemas or is the last one.
    while let Some(part) = open.pop() {
        let mut found = BTreeSet::new();
        references(&part, &mut found);
        for name in found {
            if let Some(schema) = components.schemas.get(&name)
                && used.insert(name)
            {
                open.push(serde_json::to_value(schema).unwrap_or_default());
            }
        }
    }
    components.schemas.retain(|name, _| used.contains(name));
}

/// The names of the schemas that a part refers to. Depth is that of our own document.
fn references(part: &Json, found: &mut BTreeSet<String>) {
    match part {
        Json::Object(fields) => {
            if let Some(Json::String(reference)) = fields.get("$ref") {
                found.extend(reference.rsplit('/').next().map(str::to_owned));
            }
            fields.values().for_each(|part| references(part, found));
        }
        Json::Array(items) => items.iter().for_each(|part| references(part, found)),
        _ => {}
    }
}

/// Any JSON may be null already: where a field is any JSON or null, `oneOf` would match null twice
/// and therefore refuse it.
fn nullables(components: &mut Components) {
    let written = |schema: &RefOr<Schema>| serde_json::to_value(schema).unwrap_or_default();
    let all: Vec<_> = components.schemas.iter().map(|(k, v)| (k.clone(), written(v))).collect();
    let is_any = |schema: &Json| {
        let Json::Object(fields) = schema else { return false };
        fields.keys().all(|key| matches!(key.as_str(), "description" | "default" | "example"))
    };
    let any: BTreeSet<String> = all
        .iter()
        .filter(|(_, schema)| is_any(schema))
        .map(|(name, _)| format!("#/components/schemas/{name}"))
        .collect();
    let is_any = |schema: &Json| {
        is_any(schema) || schema["$ref"].as_str().is_some_and(|name| any.contains(name))
    };
    for (name, mut schema) in all {
        if loosen(&mut schema, &is_any)
            && let Ok(schema) = serde_json::from_value(schema)
        {
            components.schemas.insert(name, schema);
        }
    }
}

/// Whether there was a `oneOf` of null and any JSON, which is any JSON now. Depth is that of our own
/// document.
fn loosen(part: &mut Json, is_any: &impl Fn(&Json) -> bool) -> bool {
    let mut changed = false;
    match part {
        Json::Object(fields) => {
            let other = match fields.get("oneOf").and_then(Json::as_array).map(Vec::as_slice) {
                Some([null, other]) if *null == json!({"type": "null"}) && is_any(other) => {
                    other.as_object().cloned()
                }
                _ => None,
            };
            if let Some(other) = other {
                fields.remove("oneOf");
                for (key, value) in other {
                    fields.entry(key).or_insert(value);
                }
                changed = true;
            }
            for part in fields.values_mut() {
                changed |= loosen(part, is_any);
            }
        }
        Json::Array(items) => {
            for part in items {
                changed |= loosen(part, is_any);
            }
        }
        _ => {}
    }
    changed
}

/// A merge patch has the fields of the whole document, none of which is required and each of which
/// may be null: its schema is made from the document's.
fn patches(paths: &mut Paths, components: &mut Components) {
    for operation in paths.paths.values_mut().filter_map(|item| item.patch.as_mut()) {
        let Some(body) = &mut operation.request_body else { continue };
        for content in body.content.values_mut() {
            let Some(RefOr::Ref(whole)) = &content.schema else { continue };
            let Some(name) = whole.ref_location.rsplit('/').next().map(str::to_owned) else {
                continue;
            };
            let Some(schema) = components.schemas.get(&name) else { continue };
            let Ok(mut patch) = serde_json::to_value(schema) else { continue };
            if let Json::Object(fields) = &mut patch {
                fields.remove("required");
                fields.remove("example");
            }
            let Ok(patch) = serde_json::from_value(patch) else { continue };
            let stem =
                name.trim_end_matches("Input").trim_end_matches("Edit").trim_end_matches("Patch");
            let patch_name = format!("{stem}MergePatch");
            content.schema = Some(RefOr::Ref(Ref::from_schema_name(&patch_name)));
            components.schemas.insert(patch_name, patch);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn enumerations_are_written_as_on_the_wire() {
        let document = serde_json::to_value(openapi()).unwrap();
        let schemas = &document["components"]["schemas"];
        let actions: Vec<_> = weir_access::Action::ALL.iter().map(|a| json!(a)).collect();
        assert_eq!(schemas["Action"]["enum"], json!(actions));
        let codes: Vec<_> = ProblemCode::ALL.iter().map(|code| json!(code)).collect();
        assert_eq!(schemas["ProblemCode"]["enum"], json!(codes));
    }

    #[test]
    fn any_json_matches_null_once() {
        let document = serde_json::to_value(openapi()).unwrap();
        let schemas = &document["components"]["schemas"];
        for (schema, field) in [("SampleView", "value"), ("Source", "write"), ("Written", "after")]
        {
            let field = &schemas[schema]["properties"][field];
            assert!(field["description"].is_string() && field.get("oneOf").is_none(), "{field}");
            assert!(field.get("type").is_none(), "{field}");
        }
        let text = document.to_string();
        assert!(!text.contains(r#"{"type":"null"},{}"#), "a oneOf with null and any JSON is left");
    }
}
