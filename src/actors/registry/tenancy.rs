//! Partitions come and go: what a shard does when this node gains one, loses one, or hands one over.

use std::collections::HashSet;
use std::sync::Arc;

use actix::{AsyncContext, Context, Handler, Message, ResponseFuture};

use super::Registry;
use crate::actors::messages::{Call, Deliver};
use crate::actors::transaction::Retire;
use crate::ports::Tenure;
use crate::transaction::Key;

/// These partitions are ours from now on.
#[derive(Message)]
#[rtype(result = "()")]
pub(in crate::actors) struct Gained(pub(in crate::actors) Vec<u32>);

/// These are not ours any more.
#[derive(Message)]
#[rtype(result = "()")]
pub(in crate::actors) struct Lost(pub(in crate::actors) Vec<u32>);

/// These are about to be given up: answered once everything is written down and gone.
#[derive(Message)]
#[rtype(result = "()")]
pub(in crate::actors) struct HandOver(pub(in crate::actors) Vec<u32>);

/// The end of [`HandOver`]: the actors have written down what was out.
#[derive(Message)]
#[rtype(result = "()")]
struct HandedOver(HashSet<u32>);

impl Registry {
    /// By what right a transaction's actor may live here just now.
    pub(super) fn tenure(&self, key: &Key) -> Option<Tenure> {
        let partition = key.partition();
        let tenure = self.house.ownership.tenure(partition)?;
        (!self.closing.contains(&partition)).then_some(tenure)
    }

    /// Lets everything go that belongs to these partitions. Nothing is written down: whoever owns them
    /// now reads what is durable. Nobody of them stays in a gate's queue, where a place that comes too
    /// late would still cost the others a part of the budget.
    fn forget(&mut self, partitions: &HashSet<u32>) {
        let theirs = |key: &Key| partitions.contains(&key.partition());
        let house = Arc::clone(&self.house);
        let leave_gates = |key: &Key| house.gates().for_each(|gate| gate.leave(key));
        self.live.retain(|key, live| {
            let goes = theirs(key);
            if goes {
                leave_gates(key);
            }
            if goes && live.address.try_send(Retire::Go).is_err() {
                // A full mailbox. Whatever it holds is refused by the journal, and that ends the actor.
                tracing::debug!(%key, "leaves after what waits for it");
            }
            !goes
        });
        let waiting: Vec<Key> = self
            .activating
            .keys()
            .filter(|key| theirs(key))
            .cloned()
            .collect();
        for key in waiting {
            leave_gates(&key);
            let waiting = self.activating.remove(&key);
            for deliver in waiting.into_iter().flat_map(|waiting| waiting.buffered) {
                deliver.call.answer_elsewhere();
            }
        }
        self.wakeups.forget(theirs).iter().for_each(leave_gates);
    }
}

impl Handler<Gained> for Registry {
    type Result = ();

    fn handle(&mut self, Gained(partitions): Gained, ctx: &mut Self::Context) {
        let ours = partitions
            .into_iter()
            .filter(|&partition| self.house.router.shard_of_partition(partition) == self.shard);
        for partition in ours.collect::<Vec<u32>>() {
            self.closing.remove(&partition);
            self.recover_from(Some(partition), ctx);
        }
    }
}

impl Handler<Lost> for Registry {
    type Result = ();

    fn handle(&mut self, Lost(partitions): Lost, _: &mut Self::Context) {
        self.forget(&partitions.into_iter().collect());
    }
}

impl Handler<HandOver> for Registry {
    type Result = ResponseFuture<()>;

    fn handle(&mut self, HandOver(partitions): HandOver, ctx: &mut Context<Self>) -> Self::Result {
        let partitions: HashSet<u32> = partitions.into_iter().collect();
        self.closing.extend(&partitions);
        let mut answers = Vec::new();
        for (key, live) in &mut self.live {
            if !partitions.contains(&key.partition()) {
                continue;
            }
            let (reply, answer) = tokio::sync::oneshot::channel();
            let deliver = Deliver {
                key: key.clone(),
                call: Call::Stop { reply },
                place: None,
            };
            if live.address.try_send(deliver).is_ok() {
                live.sent += 1;
                answers.push(answer);
            }
        }
        let registry = ctx.address();
        Box::pin(async move {
            for answer in answers {
                // An actor that goes away meanwhile has nothing out any more.
                let _ = answer.await;
            }
            // A shard that is gone has forgotten them with everything else.
            let _ = registry.send(HandedOver(partitions)).await;
        })
    }
}

impl Handler<HandedOver> for Registry {
    type Result = ();

    fn handle(&mut self, HandedOver(partitions): HandedOver, _: &mut Self::Context) {
        self.forget(&partitions);
    }
}
