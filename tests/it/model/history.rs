//! How a world came about: the moves that led to it, for people.

use std::fmt;
use std::rc::Rc;

/// One move and those before it.
pub(super) struct History {
    length: u32,
    before: Option<Rc<History>>,
    at_s: u64,
    step: Move,
}

/// A move of the model.
#[expect(dead_code, reason = "the printed history is its derived Debug")]
#[derive(Clone, Copy, Debug)]
pub(super) enum Move {
    Accepted,
    Time,
    Committed,
    Timer(&'static str),
    Permitted {
        stand_in: bool,
    },
    InquiryPermitted,
    Left {
        sending: usize,
    },
    Withheld {
        sending: usize,
    },
    Arrived {
        sending: usize,
        found: &'static str,
    },
    Decided {
        attempt: u32,
        found: &'static str,
    },
    Answered {
        sending: usize,
        finding: &'static str,
    },
    Webhook {
        attempt: u32,
        finding: &'static str,
    },
    Reported {
        attempt: u32,
        finding: &'static str,
    },
    Restarted {
        reboot: bool,
        commit_kept: bool,
    },
    Stopping,
    Act(&'static str),
}

impl History {
    pub(super) fn beginning() -> Rc<Self> {
        Rc::new(Self {
            length: 1,
            before: None,
            at_s: 0,
            step: Move::Accepted,
        })
    }

    /// The number of its moves.
    pub(super) fn length(&self) -> u32 {
        self.length
    }

    pub(super) fn then(before: &Rc<Self>, at_s: u64, step: Move) -> Rc<Self> {
        Rc::new(Self {
            length: before.length + 1,
            before: Some(Rc::clone(before)),
            at_s,
            step,
        })
    }
}

impl fmt::Display for History {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut moves = vec![self];
        while let Some(before) = moves.last().and_then(|last| last.before.as_deref()) {
            moves.push(before);
        }
        moves
            .iter()
            .rev()
            .filter(|one| !matches!(one.step, Move::Time))
            .try_for_each(|one| writeln!(f, "  {:>3} s  {:?}", one.at_s, one.step))
    }
}
