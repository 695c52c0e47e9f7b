//! The house as whoever gains and loses partitions sees it.

use std::sync::Arc;

use tokio::sync::{mpsc, oneshot};

use super::house::House;
use super::messages::Call;
use super::registry::{Gained, HandOver, Lost};
use crate::ports::{Promise, Tenants};
use crate::transaction::Key;

/// Tells the shards what comes and goes, in the order in which it does. The queue is as long as the
/// keeper's ticks are behind: a shard that takes no message takes no call either.
pub struct Landlord {
    house: Arc<House>,
    news: mpsc::UnboundedSender<News>,
}

enum News {
    Gained(Vec<u32>),
    Lost(Vec<u32>),
    HandOver(Vec<u32>, oneshot::Sender<()>),
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
                    News::Lost(partitions) => router.ask_all(|| Lost(partitions.clone())).await,
                    // It takes as long as the slowest actor's last record.
                    News::HandOver(partitions, done) => {
                        let router = router.clone();
                        tokio::spawn(async move {
                            router.ask_all(|| HandOver(partitions.clone())).await;
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

    fn lost(&self, partitions: &[u32]) {
        self.tell(News::Lost(partitions.to_vec()));
    }

    fn hand_over(&self, partitions: &[u32]) -> Promise<()> {
        let (done, all) = oneshot::channel();
        self.tell(News::HandOver(partitions.to_vec(), done));
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
