//! The record table: what an inquiry shows when, and who overwrites whom.

use mock_provider::model::{Draw, Ghost, ReferenceProvider, Status, draw};

const fn answered(after_ms: u64, status: Status) -> Draw {
    Draw::Answered {
        after_ms,
        status,
        webhook_after_ms: None,
    }
}

const fn ghost(after_ms: u64, status: Status) -> Draw {
    Draw::TimedOut {
        after_ms: 30_000,
        ghost: Some(Ghost { after_ms, status }),
    }
}

const LOST: Draw = Draw::TimedOut {
    after_ms: 30_000,
    ghost: None,
};

const PENDING: Option<Status> = Some(Status::Pending);
const COMPLETED: Option<Status> = Some(Status::Completed);
const DECLINED: Option<Status> = Some(Status::Declined);

/// Plays POSTs (at, draw) and checks inquiries (at, status), both in order of time.
#[track_caller]
fn check(posts: &[(u64, Draw)], inquiries: &[(u64, Option<Status>)]) {
    let mut provider = ReferenceProvider::new(0);
    let mut posts = posts.iter().peekable();
    for &(at_ms, expected) in inquiries {
        while let Some(&(post_ms, draw)) = posts.next_if(|(post_ms, _)| *post_ms <= at_ms) {
            provider.post_scripted("a", post_ms, draw);
        }
        assert_eq!(provider.get("a", at_ms), expected, "at {at_ms} ms");
    }
    assert!(posts.next().is_none(), "a POST was never played");
}

#[test]
fn an_answered_one_is_pending_until_its_answer() {
    check(
        &[(10, answered(500, Status::Completed))],
        &[(0, None), (10, PENDING), (509, PENDING), (510, COMPLETED)],
    );
}

#[test]
fn a_ghost_is_nowhere_and_then_final() {
    check(
        &[(0, ghost(50_000, Status::Declined))],
        &[(0, None), (49_999, None), (50_000, DECLINED)],
    );
}

#[test]
fn a_lost_one_is_never_there() {
    check(&[(0, LOST)], &[(0, None), (1_000_000, None)]);
}

#[test]
fn a_second_post_turns_final_into_pending() {
    check(
        &[
            (0, answered(100, Status::Completed)),
            (200, answered(300, Status::Declined)),
        ],
        &[
            (199, COMPLETED),
            (200, PENDING),
            (499, PENDING),
            (500, DECLINED),
        ],
    );
}

#[test]
fn a_second_post_takes_over_from_a_pending_one() {
    check(
        &[
            (0, answered(1_000, Status::Completed)),
            (10, answered(50, Status::Declined)),
        ],
        &[(59, PENDING), (60, DECLINED), (1_000, DECLINED)],
    );
}

#[test]
fn a_ghost_overwrites_when_it_appears() {
    check(
        &[
            (0, ghost(50_000, Status::Declined)),
            (31_000, answered(1_000, Status::Completed)),
        ],
        &[(32_000, COMPLETED), (49_999, COMPLETED), (50_000, DECLINED)],
    );
}

#[test]
fn a_ghost_ends_even_a_pending_one() {
    check(
        &[
            (0, ghost(50_000, Status::Declined)),
            (49_000, answered(9_000, Status::Completed)),
        ],
        &[(49_999, PENDING), (50_000, DECLINED), (58_000, DECLINED)],
    );
}

#[test]
fn a_timed_out_post_leaves_the_record_alone() {
    check(
        &[
            (0, answered(100, Status::Completed)),
            (200, LOST),
            (300, ghost(60_000, Status::Declined)),
        ],
        &[(200, COMPLETED), (60_299, COMPLETED), (60_300, DECLINED)],
    );
}

#[test]
fn two_ghosts_overwrite_in_order_of_appearance() {
    check(
        &[
            (0, ghost(100_000, Status::Completed)),
            (30_000, ghost(40_000, Status::Declined)),
        ],
        &[(69_999, None), (70_000, DECLINED), (100_000, COMPLETED)],
    );
}

#[test]
fn it_counts_posts_and_payments() {
    let mut provider = ReferenceProvider::new(0);
    assert_eq!(provider.executions("a"), 0);
    assert_eq!(provider.post_scripted("a", 0, LOST), 1);
    assert_eq!(
        provider.post_scripted("a", 0, ghost(40_000, Status::Completed)),
        2
    );
    assert_eq!(
        provider.post_scripted("a", 0, answered(1, Status::Declined)),
        3
    );
    assert_eq!((provider.executions("a"), provider.executed("a")), (3, 2));
    assert_eq!((provider.executions("b"), provider.executed("b")), (0, 0));
}

#[test]
fn a_post_does_what_the_draw_says_whatever_came_between() {
    let mut provider = ReferenceProvider::new(9);
    for round in 1..=3 {
        for id in ["a", "b", "c"] {
            assert_eq!(provider.post(id, 0), draw(9, id, round));
        }
    }
}
