//! Which node should own which partition: the one with the highest weight for it.
//!
//! The weights are a hash of node and partition, so that all nodes come to the same answer without
//! asking, and a node that comes or goes moves only the partitions that become or were its own.

/// Which of `nodes` should own a partition; `None` if there are none.
pub(super) fn owner<'a>(partition: u32, nodes: &[&'a str]) -> Option<&'a str> {
    // Equal weights are as good as impossible; the id decides, so that all nodes still agree.
    let heaviest = nodes
        .iter()
        .max_by_key(|node| (weight(node, partition), **node));
    heaviest.copied()
}

/// The weight of a node for a partition. Recorded in a test: nodes of two releases have to agree on it.
fn weight(node: &str, partition: u32) -> u64 {
    const OFFSET: u64 = 0xcbf2_9ce4_8422_2325;
    const PRIME: u64 = 0x0000_0100_0000_01b3;
    let fnv = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(PRIME);
    let name = node.as_bytes().iter().fold(OFFSET, fnv);
    mix(name ^ mix(u64::from(partition)))
}

/// The finisher of splitmix64: every bit of the input changes half of the output's.
fn mix(mut x: u64) -> u64 {
    x = x.wrapping_add(0x9e37_79b9_7f4a_7c15);
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transaction::PARTITIONS;

    fn deal<'a>(nodes: &[&'a str]) -> Vec<&'a str> {
        (0..PARTITIONS)
            .map(|partition| owner(partition, nodes).expect("there are nodes"))
            .collect()
    }

    #[test]
    fn it_never_changes_between_releases() {
        let seen: Vec<u64> = (0..3)
            .map(|partition| weight("n1", partition) % 1000)
            .collect();
        assert_eq!(seen, [332, 811, 138]);
    }

    #[test]
    fn the_deal_is_even_and_does_not_depend_on_the_order() {
        let dealt = deal(&["a", "b", "c"]);
        assert_eq!(dealt, deal(&["c", "a", "b"]));
        for node in ["a", "b", "c"] {
            let count = dealt.iter().filter(|owner| **owner == node).count();
            assert!((60..=110).contains(&count), "{node}: {count} of 256");
        }
        assert_eq!(owner(0, &[]), None);
    }

    #[test]
    fn a_node_that_joins_takes_its_part_and_moves_nothing_else() {
        let (three, four) = (deal(&["a", "b", "c"]), deal(&["a", "b", "c", "d"]));
        let moved = three
            .iter()
            .zip(&four)
            .filter(|(before, after)| before != after);
        let moved: Vec<_> = moved.collect();
        assert!(moved.iter().all(|(_, after)| **after == "d"), "{moved:?}");
        assert!((40..=90).contains(&moved.len()), "{} moved", moved.len());
    }
}
