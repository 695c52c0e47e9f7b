//! The three words that this provider has for a transaction.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What the provider says about a transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Accepted, outcome not decided yet.
    Pending,
    /// Money moved.
    Completed,
    /// Money did not move.
    Declined,
}

impl Status {
    /// The word that goes over the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Completed => "completed",
            Self::Declined => "declined",
        }
    }

    /// The other final status; pending has none and stays itself.
    #[must_use]
    pub const fn opposite(self) -> Self {
        match self {
            Self::Pending => Self::Pending,
            Self::Completed => Self::Declined,
            Self::Declined => Self::Completed,
        }
    }

    /// Whether the provider is done with the transaction.
    #[must_use]
    pub const fn is_final(self) -> bool {
        !matches!(self, Self::Pending)
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
