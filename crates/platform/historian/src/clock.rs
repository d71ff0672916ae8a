//! What tells the historian the time.

use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;

use weir_model::Timestamp;

/// A clock. It decides when days and months are over and how old samples are, never which of two
/// samples counts. One that is wrong merges files too early or too late; one that is fast makes
/// retention, where it is set, take samples for older than they are, by at most a day beyond the
/// newest file.
#[derive(Clone)]
pub struct Clock(Arc<dyn Fn() -> Timestamp + Send + Sync>);

impl Clock {
    /// A clock that asks a function.
    pub fn new(now: impl Fn() -> Timestamp + Send + Sync + 'static) -> Self {
        Self(Arc::new(now))
    }

    /// The time at this moment.
    pub(crate) fn now(&self) -> Timestamp {
        (self.0)()
    }
}

/// The system's.
impl Default for Clock {
    fn default() -> Self {
        Self::new(|| Timestamp::from_system(SystemTime::now()))
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Clock").field(&self.now()).finish()
    }
}
