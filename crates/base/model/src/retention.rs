//! How long samples are kept, and how many of them: rules by age.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Most rules of one tenant: each of them keeps less than the one before it, so that there can be
/// no more.
pub const RETENTION_RULES_MAX: usize = 4;

/// Latest age a rule can begin at, in days: a hundred years.
pub const RETENTION_DAYS_MAX: u32 = 36_525;

/// What is kept of a tag's samples, from most to least. Of a minute, an hour or a day (UTC), the
/// first, the lowest, the highest and the last sample are kept as they are, and one of bad quality
/// where there are any: a line through them has the same extremes and the same gaps.
#[derive(
    Debug,
    Clone,
    Copy,
    Default,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    ToSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Keep {
    /// Every sample.
    #[default]
    All,
    /// The extremes of every minute.
    Minute,
    /// The extremes of every hour.
    Hour,
    /// The extremes of every day.
    Day,
    /// No sample.
    Nothing,
}

impl Keep {
    /// Nanoseconds of the stretches whose extremes are kept; none where there are no stretches.
    pub const fn stretch_nanos(self) -> Option<i64> {
        const MINUTE: i64 = 60_000_000_000;
        match self {
            Self::All | Self::Nothing => None,
            Self::Minute => Some(MINUTE),
            Self::Hour => Some(60 * MINUTE),
            Self::Day => Some(24 * 60 * MINUTE),
        }
    }

    /// Its name, as it is written.
    pub const fn name(self) -> &'static str {
        match self {
            Self::All => "all",
            Self::Minute => "minute",
            Self::Hour => "hour",
            Self::Day => "day",
            Self::Nothing => "nothing",
        }
    }

    /// The one of a name.
    pub fn from_name(name: &str) -> Option<Self> {
        let all = [Self::All, Self::Minute, Self::Hour, Self::Day, Self::Nothing];
        all.into_iter().find(|keep| keep.name() == name)
    }
}

/// From which age on what is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RetentionRule {
    /// Days after a sample's time.
    #[schema(minimum = 1, maximum = 36_525)]
    pub after_days: u32,
    /// What is kept of samples that are older.
    pub keep: Keep,
}

/// Rules in order: each begins later than the one before it and keeps less. Without rules
/// everything is kept.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Vec<RetentionRule>", into = "Vec<RetentionRule>")]
pub struct Retention(Vec<RetentionRule>);

/// Rules are not in order, too many, or out of range.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RetentionError {
    /// There are too many.
    #[error("at most {RETENTION_RULES_MAX} rules are kept")]
    TooMany,
    /// A rule begins too early or too late.
    #[error("rule {index}: after_days is from 1 to {RETENTION_DAYS_MAX}")]
    Days {
        /// Which rule, from 0.
        index: usize,
    },
    /// A rule does not follow the one before it.
    #[error(
        "rule {index}: each rule begins later than the one before it and keeps less, the first less than all"
    )]
    Order {
        /// Which rule, from 0.
        index: usize,
    },
}

impl Retention {
    /// Checks rules.
    ///
    /// # Errors
    /// [`RetentionError`].
    pub fn new(rules: Vec<RetentionRule>) -> Result<Self, RetentionError> {
        if rules.len() > RETENTION_RULES_MAX {
            return Err(RetentionError::TooMany);
        }
        let (mut days, mut keep) = (0, Keep::All);
        for (index, rule) in rules.iter().enumerate() {
            if !(1..=RETENTION_DAYS_MAX).contains(&rule.after_days) {
                return Err(RetentionError::Days { index });
            }
            if rule.after_days <= days || rule.keep <= keep {
                return Err(RetentionError::Order { index });
            }
            (days, keep) = (rule.after_days, rule.keep);
        }
        Ok(Self(rules))
    }

    /// The rules.
    pub fn rules(&self) -> &[RetentionRule] {
        &self.0
    }

    /// What is kept of samples that are so many nanoseconds old.
    pub fn keep(&self, age_nanos: i128) -> Keep {
        const DAY: i128 = 86_400_000_000_000;
        let applies = |rule: &&RetentionRule| age_nanos > i128::from(rule.after_days) * DAY;
        self.0.iter().rev().find(applies).map_or(Keep::All, |rule| rule.keep)
    }
}

impl TryFrom<Vec<RetentionRule>> for Retention {
    type Error = RetentionError;

    fn try_from(rules: Vec<RetentionRule>) -> Result<Self, RetentionError> {
        Self::new(rules)
    }
}

impl From<Retention> for Vec<RetentionRule> {
    fn from(retention: Retention) -> Self {
        retention.0
    }
}

#[cfg(test)]
mod tests;
