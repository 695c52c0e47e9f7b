//! Which provider the next attempt goes to: the request's own, or its stand-in while the own one's
//! breaker is open and surely nothing has reached anybody's hands (law 2).

use super::TransactionActor;
use crate::actors::house::House;
use crate::transaction::{Errand, Intent, Key, Request, Transaction};

/// The name of the provider that the next attempt goes to. `transaction` is `None` before acceptance.
pub(super) fn destination<'a>(
    house: &'a House,
    key: &Key,
    request: &'a Request,
    transaction: Option<&'a Transaction>,
) -> &'a str {
    if let Some(touched) = transaction.filter(|one| !one.surely_untouched()) {
        return touched.provider();
    }
    let own = request.provider.as_str();
    let Some(stand_in) = house.stand_in(own) else {
        return own;
    };
    let own_is_shut = house.gate(own).is_some_and(|gate| gate.is_shut());
    let open = house.gate(stand_in).is_some_and(|gate| !gate.is_shut());
    let next = transaction.map_or(0, Transaction::attempt_no) + 1;
    let can_render = || {
        let provider = house.providers.get(stand_in);
        provider.is_some_and(|provider| provider.intent(key, request, next).is_ok())
    };
    if own_is_shut && open && can_render() {
        stand_in
    } else {
        own
    }
}

/// Says in the intent where it goes, if that is not where the request would go.
pub(super) fn addressed(mut intent: Intent, request: &Request, to: &str) -> Intent {
    intent.provider = (request.provider != to).then(|| to.to_owned());
    intent
}

impl TransactionActor {
    /// Queues for the next attempt's permit, and nowhere else.
    pub(super) fn ask_to_submit(&self) {
        let Some(seat) = &self.seat else { return };
        let to = destination(&self.house, &self.key, &seat.request, Some(seat));
        self.queue_at(to);
    }

    /// Queues at the gate of `to`, and nowhere else.
    pub(super) fn queue_at(&self, to: &str) {
        self.leave_gates(Some(to));
        if let Some(gate) = self.house.gate(to) {
            gate.ask_to_submit(&self.key);
        }
    }

    /// Leaves every queue that it may stand in, but for that of the gate `stays_at`.
    pub(super) fn leave_gates(&self, stays_at: Option<&str>) {
        let Some(seat) = &self.seat else { return };
        let own = seat.request.provider.as_str();
        let stand_in = self.house.stand_in(own);
        let present =
            Some(seat.provider()).filter(|&present| present != own && Some(present) != stand_in);
        for name in [Some(own), stand_in, present].into_iter().flatten() {
            if let Some(gate) = self.house.gate(name).filter(|_| stays_at != Some(name)) {
                gate.leave(&self.key);
            }
        }
    }

    /// The gate where it waits has shut: asks anew, if it still waits.
    pub(super) fn reroute(&self) {
        let waits = |seat: &&Transaction| seat.volatile.submission == Errand::Queued;
        if self.seat.as_ref().filter(waits).is_some() {
            self.ask_to_submit();
        }
    }
}
