//! Whether a row that is no transaction's may be written: which webhooks are kept and which notes are
//! there, as of the last row that was judged, which may be in a commit that is still to come.
//!
//! It belongs to the writer thread, and it is changed as it judges. A commit that fails ends the
//! journal, so nothing has to be taken back.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use super::super::{MAX_KEPT_PER_PROVIDER, MAX_NOTES, no_room_for, too_many_notes};
use super::entry::{EventName, Matter, Release, Waiting};
use super::inbox::{Inbox, Stated, released};
use super::judge::Verdict;
use super::notes::Notes;
use crate::transaction::Timestamp;

#[derive(Debug)]
pub(super) struct Desk {
    /// When each kept webhook came, by provider, event id and what it states.
    kept: HashMap<Arc<str>, BTreeMap<Stated, Timestamp>>,
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
            Matter::Released(release) => self.release(release),
            Matter::Expired(before) => self.expire(*before),
            Matter::Noted(name) => self.note(name),
            Matter::Forgotten(name) if self.notes.remove(name) => Verdict::Write,
            Matter::Forgotten(_) => Verdict::Known,
        }
    }

    fn put(&mut self, event: &EventName, waiting: &Waiting) {
        let its = self.kept.entry(Arc::clone(&event.provider)).or_default();
        its.insert(event.stated(), waiting.received_at);
    }

    fn keep(&mut self, event: &EventName, waiting: &Waiting) -> Verdict {
        if let Some(its) = self.kept.get(&event.provider) {
            if its.contains_key(&event.stated()) {
                return Verdict::Known;
            }
            if its.len() as u64 >= MAX_KEPT_PER_PROVIDER {
                return Verdict::Refuse(no_room_for(&event.provider));
            }
        }
        self.put(event, waiting);
        Verdict::Write
    }

    fn release(&mut self, release: &Release) -> Verdict {
        let Some(its) = self.kept.get_mut(&release.provider) else {
            return Verdict::Known;
        };
        let names = released(its, release);
        for name in &names {
            its.remove(name);
        }
        if names.is_empty() {
            Verdict::Known
        } else {
            Verdict::Write
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
