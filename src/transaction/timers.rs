//! The timers of a transaction, enumerated. The core arms them as data; the shell keeps one alarm
//! for the earliest and reports it as `Event::TimerFired`.

use super::time::Mono;

/// What a timer is for.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Timer {
    /// The next attempt is due: ask the gate.
    Submit,
    /// `submit_by` is reached.
    Expire,
    /// Our own call to submit has not come back.
    SubmissionOverdue,
    /// The provider should be asked.
    Inquire,
    /// Our own inquiry has not come back.
    InquiryOverdue,
    /// The time in doubt is used up: ask a person.
    Review,
    /// The app should be told.
    Notify,
    /// Our own delivery has not come back.
    NotifyOverdue,
}

impl Timer {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::Submit,
        Self::Expire,
        Self::SubmissionOverdue,
        Self::Inquire,
        Self::InquiryOverdue,
        Self::Review,
        Self::Notify,
        Self::NotifyOverdue,
    ];

    /// The word that operators see.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Submit => "submit",
            Self::Expire => "expire",
            Self::SubmissionOverdue => "submission_overdue",
            Self::Inquire => "inquire",
            Self::InquiryOverdue => "inquiry_overdue",
            Self::Review => "review",
            Self::Notify => "notify",
            Self::NotifyOverdue => "notify_overdue",
        }
    }
}

/// The armed timers and when they are due.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct Timers([Option<Mono>; Timer::ALL.len()]);

impl Timers {
    /// Arms `timer`, or moves it.
    pub fn arm(&mut self, timer: Timer, due: Mono) {
        self.0[timer as usize] = Some(due);
    }

    /// Disarms `timer`.
    pub fn disarm(&mut self, timer: Timer) {
        self.0[timer as usize] = None;
    }

    /// When `timer` is due, if it is armed.
    #[must_use]
    pub fn due(&self, timer: Timer) -> Option<Mono> {
        self.0[timer as usize]
    }

    /// The armed timers.
    pub fn armed(&self) -> impl Iterator<Item = (Timer, Mono)> + '_ {
        Timer::ALL
            .into_iter()
            .filter_map(|timer| Some((timer, self.due(timer)?)))
    }

    /// The timer that is due first.
    #[must_use]
    pub fn next(&self) -> Option<(Timer, Mono)> {
        self.armed().min_by_key(|&(_, due)| due)
    }
}
