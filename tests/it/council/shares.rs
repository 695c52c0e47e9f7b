//! Shares of a provider's limits, as the store leases them.

use std::time::Duration;

use teller::ports::Council;
use tokio::time::{Instant, sleep};

use super::{LEASE, council};
use crate::support::redis::{Kind, Server};

/// Half a hair: what sums of fractions may be off.
const GRAIN: f64 = 1e-9;

async fn ask(council: &impl Council, node: &str, wanted: f64) -> f64 {
    let granted = council.lease_share(node, "acorn", wanted, LEASE).await;
    granted.expect("answered")
}

#[tokio::test]
async fn nobody_gets_more_than_the_others_leave() {
    for kind in Kind::ALL {
        let server = Server::start(kind, &[]);
        let council = council(&server);
        let thirds = [1.0 / 3.0; 3];
        assert_eq!(ask(&*council, "a", 1.0).await, 1.0);
        assert_eq!(
            ask(&*council, "b", 0.5).await,
            0.0,
            "{kind:?}: nothing is left"
        );
        assert_eq!(ask(&*council, "a", 0.5).await, 0.5);
        assert_eq!(ask(&*council, "b", 0.5).await, 0.5);
        assert_eq!(ask(&*council, "c", 0.9).await, 0.0);
        for (node, wanted) in ["a", "b", "c"].into_iter().zip(thirds) {
            let granted = ask(&*council, node, wanted).await;
            assert!((granted - wanted).abs() < GRAIN, "{node}: {granted}");
        }
        assert_eq!(ask(&*council, "b", 0.0).await, 0.0);
        let granted = ask(&*council, "c", 1.0).await;
        assert!((granted - 2.0 / 3.0).abs() < GRAIN, "{granted}");
        let other = council.lease_share("a", "other", 1.0, LEASE).await;
        assert_eq!(other, Ok(1.0), "each provider has its own");
    }
}

#[tokio::test]
async fn the_share_of_a_silent_node_is_free_after_its_lease() {
    let server = Server::redis(&[]);
    let council = council(&server);
    let began = Instant::now();
    assert_eq!(ask(&*council, "dead", 0.5).await, 0.5);
    while ask(&*council, "a", 1.0).await < 1.0 {
        assert!(
            began.elapsed() < LEASE + Duration::from_secs(2),
            "it never came"
        );
        sleep(Duration::from_millis(50)).await;
    }
    assert!(began.elapsed() >= LEASE - Duration::from_millis(100));
    assert_eq!(ask(&*council, "dead", 0.5).await, 0.0, "it comes too late");
}

#[tokio::test]
async fn a_request_that_arrives_late_changes_nothing() {
    let server = Server::redis(&[]);
    let (early, late) = (council(&server), council(&server));
    // The first request of one connection is older than the second of another.
    assert_eq!(ask(&*late, "a", 0.2).await, 0.2);
    assert_eq!(ask(&*late, "a", 1.0).await, 1.0);
    assert_eq!(
        ask(&*early, "a", 0.2).await,
        1.0,
        "older than what was granted last"
    );
    assert_eq!(ask(&*late, "b", 1.0).await, 0.0);
}
