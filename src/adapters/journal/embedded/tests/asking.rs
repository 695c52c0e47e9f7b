//! Lists, pages of open transactions, and what they are as of.

use super::*;
use crate::ports::{Page, Summary};
use crate::transaction::Status;

/// Twelve transactions: every third of app `till`, every fourth to provider `acme`; 1 to 4 completed,
/// 5 and 6 in review.
async fn filled(dir: &Path) -> EmbeddedJournal {
    let journal = open(dir);
    for n in 1..=12 {
        let app = if n % 3 == 0 { "till" } else { "shop" };
        let provider = if n % 4 == 0 { "acme" } else { "bank" };
        let (mut life, first) = Life::begin(app, n, provider);
        journal.append(first).await.expect("written");
        match n {
            1..=4 => drop(journal.append(life.completed()).await.expect("written")),
            5..=6 => drop(journal.append(life.in_review()).await.expect("written")),
            _ => {}
        }
    }
    folded(&journal).await;
    journal
}

fn numbers(page: &Page) -> Vec<u128> {
    page.rows.iter().map(|row| row.key.id.0.as_u128()).collect()
}

#[tokio::test]
async fn filters_narrow_alone_and_together_newest_first() {
    let dir = tempdir();
    let journal = filled(dir.path()).await;
    let all = ListQuery {
        limit: 100,
        ..ListQuery::default()
    };
    let app = |name: &str| Some(name.to_owned());
    let cases: [(ListQuery, &[u128]); 9] = [
        (all.clone(), &[12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1]),
        (
            ListQuery {
                app: app("till"),
                ..all.clone()
            },
            &[12, 9, 6, 3],
        ),
        (
            ListQuery {
                status: Some(Status::Completed),
                ..all.clone()
            },
            &[4, 3, 2, 1],
        ),
        (
            ListQuery {
                provider: app("acme"),
                ..all.clone()
            },
            &[12, 8, 4],
        ),
        (
            ListQuery {
                needs_review: true,
                ..all.clone()
            },
            &[6, 5],
        ),
        (
            ListQuery {
                needs_review: true,
                app: app("till"),
                ..all.clone()
            },
            &[6],
        ),
        (
            ListQuery {
                status: Some(Status::Pending),
                app: app("till"),
                provider: app("acme"),
                ..all.clone()
            },
            &[12],
        ),
        (
            ListQuery {
                status: Some(Status::Completed),
                app: app("shop"),
                ..all.clone()
            },
            &[4, 2, 1],
        ),
        (
            ListQuery {
                app: app("nobody"),
                ..all
            },
            &[],
        ),
    ];
    for (query, expected) in cases {
        let page = journal.list(query.clone()).await.expect("readable");
        assert_eq!(numbers(&page), expected, "{query:?}");
        assert_eq!(page.next, None, "{query:?}");
    }
}

#[tokio::test]
async fn pages_join_without_gap_or_overlap() {
    let dir = tempdir();
    let journal = filled(dir.path()).await;
    for limit in [0, 1, 4, 5, 12] {
        let mut seen = Vec::new();
        let mut cursor = None;
        loop {
            let query = ListQuery {
                cursor,
                limit,
                ..ListQuery::default()
            };
            let page = journal.list(query).await.expect("readable");
            assert!(page.rows.len() <= limit.max(1));
            seen.extend(numbers(&page));
            cursor = page.next;
            if cursor.is_none() {
                break;
            }
        }
        assert!(
            seen.iter().copied().eq((1..=12).rev()),
            "limit {limit}: {seen:?}"
        );
    }
}

#[tokio::test]
async fn a_page_is_bounded() {
    let dir = tempdir();
    let journal = open(dir.path());
    for n in 0..101 {
        let (_, first) = Life::begin("shop", n, "bank");
        journal.append(first).await.expect("written");
    }
    folded(&journal).await;
    let query = ListQuery {
        limit: usize::MAX,
        ..ListQuery::default()
    };
    let page = journal.list(query).await.expect("readable");
    assert_eq!(page.rows.len(), 100);
    assert!(page.next.is_some());
}

#[tokio::test]
async fn open_transactions_come_in_the_order_of_their_acceptance_with_their_due_times() {
    let dir = tempdir();
    let journal = filled(dir.path()).await;
    let mut seen = Vec::new();
    let mut after = 0;
    loop {
        let page = journal.open(None, after, 3).await.expect("readable");
        seen.extend(page.rows);
        match page.next {
            Some(next) => after = next,
            None => break,
        }
    }
    let numbers: Vec<u128> = seen.iter().map(|(key, _)| key.id.0.as_u128()).collect();
    assert!(numbers.into_iter().eq(5..=12), "1 to 4 are completed");
    for (key, due) in seen {
        let (mut life, first) = Life::begin(key.app.as_str(), key.id.0.as_u128(), "bank");
        let last = if key.id.0.as_u128() <= 6 {
            life.unknown()
        } else {
            first
        };
        assert!(due.is_some());
        assert_eq!(due, last.summary.due_at, "{key}");
    }
}

#[tokio::test]
async fn summaries_come_back_as_they_were_given() {
    let dir = tempdir();
    let journal = open(dir.path());
    let (mut life, first) = Life::begin("shop", 1, "bank");
    journal.append(first).await.expect("written");
    let last = life.completed();
    // What only the indexes need stays with them.
    let expected = Summary {
        providers: Vec::new(),
        ..last.summary.clone()
    };
    journal.append(last).await.expect("written");
    folded(&journal).await;
    let page = journal.list(ListQuery::default()).await.expect("readable");
    assert_eq!(page.rows, [expected]);
}

#[tokio::test]
async fn a_list_that_lags_says_so() {
    let dir = tempdir();
    let journal = open_paused(dir.path());
    let before = journal
        .list(ListQuery::default())
        .await
        .expect("readable")
        .as_of;
    let (_, first) = Life::begin("shop", 1, "bank");
    journal.append(first).await.expect("written");
    let behind = journal.list(ListQuery::default()).await.expect("readable");
    assert!(behind.rows.is_empty());
    assert_eq!(behind.as_of, before, "nothing was folded since");
    journal.shared.pause_folds(false);
    folded(&journal).await;
    let page = journal.list(ListQuery::default()).await.expect("readable");
    assert_eq!(page.rows.len(), 1);
    assert!(page.as_of >= behind.as_of);
}

/// No question that is asked often reads the whole archive or sorts.
#[tokio::test]
async fn each_list_goes_by_its_index() {
    let dir = tempdir();
    drop(open(dir.path()));
    let archive = sqlite(dir.path(), &ARCHIVE);
    let some = || Some("x".to_owned());
    let all = ListQuery::default;
    let cases = [
        (
            ListQuery {
                needs_review: true,
                app: some(),
                ..all()
            },
            "transactions_in_review",
        ),
        (
            ListQuery {
                status: Some(Status::Pending),
                app: some(),
                ..all()
            },
            "transactions_by_status",
        ),
        (
            ListQuery {
                status: Some(Status::Completed),
                app: some(),
                ..all()
            },
            "transactions_by_app",
        ),
        (
            ListQuery {
                app: some(),
                ..all()
            },
            "transactions_by_app",
        ),
        (
            ListQuery {
                app: some(),
                provider: some(),
                ..all()
            },
            "transactions_by_app",
        ),
        (
            ListQuery {
                provider: some(),
                ..all()
            },
            "transactions_by_provider",
        ),
        (
            ListQuery {
                status: Some(Status::Completed),
                ..all()
            },
            "transactions_by_status",
        ),
        (all(), "SCAN transactions"),
    ];
    for (query, expected) in cases {
        for cursor in [None, Some(5)] {
            let query = ListQuery {
                cursor,
                ..query.clone()
            };
            let (sql, mut values) = super::super::queries::list_sql(&query);
            values.push(1.into());
            let plan: Vec<String> = archive
                .prepare(&format!("EXPLAIN QUERY PLAN {sql}"))
                .and_then(|mut plan| {
                    let values = rusqlite::params_from_iter(values);
                    plan.query_map(values, |row| row.get(3))?.collect()
                })
                .expect("a plan");
            let by_position = cursor.is_some() && expected.starts_with("SCAN");
            let expected = if by_position { "PRIMARY KEY" } else { expected };
            assert_eq!(plan.len(), 1, "{sql}: {plan:?}");
            assert!(plan[0].contains(expected), "{sql}: {plan:?}");
        }
    }
}

/// What a start has to know before it may go on without a provider's profile.
#[tokio::test]
async fn the_providers_of_open_transactions_are_known_after_a_reopening() {
    let dir = tempdir();
    let journal = open(dir.path());
    assert_eq!(journal.open_providers(), Ok(Vec::new()));
    let (_, first) = Life::begin("shop", 1, "bank");
    journal.append(first).await.expect("written");
    for n in 2..=3 {
        let (mut life, first) = Life::begin("shop", n, "till");
        journal.append(first).await.expect("written");
        let mut last = life.completed();
        last.summary.open = false;
        journal.append(last).await.expect("written");
    }
    drop(journal);
    let journal = open(dir.path());
    assert_eq!(journal.open_providers(), Ok(vec!["bank".to_owned()]));
}

/// The stand-in's profile alone can't answer for what is known of the first attempt, nor the other way round.
#[tokio::test]
async fn every_provider_at_which_an_open_transaction_made_an_attempt_is_known_after_a_reopening() {
    let dir = tempdir();
    let journal = open(dir.path());
    let (mut life, first) = Life::begin("shop", 1, "bank");
    journal.append(first).await.expect("written");
    journal.append(life.refused_as("7")).await.expect("written");
    // In another fold than what comes after it.
    folded(&journal).await;
    journal
        .append(life.stands_in("other"))
        .await
        .expect("written");
    let both = ["bank", "other"].map(str::to_owned).to_vec();
    drop(journal);
    let journal = open(dir.path());
    assert_eq!(journal.open_providers(), Ok(both));
    let mut last = life.second_known_as("8");
    last.summary.open = false;
    journal.append(last).await.expect("written");
    drop(journal);
    assert_eq!(open(dir.path()).open_providers(), Ok(Vec::new()));
}
