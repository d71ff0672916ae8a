//! Policies: Cedar text, checked against the schema before it is stored.

mod engine;

use serde::{Deserialize, Serialize};
use weir_model::TenantId;
use weir_store::{Collection, Expect, History, PAGE_ITEMS_MAX, Page, Versioned};

use crate::access::Access;
use crate::action::Action;
use crate::caller::By;
use crate::error::AccessError;

pub(crate) use engine::{Engine, Principal, Rules, Verdict};

/// The policies that every node starts with, as Cedar text.
pub const DEFAULT_POLICIES: &str = include_str!("policy/default.cedar");

/// What policies can speak of, as a Cedar schema.
pub const SCHEMA: &str = include_str!("policy/weir.cedarschema");

/// Longest text of one policy document in bytes: parsing takes some 2 ms of it.
pub const POLICY_BYTES_MAX: usize = 64 << 10;

/// Most policy documents of one tenant.
pub const POLICIES_A_TENANT_MAX: usize = 64;

/// Longest name of a policy document.
const NAME_BYTES_MAX: usize = 64;

/// A policy document: one or several Cedar policies.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Policy {
    /// Its name within its tenant.
    pub name: String,
    /// The Cedar text.
    pub text: String,
}

/// The policy documents; keys are their names. Those in [`TenantId::NODE`] hold everywhere, an
/// organisation's within it.
pub struct Policies;

impl Collection for Policies {
    const NAME: &'static str = "policies";
    type Record = Policy;
    const HISTORY: History = History::All;
}

/// Why a text is no policy, in Cedar's own words.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}, column {column}: {message}")]
pub struct PolicyError {
    /// The line, counted from 1.
    pub line: usize,
    /// The column in characters, counted from 1.
    pub column: usize,
    /// What Cedar says, with its advice where it has any.
    pub message: String,
}

impl Access {
    /// Checks a text as it is checked before it is stored.
    ///
    /// # Errors
    /// [`PolicyError`].
    pub fn check_policy(&self, text: &str) -> Result<(), PolicyError> {
        self.engine().check(text)
    }

    /// The policy documents of a tenant in the order of their names.
    ///
    /// # Errors
    /// [`AccessError`] when the store cannot be read.
    pub fn policies(&self, tenant: TenantId) -> Result<Page<Versioned<Policy>>, AccessError> {
        Ok(self.store().list::<Policies>(tenant, "", None, PAGE_ITEMS_MAX)?)
    }

    /// A policy document of a tenant.
    ///
    /// # Errors
    /// [`AccessError`] when the store cannot be read.
    pub fn policy(
        &self,
        tenant: TenantId,
        name: &str,
    ) -> Result<Option<Versioned<Policy>>, AccessError> {
        Ok(self.store().get::<Policies>(tenant, name)?)
    }

    /// Stores a policy document. It takes effect at once, also for what is open.
    ///
    /// # Errors
    /// [`AccessError::Policy`] for a text that is not valid, and other [`AccessError`]s.
    pub async fn put_policy(
        &self,
        by: By<'_>,
        tenant: TenantId,
        name: &str,
        text: &str,
        expect: Expect,
    ) -> Result<Versioned<Policy>, AccessError> {
        self.require(by, Action::PolicyWrite, tenant)?;
        let fits = (1..=NAME_BYTES_MAX).contains(&name.len())
            && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'));
        if !fits {
            let reason = "has 1 to 64 ASCII letters, digits and . _ -";
            return Err(AccessError::InvalidName { what: "a policy's name", reason });
        }
        self.check_policy(text)?;
        let known = self.policy(tenant, name)?;
        if known.is_none()
            && self.store().count::<Policies>(tenant)? >= POLICIES_A_TENANT_MAX as u64
        {
            return Err(AccessError::TooMany { what: "policies", max: POLICIES_A_TENANT_MAX });
        }
        let policy = Policy { name: name.to_owned(), text: text.to_owned() };
        let mut commit = by.commit(tenant, "policy.put");
        commit.put_in::<Policies>(tenant, name, &policy, expect);
        let receipt = self.store().commit(commit).await?;
        let version = receipt.versions.first().copied().unwrap_or(1);
        Ok(Versioned { key: name.to_owned(), version, time: by.now, record: policy })
    }

    /// Deletes a policy document.
    ///
    /// # Errors
    /// [`AccessError`].
    pub async fn delete_policy(
        &self,
        by: By<'_>,
        tenant: TenantId,
        name: &str,
        expect: Expect,
    ) -> Result<(), AccessError> {
        self.require(by, Action::PolicyWrite, tenant)?;
        let found = self.policy(tenant, name)?;
        let found =
            found.ok_or_else(|| AccessError::NotFound { what: "policy", key: name.to_owned() })?;
        let expect = if expect == Expect::Any { Expect::Version(found.version) } else { expect };
        let mut commit = by.commit(tenant, "policy.delete");
        commit.delete_in::<Policies>(tenant, name, expect);
        self.store().commit(commit).await?;
        Ok(())
    }
}
