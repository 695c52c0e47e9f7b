//! Who may write: the owner by its tenure, anybody what nobody has.

use super::*;

fn lease(server: &Server, key: &Key, tenure: Tenure) {
    let name = format!("teller:{{p{}}}:lease", key.partition());
    let (epoch, claim) = (tenure.epoch.to_string(), tenure.claim.to_string());
    server.command(&["HSET", &name, "epoch", &epoch, "claim", &claim]);
}

#[tokio::test]
async fn both_parts_of_the_tenure_are_compared() {
    for kind in Kind::ALL {
        let server = Server::start(kind, &[]);
        let journal = connected(at(&server)).await;
        let (mut life, first) = Life::begin("shop", 1, "bank");
        let claim = Uuid::from_u128(5);
        let tenure = Tenure { epoch: 3, claim };
        let by = |append: &Append, tenure| Append {
            tenure: Some(tenure),
            ..append.clone()
        };
        let unowned = journal.append(by(&first, tenure)).await;
        assert_eq!(unowned, Err(AppendError::Fenced), "{kind:?}: no lease");
        lease(&server, &first.key, tenure);
        let older = Tenure { epoch: 2, claim };
        let forgotten = Tenure {
            epoch: 3,
            claim: Uuid::from_u128(6),
        };
        let step = life.unknown();
        for wrong in [older, forgotten] {
            let refused = journal.append(by(&first, wrong)).await;
            assert_eq!(refused, Err(AppendError::Fenced), "{kind:?}: {wrong:?}");
        }
        assert_eq!(version(&journal, &first.key).await, 0, "{kind:?}");
        journal.append(by(&first, tenure)).await.expect("its owner");
        for wrong in [older, forgotten] {
            let refused = journal.append(by(&step, wrong)).await;
            assert_eq!(refused, Err(AppendError::Fenced), "{kind:?}: {wrong:?}");
        }
        journal.append(by(&step, tenure)).await.expect("its owner");

        // Another claim follows: what the old owner repeats is refused as well.
        let next = Tenure {
            epoch: 4,
            claim: Uuid::from_u128(7),
        };
        lease(&server, &first.key, next);
        let late = journal.append(by(&step, tenure)).await;
        assert_eq!(late, Err(AppendError::Fenced), "{kind:?}");
    }
}

#[tokio::test]
async fn anybody_accepts_and_only_the_owner_continues() {
    let server = Server::redis(&[]);
    let journal = owned(&server).await;
    let (mut life, first) = Life::begin("shop", 1, "bank");
    let (key, partition) = (first.key.clone(), first.key.partition());
    journal
        .append(by_anybody(first))
        .await
        .expect("nobody has it");
    let newcomers = journal.newcomers(partition, 10).await;
    assert_eq!(newcomers, Ok(vec![key.clone()]));
    let step = life.unknown();
    let refused = journal.append(by_anybody(step.clone())).await;
    assert_eq!(refused, Err(AppendError::Fenced));
    journal.append(step).await.expect("the owner");
    assert_eq!(journal.newcomers(partition, 10).await, Ok(Vec::new()));
    let (_, owners) = Life::begin("shop", 2, "bank");
    let partition = owners.key.partition();
    journal.append(owners).await.expect("written");
    let newcomers = journal.newcomers(partition, 10).await;
    assert_eq!(newcomers, Ok(Vec::new()), "the owner knows it already");
}
