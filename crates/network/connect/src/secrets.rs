//! Secrets of devices: passwords and private keys, apart from the settings that people read.
//!
//! The document of a device has a marker where a secret is set, `{"secret": "set"}`; the secret itself is a
//! record of [`DeviceSecrets`], sealed at rest and left out of exports. Only what runs devices puts the
//! two together.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};
use weir_model::FieldError;
use weir_store::{Collection, History};

/// The secrets of one device, by the name of the settings field. Its debug form shows no value.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Secrets(BTreeMap<String, String>);

/// The secrets of devices, sealed; keys are those of [`crate::Devices`].
#[derive(Debug)]
pub struct DeviceSecrets;

impl Collection for DeviceSecrets {
    const NAME: &'static str = "device_secrets";
    type Record = Secrets;
    const HISTORY: History = History::None;
    const SECRET: bool = true;
}

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

fn marker() -> Json {
    json!({"secret": "set"})
}

impl Secrets {
    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Takes the secrets out of settings, by the description of their protocol, and leaves markers. A
    /// marker that is there already keeps what was `known`.
    ///
    /// # Errors
    /// A secret that is neither a text nor a marker, or a marker of something that is not known.
    pub fn take(
        description: &Json,
        settings: &mut Json,
        known: &Self,
    ) -> Result<Self, Vec<FieldError>> {
        let mut taken = BTreeMap::new();
        let mut errors = Vec::new();
        for name in names(description) {
            let Some(value) = settings.get_mut(name).filter(|value| !value.is_null()) else {
                continue;
            };
            let secret = match value.as_str() {
                Some(text) => Some(text.to_owned()),
                None if *value == marker() => known.0.get(name).cloned(),
                None => None,
            };
            match secret {
                Some(secret) => {
                    *value = marker();
                    taken.insert(name.to_owned(), secret);
                }
                None => errors.push(FieldError {
                    field: format!("/settings/{name}"),
                    detail: "a text is expected; what was kept of it is not there any more"
                        .to_owned(),
                }),
            }
        }
        if errors.is_empty() { Ok(Self(taken)) } else { Err(errors) }
    }

    /// Puts the secrets in the place of their markers.
    pub fn give(&self, settings: &mut Json) {
        for (name, secret) in &self.0 {
            if let Some(value) = settings.get_mut(name)
                && *value == marker()
            {
                *value = secret.as_str().into();
            }
        }
    }

    /// Puts what `sealed` has in the place of the secrets.
    pub fn hide(&self, settings: &mut Json, sealed: &Json) {
        for name in self.0.keys() {
            if let Some(value) = settings.get_mut(name) {
                *value = sealed[name].clone();
            }
        }
    }
}

/// The settings that a description marks as secret.
fn names(description: &Json) -> impl Iterator<Item = &str> {
    let properties = description["settings"]["properties"].as_object();
    properties
        .into_iter()
        .flatten()
        .filter(|(_, field)| field["x-secret"].as_bool() == Some(true))
        .map(|(name, _)| name.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn description() -> Json {
        json!({"settings": {"properties": {
            "host": {}, "password": {"x-secret": true}, "key": {"x-secret": true},
        }}})
    }

    #[test]
    fn secrets_leave_a_marker_and_come_back() {
        let mut settings = json!({"host": "plc", "password": "geheim", "key": null});
        let secrets = Secrets::take(&description(), &mut settings, &Secrets::default()).unwrap();
        assert_eq!(settings, json!({"host": "plc", "password": {"secret": "set"}, "key": null}));
        assert!(!format!("{secrets:?}").contains("geheim"));
        // Sent back as it was shown, it is kept.
        let kept = Secrets::take(&description(), &mut settings, &secrets).unwrap();
        assert_eq!(kept, secrets);
        kept.give(&mut settings);
        assert_eq!(settings["password"], "geheim");
        // Left out, it is gone.
        let mut without = json!({"host": "plc"});
        let none = Secrets::take(&description(), &mut without, &secrets).unwrap();
        assert!(none.is_empty());
    }

    #[test]
    fn a_marker_of_nothing_and_what_is_no_text_are_refused() {
        for value in [json!({"secret": "set"}), json!(5), json!(["x"])] {
            let mut settings = json!({"password": value});
            let errors =
                Secrets::take(&description(), &mut settings, &Secrets::default()).unwrap_err();
            assert_eq!(errors[0].field, "/settings/password");
        }
    }
}
