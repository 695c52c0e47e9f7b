//! What an inquiry is answered, by whichever provider.

use std::time::Duration;

use crate::clock::Clock;
use crate::limit::{StatusLimit, Verdict};

/// The answer to one inquiry; `T` is what was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Inquiry<T> {
    Found(T),
    NotFound,
    TooMany { retry_after: Duration },
    Blocked { retry_after: Duration },
    Code(u16),
}

impl<T> Inquiry<T> {
    /// What the limit answers in place of the record, if it does; waits are real time.
    pub(crate) fn limited(
        limit: Option<&mut StatusLimit>,
        now_ms: u64,
        clock: &Clock,
    ) -> Option<Self> {
        match limit.map(|limit| limit.ask(now_ms)) {
            None | Some(Verdict::Pass) => None,
            Some(Verdict::TooMany { retry_after_ms }) => Some(Self::TooMany {
                retry_after: clock.real(retry_after_ms),
            }),
            Some(Verdict::Blocked { retry_after_ms }) => Some(Self::Blocked {
                retry_after: clock.real(retry_after_ms),
            }),
        }
    }

    pub(crate) const fn code(&self) -> u16 {
        match self {
            Self::Found(_) => 200,
            Self::NotFound => 404,
            Self::TooMany { .. } => 429,
            Self::Blocked { .. } => 403,
            Self::Code(code) => *code,
        }
    }
}
