//! The last question before a request's first byte: may it still go out?
//!
//! Between the decision to send and the first byte lie a commit, a token fetch and a connection, each as
//! slow as it likes. So the permission is a question that the request itself asks at the last moment, not
//! a value that was true earlier (laws 2 and 3).

use std::sync::Arc;

/// Whether a request may go out at this very moment.
#[derive(Clone)]
pub struct SendPermission(Arc<dyn Fn() -> Result<(), NotPermitted> + Send + Sync>);

/// Why a request must not go out any more. It is then surely not executed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum NotPermitted {
    /// The node's right to act for the transaction's partition is over, or is not renewed just now.
    #[error("this node had lost the right to send it")]
    NotOwner,
    /// `submit_by` has passed.
    #[error("submit_by had passed before its first byte could leave")]
    SubmitByPassed,
    /// The time in which the provider takes a repetition for the same payment has passed.
    #[error("the time in which it is safe to send it again was over")]
    ResendUnsafe,
    /// It waited for longer than a call may take, and has been given up.
    #[error("it waited for longer than a call may take, and was given up before it left")]
    GivenUp,
}

impl SendPermission {
    /// Asks this each time.
    #[must_use]
    pub fn asking(ask: impl Fn() -> Result<(), NotPermitted> + Send + Sync + 'static) -> Self {
        Self(Arc::new(ask))
    }

    /// Always given.
    #[must_use]
    pub fn always() -> Self {
        Self::asking(|| Ok(()))
    }

    /// Whether it is given now.
    ///
    /// # Errors
    /// [`NotPermitted`]: why it is not.
    pub fn check(&self) -> Result<(), NotPermitted> {
        (self.0)()
    }
}

impl std::fmt::Debug for SendPermission {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SendPermission")
    }
}
