//! Whether a row that is no transaction's may be written: which webhooks are kept and which notes are
//! there, as of the last row that was judged, which may be in a commit that is still to come.
//!
//! It belongs to the writer thread, and it is changed as it judges. A commit that fails ends the
//! journal, so nothing has to be taken back.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::super::{MAX_KEPT_PER_PROVIDER, MAX_NOTES, no_room_for, too_many_notes};
use super::entry::{EventName, Matter, Waiting};
use super::inbox::Inbox;
use super::judge::Verdict;
use super::notes::Notes;
use crate::transaction::Timestamp;

#[derive(Debug)]
pub(super) struct Desk {
    /// When each kept webhook came, by provider and event id.
    kept: HashMap<Arc<str>, HashMap<Arc<str>, Timestamp>>,
    notes: HashSet<Arc<str>>,
}

impl Desk {
    /// What is there at opening.
    pub(super) fn over(inbox: &Inbox, notes: &Notes) -> Self {
        let mut desk = Self {
            kept: HashMap::new(),
            notes: notes.names().cloned().collect(),
        };
        for (_, event, waiting) in inbox.events() {
            desk.put(event, waiting);
        }
        desk
    }

    /// The verdict on a row that is no transaction's, given that those before it are written as judged.
    pub(super) fn judge(&mut self, matter: &Matter) -> Verdict {
        match matter {
            // The judge decides on these; here they would pass unseen.
            Matter::Step { .. } | Matter::Bound { .. } => Verdict::Write,
            Matter::Kept { event, waiting } => self.keep(event, waiting),
            Matter::Released(event) => self.release(event),
            Matter::Expired(before) => self.expire(*before),
            Matter::Noted(name) => self.note(name),
            Matter::Forgotten(name) if self.notes.remove(name) => Verdict::Write,
            Matter::Forgotten(_) => Verdict::Known,
        }
    }

    fn put(&mut self, event: &EventName, waiting: &Waiting) {
        let its = self.kept.entry(Arc::clone(&event.provider)).or_default();
        its.insert(Arc::clone(&event.event_id), waiting.received_at);
    }

    fn keep(&mut self, event: &EventName, waiting: &Waiting) -> Verdict {
        if let Some(its) = self.kept.get(&event.provider) {
            if its.contains_key(&event.event_id) {
                return Verdict::Known;
            }
            if its.len() as u64 >= MAX_KEPT_PER_PROVIDER {
                return Verdict::Refuse(no_room_for(&event.provider));
            }
        }
        self.put(event, waiting);
        Verdict::Write
    }

    fn release(&mut self, event: &EventName) -> Verdict {
        let its = self.kept.get_mut(&event.provider);
        match its.and_then(|its| its.remove(&event.event_id)) {
            Some(_) => Verdict::Write,
            None => Verdict::Known,
        }
    }

    fn expire(&mut self, before: Timestamp) -> Verdict {
        let mut expired = 0;
        for its in self.kept.values_mut() {
            let all = its.len();
            its.retain(|_, received_at| *received_at >= before);
            expired += (all - its.len()) as u64;
        }
        match expired {
            0 => Verdict::Known,
            expired => Verdict::Sweep(expired),
        }
    }

    fn note(&mut self, name: &Arc<str>) -> Verdict {
        if !self.notes.contains(name) {
            if self.notes.len() >= MAX_NOTES {
                return Verdict::Refuse(too_many_notes());
            }
            self.notes.insert(Arc::clone(name));
        }
        Verdict::Write
    }
}
