//! Decisions: may this caller do that, there?

use std::sync::Arc;

use weir_model::TenantId;

use crate::access::Access;
use crate::action::Action;
use crate::cache::Question;
use crate::caller::{By, Caller, Scope, Via};
use crate::error::{AccessError, Denied, DeniedReason};
use crate::policy::{Policy, Principal, Rules, Verdict};
use crate::user::User;

impl Access {
    /// Whether a caller may do something in a scope. Policies are evaluated once per caller, action
    /// and scope and remembered until a policy or the user changes.
    ///
    /// # Errors
    /// [`Denied`] with the reason.
    pub fn decide(&self, caller: &Caller, action: Action, scope: Scope) -> Result<(), Denied> {
        let denied = |reason| Err(Denied { action, reason });
        if caller.limited_to().is_some_and(|actions| !actions.contains(&action)) {
            return denied(DeniedReason::TokenScope);
        }
        if action.is_of_node() && scope != Scope::NODE {
            return denied(DeniedReason::NotPermitted);
        }
        let question = Question {
            principal: caller.principal.clone(),
            is_system: caller.via == Via::System,
            home: caller.tenant,
            user_version: caller.basis.user_version,
            ceiling: caller.ceiling,
            action,
            tenant: scope.tenant,
        };
        let (remembered, changes) = {
            let cache = self.current();
            (cache.decisions.get(&question), cache.changes)
        };
        let verdict = match remembered {
            Some(verdict) => verdict,
            None => {
                let verdict = self.evaluate(caller, action, scope.tenant);
                let mut cache = self.current();
                if cache.changes == changes && verdict != Verdict::Failed {
                    cache.decisions.insert(question, verdict.clone());
                }
                verdict
            }
        };
        match verdict {
            Verdict::Permitted => Ok(()),
            _ if caller.is_anonymous() => denied(DeniedReason::Anonymous),
            Verdict::NotPermitted => denied(DeniedReason::NotPermitted),
            Verdict::Forbidden(policy) => denied(DeniedReason::Forbidden { policy }),
            Verdict::Unsound => denied(DeniedReason::PolicyInvalid),
            Verdict::Failed => denied(DeniedReason::Failed),
        }
    }

    /// Everything that a caller may do in a scope.
    pub fn permissions(&self, caller: &Caller, scope: Scope) -> Vec<Action> {
        let permitted = |action: &Action| self.decide(caller, *action, scope).is_ok();
        Action::ALL.iter().copied().filter(permitted).collect()
    }

    /// How often policies have been evaluated since the node started.
    pub fn evaluations(&self) -> u64 {
        self.engine().evaluations()
    }

    pub(crate) fn require(
        &self,
        by: By<'_>,
        action: Action,
        tenant: TenantId,
    ) -> Result<(), AccessError> {
        Ok(self.decide(by.caller, action, Scope { tenant })?)
    }

    /// What a user of a tenant may do by its roles, there and at the node as a whole: a policy of
    /// the node's may give a role of any name something in the node's scope.
    ///
    /// # Errors
    /// When the policies cannot be read: nothing is known of the user's rights then.
    pub(crate) fn actions_of_roles(
        &self,
        tenant: TenantId,
        user: &User,
    ) -> Result<Vec<(Action, Scope)>, AccessError> {
        let principal = Principal {
            id: &user.id.folded(),
            roles: &user.roles,
            own_role: Some("signed-in"),
            tenant,
            ceiling: user.ceiling,
        };
        let mut permitted = Vec::new();
        for scope in [Scope { tenant }, Scope::NODE] {
            for action in Action::ALL.iter().copied() {
                if action.is_of_node() && scope != Scope::NODE {
                    continue;
                }
                let rules = self.rules_for(action, tenant, scope.tenant)?;
                let verdict = self.engine().evaluate(&rules, &principal, action, scope.tenant);
                if verdict == Verdict::Permitted {
                    permitted.push((action, scope));
                }
            }
        }
        Ok(permitted)
    }

    fn evaluate(&self, caller: &Caller, action: Action, tenant: TenantId) -> Verdict {
        // Weir's own parts must go on whatever a tenant forbids.
        let home = if caller.via == Via::System { TenantId::NODE } else { caller.tenant };
        let rules = match self.rules_for(action, home, tenant) {
            Ok(rules) => rules,
            Err(error) => {
                tracing::error!(%error, "the policies cannot be read");
                return Verdict::Failed;
            }
        };
        if rules.unsound.is_some() {
            return Verdict::Unsound;
        }
        let principal = Principal {
            id: &caller.principal.folded(),
            roles: &caller.roles,
            own_role: match caller.via {
                Via::Anonymous => None,
                Via::Session | Via::Token | Via::Password => Some("signed-in"),
                Via::System => Some("system"),
            },
            tenant: caller.tenant,
            ceiling: caller.ceiling,
        };
        self.engine().evaluate(&rules, &principal, action, tenant)
    }

    /// The policies that decide about an action of somebody of one tenant in another. A tenant's
    /// own are among them only when both are that tenant, which is what keeps them from permitting
    /// or forbidding anything elsewhere.
    fn rules_for(
        &self,
        action: Action,
        home: TenantId,
        tenant: TenantId,
    ) -> Result<Arc<Rules>, AccessError> {
        let own = home == tenant && !action.is_beyond_tenant_policies();
        let of = if own { tenant } else { TenantId::NODE };
        let changes = {
            let cache = self.current();
            if let Some(rules) = cache.rules.get(&of) {
                return Ok(rules);
            }
            cache.changes
        };
        let texts = |tenant| -> Result<Vec<Policy>, AccessError> {
            Ok(self.policies(tenant)?.items.into_iter().map(|policy| policy.record).collect())
        };
        let own = if of == TenantId::NODE { Vec::new() } else { texts(of)? };
        let rules = Arc::new(self.engine().rules(&texts(TenantId::NODE)?, &own));
        let mut cache = self.current();
        if cache.changes == changes {
            cache.rules.insert(of, Arc::clone(&rules));
        }
        Ok(rules)
    }
}
