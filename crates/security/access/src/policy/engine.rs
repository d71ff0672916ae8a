//! Cedar: parsing, validating and evaluating policies.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::str::FromStr;
use std::sync::atomic::{AtomicU64, Ordering};

use cedar_policy::ffi::DetailedError;
use cedar_policy::{
    Authorizer, Context, Decision, Entities, Entity, EntityId, EntityTypeName, EntityUid, PolicyId,
    PolicySet, Request, RestrictedExpression, Schema, ValidationMode, Validator,
};
use weir_model::{Grade, TenantId};

use crate::action::Action;
use crate::policy::{DEFAULT_POLICIES, POLICY_BYTES_MAX, Policy, PolicyError, SCHEMA};

/// The schema and the means to evaluate.
pub(crate) struct Engine {
    schema: Schema,
    validator: Validator,
    authorizer: Authorizer,
    types: Types,
    defaults: PolicySet,
    evaluations: AtomicU64,
}

struct Types {
    user: EntityTypeName,
    role: EntityTypeName,
    tenant: EntityTypeName,
    action: EntityTypeName,
}

/// The policies that decide in one scope.
#[derive(Debug)]
pub(crate) struct Rules {
    policies: PolicySet,
    /// A stored document that is no longer valid. Leaving it out could permit what it forbids, so
    /// nothing is permitted as long as it is there.
    pub(crate) unsound: Option<String>,
}

/// Who asks, as policies see it.
#[derive(Debug)]
pub(crate) struct Principal<'a> {
    pub(crate) id: &'a str,
    pub(crate) roles: &'a [String],
    /// Weir's own role, which nobody can be given.
    pub(crate) own_role: Option<&'static str>,
    pub(crate) tenant: TenantId,
    pub(crate) ceiling: Grade,
}

/// What the policies say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Verdict {
    Permitted,
    NotPermitted,
    Forbidden(String),
    Unsound,
    Failed,
}

impl fmt::Debug for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Engine").finish_non_exhaustive()
    }
}

impl Engine {
    /// Reads the schema and the default policies.
    pub(crate) fn new() -> Result<Self, PolicyError> {
        let (schema, _) = Schema::from_cedarschema_str(SCHEMA).map_err(|e| located(&e, SCHEMA))?;
        let name = |text: &str| EntityTypeName::from_str(text).map_err(|e| located(&e, text));
        let types = Types {
            user: name("Weir::User")?,
            role: name("Weir::Role")?,
            tenant: name("Weir::Tenant")?,
            action: name("Weir::Action")?,
        };
        let mut engine = Self {
            validator: Validator::new(schema.clone()),
            schema,
            authorizer: Authorizer::new(),
            types,
            defaults: PolicySet::new(),
            evaluations: AtomicU64::new(0),
        };
        engine.check(DEFAULT_POLICIES)?;
        let mut defaults = PolicySet::new();
        engine.add(&mut defaults, "default", DEFAULT_POLICIES)?;
        engine.defaults = defaults;
        Ok(engine)
    }

    /// How often policies were evaluated.
    pub(crate) fn evaluations(&self) -> u64 {
        self.evaluations.load(Ordering::Relaxed)
    }

    /// Whether a text is valid by itself and against the schema.
    pub(crate) fn check(&self, text: &str) -> Result<(), PolicyError> {
        if text.len() > POLICY_BYTES_MAX {
            let message = format!("a policy document has at most {POLICY_BYTES_MAX} bytes");
            return Err(PolicyError { line: 1, column: 1, message });
        }
        let policies = PolicySet::from_str(text).map_err(|e| located(&e, text))?;
        if policies.templates().next().is_some() {
            let message = "templates cannot be used: there is nothing that would fill them in";
            return Err(PolicyError { line: 1, column: 1, message: message.to_owned() });
        }
        let result = self.validator.validate(&policies, ValidationMode::Strict);
        match result.validation_errors().next() {
            Some(error) => Err(located(error, text)),
            None => Ok(()),
        }
    }

    /// The policies that decide in a scope: the defaults, the node's, and a tenant's own. Which of
    /// them are given is what keeps a tenant's policies within the tenant.
    pub(crate) fn rules(&self, node: &[Policy], tenant: &[Policy]) -> Rules {
        let mut rules = Rules { policies: self.defaults.clone(), unsound: None };
        let sources = node.iter().map(|p| ("node", p)).chain(tenant.iter().map(|p| ("own", p)));
        for (source, policy) in sources {
            let name = format!("{source}/{}", policy.name);
            let added = self.check(&policy.text);
            let added = added.and_then(|()| self.add(&mut rules.policies, &name, &policy.text));
            if let Err(error) = added {
                tracing::error!(policy = name, %error, "a stored policy is not valid");
                rules.unsound.get_or_insert(name);
            }
        }
        rules
    }

    /// Evaluates. Whatever goes wrong permits nothing.
    pub(crate) fn evaluate(
        &self,
        rules: &Rules,
        principal: &Principal<'_>,
        action: Action,
        tenant: TenantId,
    ) -> Verdict {
        self.evaluations.fetch_add(1, Ordering::Relaxed);
        let Some((request, entities)) = self.question(principal, action, tenant) else {
            return Verdict::Failed;
        };
        let response = self.authorizer.is_authorized(&request, &rules.policies, &entities);
        let diagnostics = response.diagnostics();
        if let Some(error) = diagnostics.errors().next() {
            tracing::error!(%error, %action, "a policy could not be evaluated");
            return Verdict::Failed;
        }
        match (response.decision(), diagnostics.reason().next()) {
            (Decision::Allow, _) => Verdict::Permitted,
            (Decision::Deny, Some(policy)) => Verdict::Forbidden(policy.to_string()),
            (Decision::Deny, None) => Verdict::NotPermitted,
        }
    }

    fn question(
        &self,
        principal: &Principal<'_>,
        action: Action,
        tenant: TenantId,
    ) -> Option<(Request, Entities)> {
        let long = |number: u32| RestrictedExpression::new_long(i64::from(number));
        let roles = principal.roles.iter().map(String::as_str).chain(principal.own_role);
        let roles: HashSet<_> = roles.map(|role| uid(&self.types.role, role)).collect();
        let user = uid(&self.types.user, principal.id);
        let scope = uid(&self.types.tenant, &tenant.to_string());
        let action = uid(&self.types.action, action.as_str());
        let user_attributes = HashMap::from([
            ("tenant".to_owned(), long(principal.tenant.0)),
            ("ceiling".to_owned(), long(u32::from(principal.ceiling.number()))),
        ]);
        let scope_attributes = HashMap::from([("tenant".to_owned(), long(tenant.0))]);
        let mut entities: Vec<_> =
            roles.iter().map(|role| Entity::new_no_attrs(role.clone(), HashSet::new())).collect();
        entities.push(Entity::new(user.clone(), user_attributes, roles).ok()?);
        entities.push(Entity::new(scope.clone(), scope_attributes, HashSet::new()).ok()?);
        let entities = Entities::from_entities(entities, Some(&self.schema)).ok()?;
        let schema = Some(&self.schema);
        let request = Request::new(user, action, scope, Context::empty(), schema).ok()?;
        Some((request, entities))
    }

    /// Adds a document's policies under ids of their own: its name and their number, or the id that
    /// they are annotated with.
    fn add(&self, to: &mut PolicySet, name: &str, text: &str) -> Result<(), PolicyError> {
        let parsed = PolicySet::from_str(text).map_err(|e| located(&e, text))?;
        let mut policies: Vec<_> = parsed.policies().cloned().collect();
        policies.sort_by_key(|policy| policy.id().to_string().len());
        for (number, policy) in policies.iter().enumerate() {
            let id = match policy.annotation("id") {
                Some(id) => format!("{name}#{number}.{id}"),
                None => format!("{name}#{number}"),
            };
            to.add(policy.new_id(PolicyId::new(id))).map_err(|e| located(&e, text))?;
        }
        Ok(())
    }
}

fn uid(of: &EntityTypeName, id: &str) -> EntityUid {
    EntityUid::from_type_name_and_id(of.clone(), EntityId::new(id))
}

/// An error of Cedar's with the place it is about. Of several, the first is told.
fn located<'e, E: ?Sized>(error: &'e E, text: &str) -> PolicyError
where
    DetailedError: From<&'e E>,
{
    let error = DetailedError::from(error);
    let start = error.source_locations.first().map_or(0, |label| label.loc.start);
    let before = &text[..text.floor_char_boundary(start)];
    let line = before.matches('\n').count() + 1;
    let column = before.chars().rev().take_while(|c| *c != '\n').count() + 1;
    let label = error.source_locations.first().and_then(|label| label.label.as_deref());
    let mut message = error.message.clone();
    for more in [label, error.help.as_deref()].into_iter().flatten() {
        message.push_str("; ");
        message.push_str(more);
    }
    PolicyError { line, column, message }
}

#[cfg(test)]
mod tests;
