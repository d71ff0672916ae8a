//! What every system is asked.

/// How an answer's numbers came to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Column {
    /// As it was stored, or counted.
    Number,
    /// A sum over a number.
    Average,
}

/// One question.
#[derive(Debug)]
pub(super) struct Question {
    /// As files and numbers are called.
    pub(super) name: &'static str,
    /// As people read it.
    pub(super) label: &'static str,
    /// The numbers of a row.
    pub(super) columns: &'static [Column],
}

const BUCKET: &[Column] = &[Column::Average, Column::Number, Column::Number];

/// All of them, in the order in which they are shown.
pub(super) const QUESTIONS: &[Question] = &[
    Question { name: "last_one", label: "last value of one tag", columns: &[Column::Number] },
    Question { name: "last_all", label: "last values of all tags", columns: &[Column::Number] },
    Question { name: "raw_hour", label: "raw hour of one tag", columns: &[Column::Number] },
    Question { name: "down_one", label: "one tag by minute", columns: BUCKET },
    Question { name: "down_ten", label: "ten tags by minute", columns: BUCKET },
    Question { name: "down_all", label: "all tags by hour", columns: BUCKET },
    Question {
        name: "filter_rows",
        label: "rows of all tags above a number (few)",
        columns: &[Column::Number],
    },
    Question {
        name: "filter_count",
        label: "number of rows above a number (half)",
        columns: &[Column::Number],
    },
    Question {
        name: "per_tag",
        label: "count, average, least, greatest by tag",
        columns: &[Column::Number, Column::Average, Column::Number, Column::Number],
    },
];

/// A question by its name.
#[cfg(test)]
pub(super) fn question(name: &str) -> Option<&'static Question> {
    QUESTIONS.iter().find(|question| question.name == name)
}
