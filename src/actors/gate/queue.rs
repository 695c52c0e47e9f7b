//! Who waits at the gate, in which order.
//!
//! Submissions go first come, first served. Inquiries go by the time since the provider was last
//! asked about them, longest first: there the chance that something changed is largest, and because
//! that time only grows, nobody starves. A client that waits breaks ties among those that were asked
//! within the same [`TIE_MS`], and only those.

use std::collections::{BTreeMap, HashMap, VecDeque};

use crate::transaction::{Key, Mono};

/// Inquiries whose last asking lies within the same slice of this many milliseconds count as equal.
const TIE_MS: u64 = 1_000;

/// A place in a [`Line`]: tickets grow from its front to its back.
pub(super) type Ticket = i64;

/// First come, first served, with leaving.
#[derive(Debug, Default)]
pub(super) struct Line {
    order: VecDeque<(Ticket, Key)>,
    members: HashMap<Key, Ticket>,
    newest: Ticket,
    oldest: Ticket,
}

impl Line {
    pub(super) fn join(&mut self, key: &Key) {
        if !self.members.contains_key(key) {
            self.newest += 1;
            self.members.insert(key.clone(), self.newest);
            self.order.push_back((self.newest, key.clone()));
        }
    }

    pub(super) fn leave(&mut self, key: &Key) {
        self.members.remove(key);
        // Leavers stay in `order` as husks; they are dropped once they are the larger part of it.
        if self.order.len() > 2 * self.members.len() + 64 {
            let members = &self.members;
            self.order
                .retain(|(ticket, key)| members.get(key) == Some(ticket));
        }
    }

    pub(super) fn pop(&mut self) -> Option<Key> {
        while let Some((ticket, key)) = self.order.pop_front() {
            if self.members.get(&key) == Some(&ticket) {
                self.members.remove(&key);
                return Some(key);
            }
        }
        None
    }

    /// Puts somebody back who was called and could not come.
    pub(super) fn return_to_front(&mut self, key: Key) {
        if !self.members.contains_key(&key) {
            self.oldest -= 1;
            self.members.insert(key.clone(), self.oldest);
            self.order.push_front((self.oldest, key));
        }
    }

    /// The ticket of whoever joined last.
    pub(super) fn newest(&self) -> Ticket {
        self.newest
    }

    /// The first `limit` of those who stand behind `after` and not behind `last`.
    pub(super) fn between(
        &self,
        after: Option<Ticket>,
        last: Ticket,
        limit: usize,
    ) -> Vec<(Ticket, Key)> {
        let from = after.map_or(0, |after| {
            self.order.partition_point(|(ticket, _)| *ticket <= after)
        });
        self.order
            .range(from..)
            .take_while(|(ticket, _)| *ticket <= last)
            .filter(|(ticket, key)| self.members.get(key) == Some(ticket))
            .take(limit)
            .cloned()
            .collect()
    }

    pub(super) fn len(&self) -> usize {
        self.members.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.members.is_empty()
    }
}

/// The order of an inquiry: slice of the last asking, waiting clients first, then by arrival.
type Place = (u64, bool, u64);

/// Longest unasked first.
#[derive(Debug, Default)]
pub(super) struct Doubts {
    order: BTreeMap<Place, Doubt>,
    places: HashMap<Key, Place>,
    next: u64,
}

/// One queued inquiry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Doubt {
    pub(super) key: Key,
    pub(super) last_asked: Mono,
    pub(super) since: Mono,
}

impl Doubts {
    /// Joins, or moves up because a client began to wait.
    pub(super) fn join(&mut self, doubt: Doubt, client_waits: bool) {
        let mut doubt = doubt;
        if let Some(place) = self.places.remove(&doubt.key)
            && let Some(earlier) = self.order.remove(&place)
        {
            doubt.since = earlier.since;
        }
        self.next += 1;
        let place = (
            doubt.last_asked.as_millis() / TIE_MS,
            !client_waits,
            self.next,
        );
        self.places.insert(doubt.key.clone(), place);
        self.order.insert(place, doubt);
    }

    pub(super) fn leave(&mut self, key: &Key) {
        if let Some(place) = self.places.remove(key) {
            self.order.remove(&place);
        }
    }

    pub(super) fn pop(&mut self) -> Option<Doubt> {
        let (_, doubt) = self.order.pop_first()?;
        self.places.remove(&doubt.key);
        Some(doubt)
    }

    pub(super) fn holds(&self, key: &Key) -> bool {
        self.places.contains_key(key)
    }

    pub(super) fn len(&self) -> usize {
        self.order.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.order.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::transaction::{AppId, TransactionId};

    fn key(n: u128) -> Key {
        Key {
            app: AppId::parse("shop").expect("legal"),
            id: TransactionId(Uuid::from_u128(n)),
        }
    }

    fn doubt(n: u128, last_asked_ms: u64) -> Doubt {
        Doubt {
            key: key(n),
            last_asked: Mono::from_millis(last_asked_ms),
            since: Mono::from_millis(0),
        }
    }

    fn drain(doubts: &mut Doubts) -> Vec<u128> {
        std::iter::from_fn(|| doubts.pop())
            .map(|doubt| doubt.key.id.0.as_u128())
            .collect()
    }

    #[test]
    fn the_longest_unasked_goes_first_and_a_waiting_client_only_breaks_ties() {
        let mut doubts = Doubts::default();
        doubts.join(doubt(1, 9_000), true);
        doubts.join(doubt(2, 5_900), false);
        doubts.join(doubt(3, 5_100), false);
        doubts.join(doubt(4, 5_500), true);
        assert_eq!(drain(&mut doubts), [4, 2, 3, 1]);
    }

    #[test]
    fn a_client_that_begins_to_wait_moves_its_inquiry_up_once() {
        let mut doubts = Doubts::default();
        doubts.join(doubt(1, 5_000), false);
        doubts.join(doubt(2, 5_000), false);
        doubts.join(doubt(2, 5_000), true);
        assert_eq!(doubts.len(), 2);
        assert_eq!(drain(&mut doubts), [2, 1]);
    }

    #[test]
    fn a_line_keeps_its_order_through_leaving_and_returning() {
        let mut line = Line::default();
        (1..=5).for_each(|n| line.join(&key(n)));
        line.join(&key(2));
        line.leave(&key(3));
        let first = line.pop().expect("five joined");
        line.return_to_front(first);
        let order: Vec<u128> = std::iter::from_fn(|| line.pop())
            .map(|key| key.id.0.as_u128())
            .collect();
        assert_eq!(order, [1, 2, 4, 5]);
    }

    #[test]
    fn a_walk_along_a_line_meets_each_member_once_and_nobody_who_came_later() {
        let mut line = Line::default();
        (1..=6).for_each(|n| line.join(&key(n)));
        let front = line.pop().expect("six joined");
        line.return_to_front(front);
        line.leave(&key(3));
        let last = line.newest();
        line.join(&key(7));
        let (mut met, mut after) = (Vec::new(), None);
        loop {
            let some = line.between(after, last, 2);
            let Some((ticket, _)) = some.last() else {
                break;
            };
            after = Some(*ticket);
            met.extend(some.into_iter().map(|(_, key)| key.id.0.as_u128()));
        }
        assert_eq!(met, [1, 2, 4, 5, 6]);
    }

    #[test]
    fn leavers_do_not_pile_up() {
        let mut line = Line::default();
        for n in 0..10_000 {
            line.join(&key(n));
            line.leave(&key(n));
        }
        assert!(line.order.len() < 100, "{} husks", line.order.len());
    }
}
