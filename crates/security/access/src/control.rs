//! The token of the command line beside a running node.

use weir_model::TenantId;

use crate::access::Access;
use crate::caller::Caller;
use crate::error::AccessError;
use crate::secret::{TOKEN_PREFIX, key_of, random_secret};

impl Access {
    /// A token for commands on the node's own machine: it acts as the part `command-line` of Weir,
    /// in a tenant and at the node, and ends with the process. It is kept nowhere; whoever makes it
    /// puts it where only the owner of the data folder can read. One is made a process: asked again,
    /// this one stays valid and the new one is not.
    ///
    /// # Errors
    /// [`AccessError::Random`].
    pub fn control_token(&self, tenant: TenantId) -> Result<String, AccessError> {
        let secret = format!("{TOKEN_PREFIX}{}", random_secret()?);
        let key = key_of(&secret).ok_or(AccessError::Random)?;
        let caller = self.system("command-line", tenant);
        self.control().get_or_init(|| (key, caller));
        Ok(secret)
    }

    /// The command line, if that is whose token has the key.
    pub(crate) fn command_line(&self, key: &str) -> Option<Caller> {
        self.control().get().filter(|(own, _)| own == key).map(|(_, caller)| caller.clone())
    }
}
