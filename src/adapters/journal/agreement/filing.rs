//! What the journals agree on about references, and about where a transaction is listed.

use super::super::MAX_REFERENCE_BYTES;
use super::super::samples::{Life, kept, known_to};
use super::{journals, keep, kept_for};
use crate::ports::{AppendError, ListQuery, Summary};

#[tokio::test]
async fn a_reference_is_the_first_ones_that_brings_it() {
    for (name, journal, _alive) in journals().await {
        let (mut first, accepted) = Life::begin("shop", 1, "bank");
        journal.append(accepted).await.expect("written");
        assert_eq!(journal.referred("bank", "r").await, Ok(None), "{name}");
        journal.append(first.known_as("r")).await.expect("written");
        let (mut second, accepted) = Life::begin("till", 2, "bank");
        journal.append(accepted).await.expect("written");
        let mut step = second.known_as("r");
        step.summary.references.push(known_to("bank", "s"));
        journal.append(step).await.expect("written");
        journal.append(first.completed()).await.expect("written");

        let (first, second) = (first.transaction.key, second.transaction.key);
        let owner = |provider, reference| journal.referred(provider, reference);
        assert_eq!(owner("bank", "r").await, Ok(Some(first)), "{name}");
        assert_eq!(owner("bank", "s").await, Ok(Some(second)), "{name}");
        assert_eq!(owner("other", "r").await, Ok(None), "{name}");
        assert_eq!(owner("bank", "t").await, Ok(None), "{name}");
        let listed = journal.list(ListQuery {
            limit: 9,
            ..ListQuery::default()
        });
        let rows = listed.await.expect("readable").rows;
        let bare = |row: &Summary| row.references.is_empty() && row.providers.is_empty();
        assert!(rows.iter().all(bare), "{name}");
    }
}

/// The stand-in may use the same short text for another payment.
#[tokio::test]
async fn a_reference_belongs_to_the_provider_of_its_attempt_after_a_stand_in() {
    for (name, journal, _alive) in journals().await {
        let (mut moved, accepted) = Life::begin("shop", 1, "bank");
        journal.append(accepted).await.expect("written");
        let refused = moved.refused_as("7");
        journal.append(refused).await.expect("written");
        let stands_in = moved.stands_in("other");
        journal.append(stands_in).await.expect("written");
        let (mut stranger, accepted) = Life::begin("shop", 2, "other");
        journal.append(accepted).await.expect("written");
        let owner = |provider, reference| journal.referred(provider, reference);
        let moved_key = moved.transaction.key.clone();
        assert_eq!(
            owner("bank", "7").await,
            Ok(Some(moved_key.clone())),
            "{name}"
        );
        assert_eq!(owner("other", "7").await, Ok(None), "{name}: nobody's yet");

        journal
            .append(stranger.known_as("7"))
            .await
            .expect("written");
        journal
            .append(moved.second_known_as("8"))
            .await
            .expect("written");
        let stranger = stranger.transaction.key;
        // Once more after the fold, where there is one.
        for _ in 0..2 {
            for (provider, reference, expected) in [
                ("bank", "7", Some(&moved_key)),
                ("other", "7", Some(&stranger)),
                ("other", "8", Some(&moved_key)),
                ("bank", "8", None),
            ] {
                let owner = owner(provider, reference).await;
                assert_eq!(
                    owner,
                    Ok(expected.cloned()),
                    "{name}: {reference} of {provider}"
                );
            }
            let loaded = journal.load(&moved_key).await;
            assert_eq!(loaded, Ok(Some(moved.history.clone())), "{name}");
        }
    }
}

#[tokio::test]
async fn a_list_by_provider_shows_a_transaction_where_it_is_after_a_stand_in() {
    for (name, journal, _alive) in journals().await {
        let (mut life, accepted) = Life::begin("shop", 1, "bank");
        let key = accepted.key.clone();
        let listed = async |provider: &str| {
            // Lists may lag behind; what was loaded is in them.
            journal.load(&key).await.expect("readable");
            let query = ListQuery {
                provider: Some(provider.to_owned()),
                limit: 9,
                ..ListQuery::default()
            };
            journal.list(query).await.expect("readable").rows.len()
        };
        journal.append(accepted).await.expect("written");
        journal.append(life.refused_as("7")).await.expect("written");
        assert_eq!(
            (listed("bank").await, listed("other").await),
            (1, 0),
            "{name}"
        );
        journal
            .append(life.stands_in("other"))
            .await
            .expect("written");
        assert_eq!(
            (listed("bank").await, listed("other").await),
            (0, 1),
            "{name}"
        );
    }
}

/// References come from the provider: one that is too long to be held in memory is shown to people,
/// and is nothing by which something could be found.
#[tokio::test]
async fn empty_and_overlong_references_find_nothing() {
    let longest = "r".repeat(MAX_REFERENCE_BYTES);
    let longer = "r".repeat(MAX_REFERENCE_BYTES + 1);
    for (name, journal, _alive) in journals().await {
        let webhook = kept("bank", "a", &["", &longest, &longer]);
        keep(&*journal, webhook.clone()).await;
        let (mut life, accepted) = Life::begin("shop", 1, "bank");
        journal.append(accepted).await.expect("written");
        let mut step = life.known_as(&longest);
        let nothing = ["", &longer].map(|reference| known_to("bank", reference));
        step.summary.references.extend(nothing);
        journal.append(step).await.expect("written");
        for (reference, found) in [("", false), (&longest, true), (&longer, false)] {
            let kept = kept_for(&*journal, "bank", reference).await;
            assert_eq!(!kept.is_empty(), found, "{name}");
            let owner = journal.referred("bank", reference).await.expect("readable");
            assert_eq!(owner.is_some(), found, "{name}");
        }
        let shown = journal.kept_for("bank", &longest).await;
        assert_eq!(shown, Ok(vec![webhook]), "{name}: with all it came with");

        let endless = journal.keep(kept("bank", &"e".repeat(513), &[])).await;
        assert!(
            matches!(endless, Err(AppendError::Full(_))),
            "{name}: {endless:?}"
        );
    }
}
