//! Wills: accepted at CONNECT, kept in memory until they are published or taken back.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use crate::broker::Inner;
use crate::gate::{Act, Principal};
use crate::message::now_ms;
use crate::share::Held;
use crate::tenant::{Origin, Tenant};
use crate::topic;
use crate::wire::{Will, reason};

/// A will that was accepted, with who left it.
#[derive(Debug)]
pub(crate) struct KeptWill {
    will: Will,
    principal: Principal,
    _held: Held,
}

impl KeptWill {
    pub(crate) fn delay_seconds(&self) -> u32 {
        self.will.delay_seconds
    }
}

impl Tenant {
    /// Takes a will, or says the reason code of CONNACK.
    pub(crate) fn accept_will(
        &self,
        broker: &Inner,
        principal: &Principal,
        will: Will,
    ) -> Result<KeptWill, u8> {
        let topic = &will.message.topic;
        topic::check_name(topic, broker.limits.topic()).map_err(|_| reason::TOPIC_INVALID)?;
        if !broker.gate.may(principal, Act::Publish, topic) {
            return Err(reason::NOT_AUTHORIZED);
        }
        let bytes = will.message.weight();
        if bytes > broker.limits.will_bytes_max {
            return Err(reason::QUOTA);
        }
        let held = self.wills.take(bytes as u64).ok_or(reason::QUOTA)?;
        Ok(KeptWill { will, principal: principal.clone(), _held: held })
    }

    /// Publishes wills of a client, as far as who left them may still publish: a will can wait for
    /// as long as a session is kept. Rights are asked outside all locks.
    pub(super) fn publish_wills(&self, broker: &Inner, client_id: &Arc<str>, wills: Vec<KeptWill>) {
        if broker.is_closed() {
            return; // everybody's connection ends; that is no news about one of them
        }
        for KeptWill { will, principal, .. } in wills {
            let mut message = will.message;
            if !broker.gate.may(&principal, Act::Publish, &message.topic) {
                broker.counters.refused.fetch_add(1, Relaxed);
                tracing::warn!(
                    tenant = %self.id,
                    client = ?client_id,
                    user = ?principal.name,
                    "the will of an MQTT client is not published: who left it may not publish to its topic any more"
                );
                continue;
            }
            message.expires_ms =
                will.expiry_seconds.map(|seconds| now_ms() + i64::from(seconds) * 1000);
            if let Err(error) = self.publish_local(broker, message, Origin::Will) {
                broker.counters.refused.fetch_add(1, Relaxed);
                tracing::warn!(tenant = %self.id, client = ?client_id, %error, "publish the will of an MQTT client");
            }
        }
    }
}
