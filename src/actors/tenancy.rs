//! The house as whoever gains and loses partitions sees it.

use std::sync::Arc;

use tokio::sync::{mpsc, oneshot};

use super::house::House;
use super::messages::Call;
use super::registry::{Gained, HandOver, Lost};
use crate::ports::{Promise, Tenants, Tenure};
use crate::transaction::Key;

/// Tells the shards what comes and goes. A hand-over takes as long as the slowest actor, so it may end, or
/// even begin, after its partition was lost and gained again: each says under which tenure it is meant. The
/// queue is as long as the keeper's ticks are behind: a shard that takes no message takes no call either.
pub struct Landlord {
    house: Arc<House>,
    news: mpsc::UnboundedSender<News>,
}

enum News {
    Gained(Vec<u32>),
    Lost(Vec<(u32, Tenure)>),
    HandOver(Vec<(u32, Tenure)>, oneshot::Sender<()>),
}

impl Landlord {
    /// Begins to carry news on the present runtime.
    #[must_use]
    pub fn start(house: Arc<House>) -> Arc<Self> {
        let (news, mut coming) = mpsc::unbounded_channel();
        let router = house.router.clone();
        tokio::spawn(async move {
            while let Some(one) = coming.recv().await {
                match one {
                    News::Gained(partitions) => {
                        router.ask_all(|| Gained(partitions.clone())).await;
                    }
                    News::Lost(held) => router.ask_all(|| Lost(held.clone())).await,
                    // It takes as long as the slowest actor's last record.
                    News::HandOver(held, done) => {
                        let router = router.clone();
                        tokio::spawn(async move {
                            router.ask_all(|| HandOver(held.clone())).await;
                            let _ = done.send(());
                        });
                    }
                }
            }
        });
        Arc::new(Self { house, news })
    }

    fn tell(&self, news: News) {
        // The task ends with the runtime, and the shards with it.
        let _ = self.news.send(news);
    }
}

impl Tenants for Landlord {
    fn gained(&self, partitions: &[u32]) {
        self.tell(News::Gained(partitions.to_vec()));
    }

    fn lost(&self, held: &[(u32, Tenure)]) {
        self.tell(News::Lost(held.to_vec()));
    }

    fn hand_over(&self, held: &[(u32, Tenure)]) -> Promise<()> {
        let (done, all) = oneshot::channel();
        self.tell(News::HandOver(held.to_vec(), done));
        Box::pin(async move {
            let _ = all.await;
        })
    }

    fn calls_out(&self, partition: u32) -> usize {
        self.house.calls_out().of(partition)
    }

    fn arrived(&self, key: &Key) -> bool {
        self.house.router.tell(key.clone(), Call::Arrived).is_ok()
    }
}
