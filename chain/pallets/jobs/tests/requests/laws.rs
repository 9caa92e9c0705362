//! What holds after each block, found out from what the chain has told and from nothing that it keeps.

use std::collections::{BTreeMap, BTreeSet};

use frame_support::traits::fungible::InspectHold as _;
use opensky_chain_pallet_jobs::{
    beacon,
    requests::{self, Requests as Rows},
};
use opensky_chain_pallet_providers::{Operators, offers::Records};
use opensky_protocol::{
    Digest, PriceTerms,
    ledger::{Answer, AnswerStatus},
};
use sp_runtime::AccountId32;

use crate::{
    runtime::{Balances, Jobs, Runtime, RuntimeEvent, System},
    stage::{Known, Room, Stage, has, id, purse},
};

/// What was told until now.
pub struct Laws {
    issued: u128,
    /// What each account has by that.
    money: BTreeMap<AccountId32, u128>,
    answers: BTreeMap<Digest, Answer>,
    paid: BTreeMap<Digest, BTreeMap<AccountId32, u128>>,
    asks: BTreeMap<(Digest, AccountId32), PriceTerms>,
    told: BTreeSet<Digest>,
}

impl Laws {
    pub fn new(stage: &Stage) -> Self {
        let accounts = stage.parties.iter().map(id).chain([Jobs::pot(), purse()]);
        Self {
            issued: Balances::total_issuance(),
            money: accounts
                .map(|account| (account.clone(), has(&account)))
                .collect(),
            answers: BTreeMap::new(),
            paid: BTreeMap::new(),
            asks: BTreeMap::new(),
            told: BTreeSet::new(),
        }
    }

    /// After a block.
    pub fn check(&mut self, stage: &mut Stage, room: Room) {
        let events = System::events().into_iter().map(|record| record.event);
        for event in events.collect::<Vec<_>>() {
            self.hear(stage, event);
        }
        self.look_at_seats(stage);
        self.check_money(stage);
        for known in &stage.known {
            let is_open = !self.answers.contains_key(&known.name);
            assert_eq!(is_open, Rows::<Runtime>::contains_key(known.name));
            if room == Room::All {
                let is_late = stage.now >= known.asked.deadline;
                assert!(!is_open || !is_late, "{} is forgotten", known.name);
            }
        }
    }

    /// After everything.
    pub fn check_end(&self, stage: &Stage) {
        for known in &stage.known {
            assert!(self.answers.contains_key(&known.name));
            assert_eq!(
                self.told.contains(&known.name),
                known.asked.callback.is_some()
            );
        }
        assert!(!requests::Pallet::<Runtime>::is_waiting());
    }

    /// How many requests came to a result, and how many to none.
    pub fn ended(&self) -> (usize, usize) {
        let is_result = |answer: &&Answer| matches!(answer.status, AnswerStatus::Result(_));
        let results = self.answers.values().filter(is_result).count();
        (results, self.answers.len() - results)
    }

    fn hear(&mut self, stage: &Stage, event: RuntimeEvent) {
        match event {
            RuntimeEvent::Beacon(beacon::Event::Silent { operator, lost }) => {
                self.move_money(&operator, &Jobs::pot(), lost);
            }
            RuntimeEvent::Requests(requests::Event::Paid {
                request,
                operator,
                amount,
            }) => {
                assert!(!self.answers.contains_key(&request), "paid after its end");
                let paid = self.paid.entry(request).or_default();
                let before = paid.insert(operator, amount);
                assert_eq!(before, None, "somebody is paid twice");
            }
            RuntimeEvent::Requests(requests::Event::Answered {
                request,
                answer,
                refunded,
                ..
            }) => self.end(stage, request, answer, refunded),
            RuntimeEvent::Requests(requests::Event::Told { request }) => {
                assert!(self.told.insert(request), "told twice");
                let known = known(stage, &request);
                let gas = u128::from(known.asked.callback.unwrap().gas);
                self.move_money(&id(&stage.parties[known.payer]), &purse(), gas);
            }
            _ => {}
        }
    }

    fn end(&mut self, stage: &Stage, request: Digest, answer: Answer, refunded: u128) {
        let known = known(stage, &request);
        let payer = id(&stage.parties[known.payer]);
        let spent = known.asked.max_price.checked_sub(refunded).unwrap();
        let paid = self.paid.get(&request).cloned().unwrap_or_default();
        let sum: u128 = paid.values().sum();
        assert_eq!(sum, spent, "somebody else pays");
        for (operator, amount) in &paid {
            self.move_money(&payer, operator, *amount);
        }
        match answer.status {
            AnswerStatus::Refunded(_) => assert!(paid.is_empty() && spent == 0),
            AnswerStatus::Result(_) => self.check_result(stage, known, &answer, &paid),
        }
        let before = self.answers.insert(request, answer);
        assert_eq!(before, None, "answered twice");
    }

    /// Paid are those with the one result that enough have, each what it asks.
    fn check_result(
        &self,
        stage: &Stage,
        known: &Known,
        answer: &Answer,
        paid: &BTreeMap<AccountId32, u128>,
    ) {
        let mut results = BTreeMap::<Digest, BTreeSet<AccountId32>>::new();
        for (who, said) in &known.shown {
            let party = id(&stage.parties[*who]);
            let same = results.entry(said.compare_key).or_default();
            same.insert(party);
        }
        let is_answer = |said: &&opensky_protocol::Statement| said.output == answer.output.digest();
        let said = known.shown.values().find(is_answer).unwrap();
        let same = &results[&said.compare_key];
        assert!(paid.keys().eq(same), "{paid:?} for {same:?}");
        assert_eq!(same.len(), usize::from(known.asked.replicas));
        assert_eq!(usize::from(answer.agreed), same.len());
        let share = known.asked.share();
        for (operator, amount) in paid {
            let ask = self.asks[&(known.name, operator.clone())];
            let bytes = known.asked.input.len() + said.output_len;
            let due = ask.of_unit(said.fuel, bytes);
            assert!(due <= share, "drawn beyond the price");
            assert_eq!(*amount, due, "not its ask");
        }
    }

    fn look_at_seats(&mut self, stage: &Stage) {
        for known in &stage.known {
            let row = Rows::<Runtime>::get(known.name);
            for seat in row.into_iter().flat_map(|row| row.seats) {
                let operator = seat.operator.0.into();
                self.asks.insert((known.name, operator), seat.ask);
            }
        }
    }

    fn check_money(&self, stage: &Stage) {
        assert_eq!(Balances::total_issuance(), self.issued);
        let all: u128 = self.money.keys().map(has).sum();
        assert_eq!(all, self.issued, "some of it is nobody's");
        for (account, money) in &self.money {
            assert_eq!(has(account), *money, "{account:?}");
        }
        for (at, party) in stage.parties.iter().enumerate() {
            let account = id(party);
            let own = stage.known.iter().filter(|known| known.payer == at);
            let asked: u128 = own.map(|known| self.held(known)).sum();
            let bond = Operators::<Runtime>::get(&account).at_stake();
            let held = Balances::total_balance_on_hold(&account);
            assert_eq!(held, asked + bond, "held for nothing, or not held");
            let mut paid = self.paid.values();
            let agreed = paid.by_ref().filter(|paid| paid.contains_key(&account));
            let agreed = agreed.count() as u64;
            assert_eq!(Records::<Runtime>::get(&account).agreed, agreed);
        }
    }

    /// What is held for a request.
    fn held(&self, known: &Known) -> u128 {
        let gas = known
            .asked
            .callback
            .map_or(0, |callback| callback.gas.into());
        let is_open = !self.answers.contains_key(&known.name);
        let price = if is_open { known.asked.max_price } else { 0 };
        let gas = if self.told.contains(&known.name) {
            0
        } else {
            gas
        };
        price + gas
    }

    fn move_money(&mut self, from: &AccountId32, to: &AccountId32, amount: u128) {
        *self.money.get_mut(from).unwrap() -= amount;
        *self.money.get_mut(to).unwrap() += amount;
    }
}

fn known<'a>(stage: &'a Stage, request: &Digest) -> &'a Known {
    let mut known = stage.known.iter();
    known.find(|known| known.name == *request).unwrap()
}
