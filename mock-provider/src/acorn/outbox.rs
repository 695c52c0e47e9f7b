//! Events that wait for their batch. Pure.

use std::collections::BTreeMap;

use reqwest::Url;

use super::event::Item;

/// How many events one batch has at most.
pub const BATCH_EVENTS: usize = 50;

/// How many events wait for a batch or for its acknowledgement; over it new ones are dropped. At
/// about 1 KiB each that is a tenth of a small machine's GiB.
pub const MAX_OUTSTANDING: usize = 100_000;

/// Events by address, in the order in which they came.
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    waiting: BTreeMap<Url, Vec<Item>>,
    outstanding: usize,
}

/// What came of an event that was put in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Put {
    /// It is the first; a collection is due after the interval.
    First,
    Queued,
    Full,
}

impl Outbox {
    pub(crate) fn put(&mut self, url: &Url, item: Item) -> Put {
        if self.outstanding >= MAX_OUTSTANDING {
            return Put::Full;
        }
        let first = self.waiting.is_empty();
        self.outstanding += 1;
        self.waiting.entry(url.clone()).or_default().push(item);
        if first { Put::First } else { Put::Queued }
    }

    /// Takes everything, as batches.
    pub(crate) fn collect(&mut self) -> Vec<(Url, Vec<Item>)> {
        let waiting = std::mem::take(&mut self.waiting);
        waiting
            .into_iter()
            .flat_map(|(url, items)| {
                let batch = move |items: &[Item]| (url.clone(), items.to_vec());
                items.chunks(BATCH_EVENTS).map(batch).collect::<Vec<_>>()
            })
            .collect()
    }

    /// Makes room: so many events were acknowledged or given up.
    pub(crate) fn settled(&mut self, events: usize) {
        self.outstanding = self.outstanding.saturating_sub(events);
    }
}

#[cfg(test)]
mod tests {
    use reqwest::Url;
    use serde_json::Value;

    use super::{BATCH_EVENTS, Item, MAX_OUTSTANDING, Outbox, Put};

    fn item(n: usize) -> Item {
        Item {
            uid: n.to_string(),
            json: Value::Null,
        }
    }

    fn url(path: &str) -> Url {
        Url::parse("http://127.0.0.1/")
            .and_then(|url| url.join(path))
            .expect("a URL")
    }

    #[test]
    fn batches_have_a_bound_and_one_address_each() {
        let mut outbox = Outbox::default();
        assert_eq!(outbox.put(&url("a"), item(0)), Put::First);
        for n in 1..=BATCH_EVENTS {
            assert_eq!(outbox.put(&url("a"), item(n)), Put::Queued);
        }
        assert_eq!(outbox.put(&url("b"), item(99)), Put::Queued);
        let batches = outbox.collect();
        let sizes: Vec<_> = batches
            .iter()
            .map(|(url, items)| (url.path(), items.len()))
            .collect();
        assert_eq!(sizes, [("/a", BATCH_EVENTS), ("/a", 1), ("/b", 1)]);
        assert_eq!(batches[1].1, [item(BATCH_EVENTS)]);
        assert_eq!(outbox.put(&url("a"), item(0)), Put::First);
    }

    #[test]
    fn too_many_are_dropped_until_some_are_settled() {
        let mut outbox = Outbox::default();
        for n in 0..MAX_OUTSTANDING {
            assert_ne!(outbox.put(&url("a"), item(n)), Put::Full);
        }
        outbox.collect();
        assert_eq!(outbox.put(&url("a"), item(0)), Put::Full);
        outbox.settled(1);
        assert_eq!(outbox.put(&url("a"), item(0)), Put::First);
    }
}
