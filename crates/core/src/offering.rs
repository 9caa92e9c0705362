//! What a provider tells others that it has.

use opensky_protocol::Offer;

use crate::{alarm::Alarm, effect::Effect, event::Terms, moment::Moment, worker::Worker};

impl Worker {
    /// This node gives something else from now on.
    pub(crate) fn gives(&mut self, terms: Terms, at: &mut Moment<'_>) {
        self.terms = Some(terms);
        self.offered = None;
        self.offer(at);
    }

    /// It takes nothing more.
    pub(crate) fn drain(&mut self, at: &mut Moment<'_>) {
        self.is_draining = true;
        self.offer(at);
    }

    /// Publishes an offer now.
    pub(crate) fn offer(&mut self, at: &mut Moment<'_>) {
        let Some(terms) = &self.terms else {
            return;
        };
        let free = self.free();
        // Counts on after a restart, without a row for it.
        self.sequence = at.now.0.max(self.sequence + 1);
        self.offered = Some((free, at.now));
        let offer = Offer {
            node: self.who.node,
            operator: self.who.operator,
            ledger: self.who.ledger,
            sequence: self.sequence,
            expires: at.now.after(self.policy.offer_life).0,
            ask: terms.ask,
            credit: self.policy.max_unpaid,
            capacity: terms.capacity,
            free,
            speed: terms.speed,
            profiles: terms.profiles.clone(),
            labels: terms.labels.clone(),
        };
        at.want(Effect::Publish(offer));
        at.wake(Alarm::Offer, self.policy.offer_life / 3);
    }

    /// Sees to it that an offer which is far from true is soon replaced.
    pub(crate) fn look_at_offer(&mut self, at: &mut Moment<'_>) {
        let Some((said, when)) = self.offered else {
            return;
        };
        let free = self.free();
        let is_news = (said == 0) != (free == 0);
        if is_news {
            let soon = when.after(self.policy.offer_gap).max(at.now);
            at.alarms.bring_forward(Alarm::Offer, soon);
        }
    }
}
