//! `GET /v1/nodes`: who is there, and which node owns what, as the node that is asked knows it.

use actix_web::{HttpResponse, web};
use serde::Serialize;
use serde_json::json;

use super::Doors;
use super::auth::Operator;
use crate::ports::NodeStatus;
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
    seen_ms_ago: u128,
    partitions_owned: usize,
    /// As ranges: `0-84,170`.
    partitions: String,
}

/// `GET /v1/nodes`.
pub(super) async fn list(_: Operator, doors: web::Data<Doors>) -> HttpResponse {
    let Some(cluster) = &doors.cluster else {
        let all: Vec<u32> = (0..PARTITIONS).collect();
        return HttpResponse::Ok().json(json!({
            "data": [{
                "here": true,
                "alive": true,
                "release": env!("CARGO_PKG_VERSION"),
                "partitions_owned": PARTITIONS,
                "partitions": ranges(&all),
            }],
            "unowned": "",
        }));
    };
    let snapshot = cluster.cluster();
    let row = |node: &'_ NodeStatus| {
        json!(Row {
            node: &node.card.name,
            id: &node.card.id,
            url: &node.card.url,
            release: &node.card.release,
            here: node.card.id == snapshot.here,
            alive: node.is_alive,
            started_at: node.card.started_at,
            seen_ms_ago: node.seen_ago.as_millis(),
            partitions_owned: node.partitions.len(),
            partitions: ranges(&node.partitions),
        })
    };
    let rows: Vec<serde_json::Value> = snapshot.nodes.iter().map(row).collect();
    HttpResponse::Ok().json(json!({
        "data": rows,
        "unowned": ranges(&snapshot.unowned),
        "heard_ms_ago": snapshot.heard_ago.map(|ago| ago.as_millis()),
        "fenced": snapshot.fenced,
        "trouble": snapshot.trouble,
    }))
}

/// Numbers in order as ranges, for people: `0-84,170`.
fn ranges(numbers: &[u32]) -> String {
    let mut ranges: Vec<(u32, u32)> = Vec::new();
    for &number in numbers {
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
            (&[0, 2, 3, 255], "0,2-3,255"),
        ] {
            assert_eq!(ranges(numbers), text, "{numbers:?}");
        }
    }
}
