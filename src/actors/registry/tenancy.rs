//! Partitions come and go: what a shard does when this node gains one, loses one, or hands one over.
//!
//! Whatever a shard holds of a partition, it holds under one tenure ([`Tenures`]). What is said about a
//! tenure changes only what belongs to that one, however late it comes.

use std::collections::{HashMap, HashSet};
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

/// These tenures are over.
#[derive(Message)]
#[rtype(result = "()")]
pub(in crate::actors) struct Lost(pub(in crate::actors) Vec<(u32, Tenure)>);

/// These are about to be given up: answered once everything is written down and gone.
#[derive(Message)]
#[rtype(result = "()")]
pub(in crate::actors) struct HandOver(pub(in crate::actors) Vec<(u32, Tenure)>);

/// The end of [`HandOver`]: the actors have written down what was out.
#[derive(Message)]
#[rtype(result = "()")]
struct HandedOver(Vec<(u32, Tenure)>);

/// Under which tenure a shard holds what it holds of a partition.
#[derive(Default)]
pub(super) struct Tenures {
    present: HashMap<u32, Tenure>,
    /// Those that are being given up: their actors take nothing more.
    closing: HashMap<u32, Tenure>,
}

impl Tenures {
    fn is_present(&self, (partition, tenure): &(u32, Tenure)) -> bool {
        self.present.get(partition) == Some(tenure)
    }
}

impl Registry {
    /// By what right a transaction's actor may live here just now. The first time that a later tenure is
    /// seen, everything goes that the shard still holds under the one before.
    pub(super) fn tenure(&mut self, key: &Key) -> Option<Tenure> {
        let partition = key.partition();
        let tenure = self.house.ownership.tenure(partition)?;
        let before = self.tenures.present.insert(partition, tenure);
        if before.is_some_and(|before| before != tenure) {
            self.forget(&HashSet::from([partition]));
            self.tenures.present.insert(partition, tenure);
        }
        let closes = self.tenures.closing.get(&partition) == Some(&tenure);
        (!closes).then_some(tenure)
    }

    /// It waits nowhere any more: a permit that comes too late would still cost the others a part of the
    /// budget.
    pub(super) fn leave_gates(&self, key: &Key) {
        self.house.gates().for_each(|gate| gate.leave(key));
    }

    /// Lets everything go that is held under these tenures.
    fn forget_held(&mut self, held: &[(u32, Tenure)]) {
        let present = held.iter().filter(|held| self.tenures.is_present(held));
        let partitions = present.map(|(partition, _)| *partition).collect();
        self.forget(&partitions);
    }

    /// Lets everything go that belongs to these partitions. Nothing is written down: whoever owns them
    /// now reads what is durable. Nobody of them stays in a gate's queue, where a place that comes too
    /// late would still cost the others a part of the budget.
    fn forget(&mut self, partitions: &HashSet<u32>) {
        if partitions.is_empty() {
            return;
        }
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
        for (key, waiting) in self.activating.extract_if(|key, _| theirs(key)) {
            leave_gates(&key);
            for deliver in waiting.buffered {
                deliver.call.answer_elsewhere();
            }
        }
        self.wakeups.forget(theirs).iter().for_each(leave_gates);
        self.crashes.forget(theirs);
        self.tenures
            .present
            .retain(|partition, _| !partitions.contains(partition));
    }
}

impl Handler<Gained> for Registry {
    type Result = ();

    fn handle(&mut self, Gained(partitions): Gained, ctx: &mut Self::Context) {
        let ours = partitions
            .into_iter()
            .filter(|&partition| self.house.router.shard_of_partition(partition) == self.shard);
        for partition in ours.collect::<Vec<u32>>() {
            self.recover_from(Some(partition), ctx);
        }
    }
}

impl Handler<Lost> for Registry {
    type Result = ();

    fn handle(&mut self, Lost(held): Lost, _: &mut Self::Context) {
        self.forget_held(&held);
    }
}

impl Handler<HandOver> for Registry {
    type Result = ResponseFuture<()>;

    fn handle(&mut self, HandOver(held): HandOver, ctx: &mut Context<Self>) -> Self::Result {
        self.tenures.closing.extend(held.iter().copied());
        let present = held.iter().filter(|held| self.tenures.is_present(held));
        let partitions: HashSet<u32> = present.map(|(partition, _)| *partition).collect();
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
            let _ = registry.send(HandedOver(held)).await;
        })
    }
}

impl Handler<HandedOver> for Registry {
    type Result = ();

    fn handle(&mut self, HandedOver(held): HandedOver, _: &mut Self::Context) {
        self.forget_held(&held);
    }
}
