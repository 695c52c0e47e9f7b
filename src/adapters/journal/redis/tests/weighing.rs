//! What a transaction weighs in the store: the figures of `docs/configuration.md`.
//!
//! `cargo test --lib redis::tests::weighing -- --ignored --nocapture` measures them again.

use futures_util::future::join_all;

use super::super::super::servers::info;
use super::super::{Archive, Retention};
use super::*;
use crate::transaction::PARTITIONS;

/// Enough that the tables' own growth is spread over many.
const COUNT: u128 = 20_000;
/// Appends under way at once.
const TOGETHER: usize = 500;

fn used_bytes(server: &Server) -> i64 {
    info(server, "used_memory").parse().expect("bytes")
}

async fn all(journal: &RedisJournal, appends: Vec<Append>) {
    for some in appends.chunks(TOGETHER) {
        let written = some.iter().map(|one| journal.append(one.clone()));
        for one in join_all(written).await {
            one.expect("written");
        }
    }
}

#[tokio::test]
#[ignore = "a measurement, not a test"]
async fn open_finished_and_tombstone() {
    for (kind, archive) in Kind::ALL
        .into_iter()
        .flat_map(|kind| [(kind, false), (kind, true)])
    {
        let server = Server::start(kind, &["--appendfsync", "no"]);
        own_everything(&server);
        let folder = tempfile::tempdir().expect("a directory");
        let to_file = Archive::File(folder.path().join("archive.jsonl"));
        let retention = Retention {
            finished_kept_for: Duration::ZERO,
            archive: if archive { to_file } else { Archive::Stream },
        };
        let journal = connected(Options {
            retention: Some(retention),
            accept_data_loss: true,
            ..at(&server)
        })
        .await;
        let empty = used_bytes(&server);
        let each = |used: i64| (used - empty) / i64::try_from(COUNT).expect("small");
        let (mut lives, first): (Vec<Life>, Vec<Append>) =
            (0..COUNT).map(|n| Life::begin("shop", n, "bank")).unzip();
        let bytes: usize = lives[0]
            .history
            .iter()
            .map(|record| serde_json::to_string(record).map_or(0, |text| text.len()))
            .sum();
        all(&journal, first).await;
        let open = each(used_bytes(&server));
        let numbered = lives.iter_mut().enumerate();
        let known = numbered.map(|(n, life)| life.known_as(&format!("their-reference-{n}")));
        all(&journal, known.collect()).await;
        let pending = each(used_bytes(&server));
        all(&journal, lives.iter_mut().map(Life::completed).collect()).await;
        let finished = each(used_bytes(&server));
        tokio::time::sleep(Duration::from_millis(50)).await;
        let mut moved = 0;
        for partition in 0..PARTITIONS {
            let retired = journal.retire(partition, Tenure::ALONE).await;
            moved += retired.expect("it is owned").moved;
        }
        assert_eq!(moved as u128, COUNT);
        let tombstone = each(used_bytes(&server));
        println!(
            "{kind:?}, to a file: {archive}: {bytes} B of JSON at the acceptance; open {open}, with a reference \
             {pending}, finished {finished}, afterwards {tombstone}"
        );
    }
}
