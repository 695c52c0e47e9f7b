//! `GET /v1/nodes`: who is there, and which node owns what, as the node that is asked knows it.

use actix_web::{HttpResponse, web};
use serde::Serialize;
use serde_json::{Value, json};

use super::Doors;
use super::auth::Operator;
use crate::ports::NodeView;
use crate::transaction::{PARTITIONS, Timestamp};

/// One node, as operators see it.
#[derive(Serialize)]
struct Row<'a> {
    node: &'a str,
    id: &'a str,
    url: &'a str,
    release: &'a str,
    /// Whether it is the one that answers.
    here: bool,
    alive: bool,
    started_at: Timestamp,
    announced_ms_ago: u64,
    partitions_owned: usize,
    /// As ranges: `0-84,170`.
    partitions: String,
}

/// `GET /v1/nodes`.
pub(super) async fn list(_: Operator, doors: web::Data<Doors>) -> HttpResponse {
    let Some(cluster) = &doors.cluster else {
        let alone = json!({
            "here": true,
            "alive": true,
            "release": env!("CARGO_PKG_VERSION"),
            "partitions_owned": PARTITIONS,
            "partitions": ranges((0..PARTITIONS).collect()),
        });
        return HttpResponse::Ok().json(json!({ "data": [alone], "unowned": 0 }));
    };
    let snapshot = cluster.cluster();
    let row = |node: &NodeView| {
        json!(Row {
            node: &node.card.name,
            id: &node.card.id,
            url: &node.card.url,
            release: &node.card.release,
            here: node.card.id == snapshot.node.id,
            alive: node.alive,
            started_at: node.card.started_at,
            announced_ms_ago: node.announced_ms_ago,
            partitions_owned: node.partitions.len(),
            partitions: ranges(node.partitions.clone()),
        })
    };
    let rows: Vec<Value> = snapshot.nodes.iter().map(row).collect();
    HttpResponse::Ok().json(json!({
        "data": rows,
        "unowned": snapshot.unowned,
        "here": {
            "node": snapshot.node.name,
            "held": snapshot.held,
            "handing_over": snapshot.handing_over,
            "claimed_total": snapshot.claimed_total,
            "given_up_total": snapshot.given_up_total,
            "fenced_total": snapshot.fenced_total,
            "primary_changes_total": snapshot.primary_changes_total,
            "store_offset_ms": snapshot.store_offset_ms,
            "heard_ms_ago": snapshot.heard_ms_ago,
            "trouble": snapshot.trouble,
        },
    }))
}

/// Numbers as ranges, for people: `0-84,170`.
fn ranges(mut numbers: Vec<u32>) -> String {
    numbers.sort_unstable();
    let mut ranges: Vec<(u32, u32)> = Vec::new();
    for number in numbers {
        match ranges.last_mut() {
            Some((_, last)) if *last + 1 == number => *last = number,
            _ => ranges.push((number, number)),
        }
    }
    let texts = ranges.into_iter().map(|(first, last)| {
        if first == last {
            first.to_string()
        } else {
            format!("{first}-{last}")
        }
    });
    texts.collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn partitions_are_shown_as_ranges() {
        for (numbers, text) in [
            (&[][..], ""),
            (&[7], "7"),
            (&[0, 1, 2], "0-2"),
            (&[3, 0, 255, 2], "0,2-3,255"),
        ] {
            assert_eq!(ranges(numbers.to_vec()), text, "{numbers:?}");
        }
    }
}
