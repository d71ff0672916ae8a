//! What can be done: the enumerated actions.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

macro_rules! actions {
    ($($(#[$doc:meta])* $name:ident = $text:literal;)*) => {
        /// Something that can be permitted. Every route of the API declares one; the written form
        /// (`tag:read`) is the same in policies, tokens and the audit.
        #[derive(
            Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize,
        )]
        #[non_exhaustive]
        pub enum Action { $($(#[$doc])* #[serde(rename = $text)] $name,)* }

        impl Action {
            /// Every action.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];
            /// The action as it is written.
            pub const fn as_str(self) -> &'static str { match self { $(Self::$name => $text,)* } }
        }
    };
}

actions! {
    /// See an organisation and its name.
    OrganisationRead = "organisation:read";
    /// Change an organisation; in the node's scope, found one.
    OrganisationWrite = "organisation:write";
    /// See the asset tree.
    AssetRead = "asset:read";
    /// Change the asset tree.
    AssetWrite = "asset:write";
    /// See tags and what they mean.
    TagRead = "tag:read";
    /// Create and change tags.
    TagWrite = "tag:write";
    /// Read values, live and historical.
    SampleRead = "sample:read";
    /// Send values in.
    SampleWrite = "sample:write";
    /// Delete values that are stored.
    SampleDelete = "sample:delete";
    /// See how long values are kept.
    RetentionRead = "retention:read";
    /// Say how long values are kept.
    RetentionWrite = "retention:write";
    /// See devices and their states.
    DeviceRead = "device:read";
    /// Create, change, test and restart devices.
    DeviceWrite = "device:write";
    /// Write values to a plant's devices.
    DeviceControl = "device:control";
    /// Resolve identifiers beyond what is public.
    IdentifierRead = "identifier:read";
    /// Register identifiers that stand for themselves, change and withdraw their records.
    IdentifierWrite = "identifier:write";
    /// See users.
    UserRead = "user:read";
    /// Create and change users.
    UserWrite = "user:write";
    /// See tokens (never their secrets).
    TokenRead = "token:read";
    /// Make and revoke tokens.
    TokenWrite = "token:write";
    /// See policies.
    PolicyRead = "policy:read";
    /// Change policies.
    PolicyWrite = "policy:write";
    /// See the audit.
    AuditRead = "audit:read";
    /// See how the node itself is doing.
    NodeRead = "node:read";
    /// Administer the node: backups, exports, settings.
    NodeAdmin = "node:admin";
    /// See and end one's own session, and change one's own password.
    SessionOwn = "session:own";
}

impl Action {
    /// Whether it is about the node as a whole, and therefore never permitted in a tenant's scope.
    pub const fn is_of_node(self) -> bool {
        matches!(self, Self::NodeRead | Self::NodeAdmin)
    }

    /// Whether only the node's own policies decide about it, so that no tenant can lock itself out
    /// of its own policies.
    pub const fn is_beyond_tenant_policies(self) -> bool {
        matches!(self, Self::PolicyRead | Self::PolicyWrite | Self::SessionOwn) || self.is_of_node()
    }
}

// Derived, the schema would list the names of the variants: it does not see a `rename` that a macro
// filled in.
impl utoipa::PartialSchema for Action {
    fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::Schema> {
        use utoipa::openapi::schema::{ObjectBuilder, SchemaType, Type};
        ObjectBuilder::new()
            .schema_type(SchemaType::new(Type::String))
            .description(Some(
                "Something that can be permitted. Every operation of the interface declares one; \
                 the written form is the same in policies, tokens and the audit.",
            ))
            .enum_values(Some(Self::ALL.iter().map(|action| action.as_str())))
            .into()
    }
}

impl utoipa::ToSchema for Action {
    fn name() -> std::borrow::Cow<'static, str> {
        "Action".into()
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// No action is written like that.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no action {0:?}")]
pub struct ActionError(pub String);

impl FromStr for Action {
    type Err = ActionError;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let found = Self::ALL.iter().find(|action| action.as_str() == text);
        found.copied().ok_or_else(|| ActionError(text.chars().take(64).collect()))
    }
}
