//! What a node should do about its partitions, given what the store says: pure, so that it can be
//! tried in tables.

use std::time::Duration;

use super::rendezvous;
use crate::ports::{Assembly, Lease};
use crate::transaction::PARTITIONS;

/// What to do next.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct Plan {
    /// Should be ours and can be claimed.
    pub(super) claim: Vec<u32>,
    /// Is ours and should be another's.
    pub(super) hand_over: Vec<u32>,
    /// Should be ours and is still another's.
    pub(super) awaited: usize,
}

/// The ids of the nodes that live: those that have announced themselves within `silence`, and this
/// one. In order.
pub(super) fn living<'a>(assembly: &'a Assembly, me: &'a str, silence: Duration) -> Vec<&'a str> {
    let heard = assembly.nodes.iter().filter(|(_, ago)| *ago <= silence);
    let mut nodes: Vec<&str> = heard
        .map(|(card, _)| card.id.as_str())
        .chain([me])
        .collect();
    nodes.sort_unstable();
    nodes.dedup();
    nodes
}

/// What `me` should do, when `living` are alive and it holds what `holds` says.
pub(super) fn plan(
    assembly: &Assembly,
    me: &str,
    living: &[&str],
    holds: impl Fn(u32) -> bool,
) -> Plan {
    let mut leases: Vec<Option<&Lease>> = vec![None; PARTITIONS as usize];
    for lease in &assembly.leases {
        if let Some(slot) = leases.get_mut(lease.partition as usize) {
            *slot = Some(lease);
        }
    }
    let mut plan = Plan::default();
    for (partition, lease) in (0..PARTITIONS).zip(leases) {
        let should = rendezvous::owner(partition, living);
        match (should == Some(me), holds(partition)) {
            (true, true) | (false, false) => {}
            (true, false) if lease.is_none_or(|lease| is_free(lease, me)) => {
                plan.claim.push(partition);
            }
            (true, false) => plan.awaited += 1,
            (false, true) => plan.hand_over.push(partition),
        }
    }
    plan
}

/// Whether `me` may claim it. Its own claim stands in nobody's way: it is one that was dropped, or
/// whose confirmation never came.
fn is_free(lease: &Lease, me: &str) -> bool {
    let node = lease.node.as_deref();
    lease.left.is_zero() || node.is_none_or(|node| node == me)
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::ports::{NodeCard, Tenure};
    use crate::transaction::Timestamp;

    fn assembly(nodes: &[(&str, u64)], leases: Vec<Lease>) -> Assembly {
        let card = |id: &str| NodeCard {
            id: id.to_owned(),
            name: id.to_owned(),
            url: format!("http://{id}"),
            release: "1".to_owned(),
            started_at: Timestamp::from_millis(0),
            boot: None,
        };
        let nodes = nodes.iter();
        Assembly {
            now: Timestamp::from_millis(0),
            primary: "p".to_owned(),
            nodes: nodes
                .map(|(id, ago)| (card(id), Duration::from_secs(*ago)))
                .collect(),
            leases,
        }
    }

    fn lease(partition: u32, node: Option<&str>, left_s: u64) -> Lease {
        Lease {
            partition,
            node: node.map(str::to_owned),
            tenure: Tenure {
                epoch: 1,
                claim: Uuid::nil(),
            },
            left: Duration::from_secs(left_s),
        }
    }

    #[test]
    fn nodes_live_while_they_are_heard_and_this_one_always() {
        let seen = assembly(&[("b", 6), ("c", 7)], vec![]);
        assert_eq!(living(&seen, "a", Duration::from_secs(6)), ["a", "b"]);
        assert_eq!(living(&seen, "b", Duration::from_secs(6)), ["b"]);
    }

    #[test]
    fn only_what_is_free_is_claimed() {
        for (lease, claimed) in [
            (None, true),
            (Some(lease(3, Some("b"), 1)), false),
            (Some(lease(3, Some("b"), 0)), true),
            (Some(lease(3, None, 0)), true),
            (Some(lease(3, Some("a"), 5)), true),
        ] {
            let seen = assembly(&[("a", 0)], lease.clone().into_iter().collect());
            let plan = plan(&seen, "a", &["a"], |_| false);
            assert_eq!(plan.claim.contains(&3), claimed, "{lease:?}");
            assert_eq!(plan.awaited, usize::from(!claimed));
            assert_eq!(plan.claim.len() + plan.awaited, 256);
        }
    }

    #[test]
    fn what_should_be_anothers_is_handed_over_and_what_should_be_ours_is_kept() {
        let seen = assembly(&[("a", 0), ("b", 0)], vec![]);
        let plan = plan(&seen, "a", &["a", "b"], |_| true);
        assert!(plan.claim.is_empty());
        let shares = |partition: &u32| rendezvous::owner(*partition, &["a", "b"]) == Some("b");
        assert!((90..=166).contains(&plan.hand_over.len()) && plan.hand_over.iter().all(shares));
    }
}
