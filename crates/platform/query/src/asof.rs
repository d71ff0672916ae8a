//! ASOF joins: to each row of one table, the row of another that held at its time.
//!
//! ```sql
//! SELECT * FROM l ASOF JOIN r MATCH_CONDITION (l.time >= r.time) ON l.tag = r.tag
//! ```
//!
//! The grammar is that of [Snowflake](https://docs.snowflake.com/en/sql-reference/constructs/asof-join),
//! and so is the meaning: every row of `l` is there once, with nulls where no row of `r` matches; of
//! those that match, the nearest counts. DataFusion reads the words and plans nothing: here they are
//! turned into an outer join with a mark (`write`), the mark into a step of the plan before any rule
//! could take it for an ordinary join (`plan`), and the step into a merge of two sorted inputs
//! (`exec`, `merge`).

mod exec;
mod mark;
mod merge;
mod plan;
mod write;

pub(crate) use mark::{is_mark, mark};
pub(crate) use plan::{AsofJoins, Planner};
pub(crate) use write::write_joins;

/// Which of the rows that match is the nearest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd)]
enum Match {
    /// `l >= r`: the last one up to `l`.
    UpTo,
    /// `l > r`: the last one before `l`.
    Before,
    /// `l <= r`: the first one from `l` on.
    From,
    /// `l < r`: the first one after `l`.
    After,
}

impl Match {
    const ALL: [Self; 4] = [Self::UpTo, Self::Before, Self::From, Self::After];

    const fn sign(self) -> &'static str {
        match self {
            Self::UpTo => ">=",
            Self::Before => ">",
            Self::From => "<=",
            Self::After => "<",
        }
    }

    /// The one with this sign.
    fn of(sign: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.sign() == sign)
    }

    /// The same with the sides exchanged.
    const fn turned(self) -> Self {
        match self {
            Self::UpTo => Self::From,
            Self::Before => Self::After,
            Self::From => Self::UpTo,
            Self::After => Self::Before,
        }
    }

    /// Whether it looks for rows of the past.
    const fn looks_back(self) -> bool {
        matches!(self, Self::UpTo | Self::Before)
    }
}
