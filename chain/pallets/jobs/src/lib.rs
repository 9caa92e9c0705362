//! Escrow and settlement of jobs: vouchers while all goes well, evidence when somebody sulks, disputes.
//!
//! What a call does is in `opensky_protocol::ledger::rules`: the embedded ledger goes by the same lines. The chain judges
//! signatures, sums, order and duplicates, and never a computation.
#![cfg_attr(not(feature = "std"), no_std)]

extern crate alloc;
#[cfg(all(test, feature = "runtime-benchmarks"))]
extern crate self as opensky_chain_pallet_jobs;

#[cfg(feature = "try-runtime")]
mod audit;
pub mod beacon;
#[cfg(feature = "runtime-benchmarks")]
mod benchmarking;
mod book;
mod cost;
mod migrations;
pub mod requests;
pub mod weights;

pub use self::{
    book::{Book, LOOKED_AT},
    migrations::Migrations,
    pallet::*,
    weights::WeightInfo,
};

/// Settlement on a chain.
#[frame_support::pallet]
pub mod pallet {
    use alloc::{boxed::Box, vec::Vec};

    use frame_support::{PalletId, pallet_prelude::*};
    use frame_system::pallet_prelude::*;
    use opensky_chain_pallet_providers::{Pallet as Providers, signed};
    use opensky_protocol::{
        Account, Digest, NodeKey, Signed, Voucher,
        ledger::{
            Call as Wanted, Case, Escrow, EvidenceError, Fact, Rejection, Showing, Tab, Verdict,
            rules::{self, Caller},
        },
    };
    use sp_runtime::traits::AccountIdConversion as _;

    use crate::{Book, WeightInfo, book::LOOKED_AT, cost};

    /// What the pallet is told.
    #[pallet::config]
    pub trait Config:
        opensky_chain_pallet_providers::Config<RuntimeHoldReason: From<HoldReason>>
        + frame_system::Config<RuntimeEvent: From<Event<Self>>>
    {
        /// Whose account the pot is.
        #[pallet::constant]
        type PotId: Get<PalletId>;

        /// What calls cost.
        type WeightInfo: WeightInfo;
    }

    /// Of this pallet, not of the operators'.
    type Cost<T> = <T as Config>::WeightInfo;

    /// The pallet.
    #[pallet::pallet]
    #[pallet::storage_version(VERSION)]
    #[pallet::without_storage_info]
    pub struct Pallet<T>(_);

    const VERSION: StorageVersion = StorageVersion::new(1);

    /// How long one turn of the agenda lasts, in milliseconds: that of a block.
    pub(crate) const TURN: u64 = 6_000;

    /// Escrows that one turn of the agenda has room for, and that one block tends.
    pub(crate) const ROOM: u32 = 64;

    /// Turns that are tried where there is no room: each call that writes something down pays for looking at all.
    pub(crate) const TRIES: u64 = 20;

    /// The escrows, also those that are over: their ids are used up.
    #[pallet::storage]
    pub type Escrows<T> = StorageMap<_, Blake2_128Concat, Digest, Escrow>;

    /// What each operator has coming from an escrow.
    #[pallet::storage]
    pub type Tabs<T: Config> = StorageDoubleMap<
        _,
        Blake2_128Concat,
        Digest,
        Blake2_128Concat,
        T::AccountId,
        Tab,
        ValueQuery,
    >;

    /// The claims of units that are not settled.
    #[pallet::storage]
    pub type Cases<T> =
        StorageDoubleMap<_, Blake2_128Concat, Digest, Blake2_128Concat, Digest, Case>;

    /// The escrows for which there is something to do, by the turn in which it is done.
    #[pallet::storage]
    pub type Agenda<T> =
        StorageMap<_, Twox64Concat, u64, BoundedVec<Digest, ConstU32<ROOM>>, ValueQuery>;

    /// The first turn that is not done.
    #[pallet::storage]
    pub type NextTurn<T> = StorageValue<_, u64, ValueQuery>;

    /// Why money is held.
    #[pallet::composite_enum]
    pub enum HoldReason {
        /// For a job.
        Escrow,
        /// For whoever was right in a dispute.
        Objection,
    }

    /// What has happened.
    #[pallet::event]
    #[pallet::generate_deposit(fn deposit_event)]
    pub enum Event<T: Config> {
        /// It is in the books.
        Booked(Fact),
    }

    /// Why a call did nothing.
    #[pallet::error]
    pub enum Error<T> {
        /// The account has too little money.
        Balance,
        /// The amount would leave an account below the existential deposit.
        Existential,
        /// The amount is zero.
        Zero,
        /// The sum is too large.
        Overflow,
        /// The signer may not ask for this.
        Unauthorised,
        /// The escrow's id is used up.
        EscrowTaken,
        /// There is no such escrow.
        EscrowUnknown,
        /// The deadline is over.
        Deadline,
        /// It is not the time for that in the escrow's life.
        Phase,
        /// The voucher is not of the escrow's requester.
        Voucher,
        /// The turns are not those of the voucher.
        Opening,
        /// The ticket does not spend this escrow.
        EvidenceTicket,
        /// The assignment is not by the ticket.
        EvidenceAssignment,
        /// The turn is another operator's.
        EvidenceOperator,
        /// The commitment is not for the turn.
        EvidenceCommit,
        /// The statement is not what was committed to.
        EvidenceStatement,
        /// The statement is beyond the ticket's limits.
        EvidenceLimits,
        /// The node is not the operator's.
        EvidenceNode,
        /// The operator's bond is below the penalty.
        EvidenceBond,
        /// The requester has not asked to see what was committed to.
        EvidenceSummons,
        /// The unit was shown before, or a voucher pays it.
        Claimed,
        /// Too many claims of one unit.
        Claims,
        /// There are claims that are not settled.
        Unsettled,
        /// There is no such claim.
        CaseUnknown,
        /// Nobody disputes the unit.
        Undisputed,
        /// The unit is disputed already.
        Disputed,
        /// This ledger has no arbiter.
        NoArbiter,
        /// A list is too long, or something is not signed by whom it says.
        Unsound,
        /// No rule of settlement says this.
        Unexpected,
    }

    impl<T> From<Rejection> for Error<T> {
        fn from(rejection: Rejection) -> Self {
            match rejection {
                Rejection::Balance => Self::Balance,
                Rejection::Existential => Self::Existential,
                Rejection::Zero => Self::Zero,
                Rejection::Overflow => Self::Overflow,
                Rejection::Unauthorised => Self::Unauthorised,
                Rejection::EscrowTaken => Self::EscrowTaken,
                Rejection::EscrowUnknown => Self::EscrowUnknown,
                Rejection::Deadline => Self::Deadline,
                Rejection::Phase => Self::Phase,
                Rejection::Voucher => Self::Voucher,
                Rejection::Opening => Self::Opening,
                Rejection::Evidence(EvidenceError::Ticket) => Self::EvidenceTicket,
                Rejection::Evidence(EvidenceError::Assignment) => Self::EvidenceAssignment,
                Rejection::Evidence(EvidenceError::Operator) => Self::EvidenceOperator,
                Rejection::Evidence(EvidenceError::Commit) => Self::EvidenceCommit,
                Rejection::Evidence(EvidenceError::Statement) => Self::EvidenceStatement,
                Rejection::Evidence(EvidenceError::Limits) => Self::EvidenceLimits,
                Rejection::Evidence(EvidenceError::Node) => Self::EvidenceNode,
                Rejection::Evidence(EvidenceError::Bond) => Self::EvidenceBond,
                Rejection::Evidence(EvidenceError::Summons) => Self::EvidenceSummons,
                Rejection::Claimed => Self::Claimed,
                Rejection::Claims => Self::Claims,
                Rejection::Unsettled => Self::Unsettled,
                Rejection::CaseUnknown => Self::CaseUnknown,
                Rejection::Undisputed => Self::Undisputed,
                Rejection::Disputed => Self::Disputed,
                Rejection::NoArbiter => Self::NoArbiter,
                _ => Self::Unexpected,
            }
        }
    }

    #[pallet::hooks]
    impl<T: Config> Hooks<BlockNumberFor<T>> for Pallet<T> {
        /// Settles what nobody disputes any more and gives back what is left, as far as the block has room.
        fn on_idle(_: BlockNumberFor<T>, room: Weight) -> Weight {
            Self::tend(room)
        }

        #[cfg(feature = "try-runtime")]
        fn try_state(_: BlockNumberFor<T>) -> Result<(), sp_runtime::TryRuntimeError> {
            crate::audit::state::<T>()
        }
    }

    #[pallet::call]
    impl<T: Config> Pallet<T> {
        /// Sets money aside for a job.
        #[pallet::call_index(0)]
        #[pallet::weight(Cost::<T>::open_escrow())]
        pub fn open_escrow(
            origin: OriginFor<T>,
            escrow: Digest,
            requester: NodeKey,
            amount: u128,
            deadline: u64,
        ) -> DispatchResult {
            let wanted = Wanted::OpenEscrow {
                escrow,
                requester,
                amount,
                deadline,
            };
            Self::carry_out(origin, None, wanted)
        }

        /// Sets more aside, while work goes on.
        #[pallet::call_index(1)]
        #[pallet::weight(Cost::<T>::top_up())]
        pub fn top_up(origin: OriginFor<T>, escrow: Digest, amount: u128) -> DispatchResult {
            Self::carry_out(origin, None, Wanted::TopUp { escrow, amount })
        }

        /// Ends work before the deadline: the payer can, and the requester's node.
        #[pallet::call_index(2)]
        #[pallet::weight(Cost::<T>::close())]
        pub fn close(origin: OriginFor<T>, escrow: Digest) -> DispatchResult {
            Self::carry_out(origin, None, Wanted::Close { escrow })
        }

        /// Pays vouchers, whosever they are.
        #[pallet::call_index(3)]
        #[pallet::weight(cost::claim::<Cost<T>>(vouchers))]
        pub fn claim(origin: OriginFor<T>, vouchers: Vec<Signed<Voucher>>) -> DispatchResult {
            Self::carry_out(origin, None, Wanted::Claim { vouchers })
        }

        /// Shows turns that no voucher pays, for an operator that the signer is, or is a node of.
        #[pallet::call_index(4)]
        #[pallet::weight(cost::show::<Cost<T>>(showing))]
        pub fn show(
            origin: OriginFor<T>,
            operator: T::AccountId,
            showing: Box<Showing>,
        ) -> DispatchResult {
            Self::carry_out(origin, Some(operator), Wanted::Show(showing))
        }

        /// Says that the result that was claimed for a unit is wrong.
        #[pallet::call_index(5)]
        #[pallet::weight(Cost::<T>::object())]
        pub fn object(origin: OriginFor<T>, escrow: Digest, unit: Digest) -> DispatchResult {
            Self::carry_out(origin, None, Wanted::Object { escrow, unit })
        }

        /// Gives the verdict in a dispute.
        #[pallet::call_index(6)]
        #[pallet::weight(Cost::<T>::resolve())]
        pub fn resolve(
            origin: OriginFor<T>,
            escrow: Digest,
            unit: Digest,
            verdict: Verdict,
        ) -> DispatchResult {
            let wanted = Wanted::Resolve {
                escrow,
                unit,
                verdict,
            };
            Self::carry_out(origin, None, wanted)
        }

        /// Pays what was claimed for these units, or does not: anyone can ask.
        #[pallet::call_index(7)]
        #[pallet::weight(Cost::<T>::settle(units.len().min(Wanted::MAX_UNITS) as u32))]
        pub fn settle(origin: OriginFor<T>, escrow: Digest, units: Vec<Digest>) -> DispatchResult {
            Self::carry_out(origin, None, Wanted::Settle { escrow, units })
        }

        /// Gives the payer back what is left: anyone can ask.
        #[pallet::call_index(8)]
        #[pallet::weight(Cost::<T>::refund())]
        pub fn refund(origin: OriginFor<T>, escrow: Digest) -> DispatchResult {
            Self::carry_out(origin, None, Wanted::Refund { escrow })
        }
    }

    impl<T: Config> Pallet<T> {
        /// The protocol's pot: fees, a share of what was lost in disputes, and odd coins.
        pub fn pot() -> T::AccountId {
            T::PotId::get().into_account_truncating()
        }

        /// By the rule book. A call that fails has changed nothing: FRAME takes back what it wrote.
        fn carry_out(
            origin: OriginFor<T>,
            operator: Option<T::AccountId>,
            wanted: Wanted,
        ) -> DispatchResult {
            let signer: [u8; 32] = ensure_signed(origin)?.into();
            ensure!(wanted.is_sound_by(signed), Error::<T>::Unsound);
            let account = operator.map_or(signer, Into::into);
            let caller = Caller {
                account: Account(account),
                signer: NodeKey(signer),
            };
            let mut book = Book::<T>::new();
            ensure!(
                rules::may_sign(&book, &caller, &wanted),
                Error::<T>::Unauthorised
            );
            let now = Providers::<T>::now();
            let done = rules::carry_out(&mut book, &caller, &wanted, now);
            Self::tell(done.map_err(Error::<T>::from)?);
            Ok(())
        }

        fn tell(facts: Vec<Fact>) {
            for fact in facts {
                Self::deposit_event(Event::Booked(fact));
            }
        }
    }

    /// What the chain does by itself.
    impl<T: Config> Pallet<T> {
        /// Writes an escrow down in the first turn from then on that has room. Where none has, somebody has to ask for
        /// its settlement and refund.
        pub(crate) fn remind(at: u64, escrow: &Digest) {
            let first = at.div_ceil(TURN).max(Self::next_turn());
            for turn in first..first.saturating_add(TRIES) {
                if Agenda::<T>::try_mutate(turn, |due| due.try_push(*escrow)).is_ok() {
                    return;
                }
            }
        }

        /// A chain's first turn is that in which it is asked for it.
        fn next_turn() -> u64 {
            match NextTurn::<T>::get() {
                0 => {
                    let now = Providers::<T>::now() / TURN;
                    NextTurn::<T>::put(now);
                    now
                }
                turn => turn,
            }
        }

        /// Does what is due, turn by turn, as far as there is room; the rest waits for the next block.
        pub(crate) fn tend(room: Weight) -> Weight {
            let now = Providers::<T>::now();
            let begins = |turn: u64| turn.saturating_mul(TURN);
            let mut turn = Self::next_turn();
            let mut used = Weight::zero();
            while begins(turn) <= now {
                let looked = used.saturating_add(Cost::<T>::tend_turn());
                if looked.any_gt(room) {
                    break;
                }
                used = looked;
                let is_done = Self::tend_turn(turn, now, room, &mut used);
                // Something more may come for a turn that is not over.
                if !is_done || begins(turn + 1) > now {
                    break;
                }
                turn += 1;
            }
            NextTurn::<T>::put(turn);
            used
        }

        /// Whether there was room for all that is due in a turn.
        fn tend_turn(turn: u64, now: u64, room: Weight, used: &mut Weight) -> bool {
            while let Some(escrow) = &Agenda::<T>::get(turn).pop() {
                let Some(most) = Self::units_within(room.saturating_sub(*used), escrow) else {
                    return false;
                };
                used.saturating_accrue(Self::tend_one(turn, escrow, now, most));
            }
            true
        }

        /// How many units of an escrow can be settled in that room; nothing if that is none of those that it has.
        fn units_within(room: Weight, escrow: &Digest) -> Option<usize> {
            let cases = cases::<T>(escrow);
            let room = room.checked_sub(&looks::<T>(cases))?;
            let unit = cost::each(Cost::<T>::settle, 1);
            let units = room.checked_div_per_component(&unit).unwrap_or_default();
            let units = usize::try_from(units).unwrap_or(usize::MAX);
            (cases == 0 || units > 0).then(|| units.clamp(1, Wanted::MAX_UNITS))
        }

        /// Takes the last escrow out of a turn, settles at most so many units of it, and says what that took.
        pub(crate) fn tend_one(turn: u64, escrow: &Digest, now: u64, most: usize) -> Weight {
            Agenda::<T>::mutate_exists(turn, |due| {
                due.as_mut().map(BoundedVec::pop);
                due.take_if(|due| due.is_empty());
            });
            let looked = looks::<T>(cases::<T>(escrow));
            let done = frame_support::storage::with_storage_layer(|| {
                rules::tend(&mut Book::<T>::new(), escrow, now, most)
                    .map_err(Error::<T>::from)
                    .map_err(DispatchError::from)
            });
            let is_settled = |fact: &&Fact| matches!(fact, Fact::Settled { .. });
            // What is taken back took its time.
            let settled = done
                .as_ref()
                .map_or(most, |facts| facts.iter().filter(is_settled).count());
            if done.is_ok() && settled == most {
                Self::remind(now, escrow);
            }
            Self::tell(done.unwrap_or_default());
            looked.saturating_add(cost::each(Cost::<T>::settle, settled))
        }
    }

    /// Units of an escrow that are looked at.
    fn cases<T: Config>(escrow: &Digest) -> u32 {
        let cases = Escrows::<T>::get(escrow).map_or(0, |escrow| escrow.cases);
        cases.min(LOOKED_AT as u32)
    }

    /// What it weighs to look at them: without any, what is left is given back.
    fn looks<T: Config>(cases: u32) -> Weight {
        match cases {
            0 => Cost::<T>::tend_refund(),
            _ => Cost::<T>::tend_cases(cases),
        }
    }
}
