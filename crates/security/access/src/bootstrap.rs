//! The first user of a node.

use std::fmt;

use weir_model::{Grade, Prefix, TenantId};
use weir_store::{Commit, Versioned};

use crate::access::Access;
use crate::caller::By;
use crate::error::AccessError;
use crate::password::generate_password;
use crate::user::{NewUser, ROLE_NODE_ADMINISTRATOR, SignIns, User};

/// The user that a node without users is given. Its debug form leaves the password out.
#[derive(Clone)]
pub struct Bootstrap {
    /// The tenant of the first organisation.
    pub tenant: TenantId,
    /// Its prefix.
    pub prefix: Prefix,
    /// The name to sign in with.
    pub name: String,
    /// The password; made at random when none.
    pub password: Option<String>,
}

/// The first user and its password, which is kept nowhere: show it once. Its debug form leaves the
/// password out.
#[derive(Clone)]
pub struct Bootstrapped {
    /// The user.
    pub user: Versioned<User>,
    /// The password.
    pub password: String,
}

impl fmt::Debug for Bootstrap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bootstrap").field("name", &self.name).finish_non_exhaustive()
    }
}

impl fmt::Debug for Bootstrapped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bootstrapped").field("user", &self.user).finish_non_exhaustive()
    }
}

impl Bootstrap {
    /// An administrator of the node and of its first organisation, with a random password.
    pub fn administrator(tenant: TenantId, prefix: Prefix, name: &str) -> Self {
        Self { tenant, prefix, name: name.to_owned(), password: None }
    }
}

impl Access {
    /// Creates the first user, an administrator of the node and of its first organisation; none
    /// when that organisation has users already. `by` is a part of Weir, see [`Access::system`].
    ///
    /// # Errors
    /// [`AccessError`].
    pub async fn bootstrap(
        &self,
        by: By<'_>,
        first: Bootstrap,
        with: impl FnOnce(&User, &mut Commit),
    ) -> Result<Option<Bootstrapped>, AccessError> {
        let store = self.store();
        // Earlier versions kept the names in the node, see `SignIns`.
        if store.count::<SignIns>(first.tenant)? + store.count::<SignIns>(TenantId::NODE)? > 0 {
            return Ok(None);
        }
        let password = match first.password {
            Some(password) => password,
            None => generate_password()?,
        };
        let new = NewUser {
            tenant: first.tenant,
            prefix: first.prefix,
            name: first.name,
            full_name: None,
            roles: vec![ROLE_NODE_ADMINISTRATOR.to_owned(), "administrator".to_owned()],
            ceiling: Grade::Core,
            password: Some(password.clone()),
        };
        let user = self.create_user(by, new, with).await?;
        Ok(Some(Bootstrapped { user, password }))
    }
}
