//! Operators: the accounts that bond, are paid, and certify node keys.
//!
//! What a call does is in `opensky_protocol::ledger::rules`: the embedded ledger goes by the same lines.
#![cfg_attr(not(feature = "std"), no_std)]

extern crate alloc;

#[cfg(feature = "try-runtime")]
mod audit;
#[cfg(feature = "runtime-benchmarks")]
mod benchmarking;
mod host;
mod migrations;
pub mod offers;
mod register;
pub mod weights;

pub use self::{
    host::signed,
    migrations::Migrations,
    pallet::*,
    register::{Book, rejection},
    weights::WeightInfo,
};

/// Operators on a chain.
#[frame_support::pallet]
pub mod pallet {
    use alloc::vec::Vec;

    use frame_support::{
        pallet_prelude::*,
        traits::{
            Time,
            fungible::{Mutate, MutateHold},
        },
    };
    use frame_system::pallet_prelude::*;
    use opensky_protocol::{
        Account, Digest, NodeKey, Signed,
        ledger::{Consent, Fact, NodeState, Operator, Rejection, Terms, rules::bonds},
    };

    use crate::{Book, WeightInfo, signed};

    /// What the pallet is told.
    #[pallet::config]
    pub trait Config:
        frame_system::Config<
            AccountId: From<[u8; 32]> + Into<[u8; 32]>,
            Hash: Into<[u8; 32]>,
            RuntimeEvent: From<Event<Self>>,
        >
    {
        /// The money.
        type Currency: MutateHold<Self::AccountId, Reason = Self::RuntimeHoldReason>
            + Mutate<Self::AccountId, Balance = u128>;

        /// Why money is held.
        type RuntimeHoldReason: From<HoldReason>;

        /// The time, in Unix milliseconds.
        type Time: Time<Moment = u64>;

        /// Who may change the terms.
        type Governance: EnsureOrigin<Self::RuntimeOrigin>;

        /// What calls cost.
        type WeightInfo: WeightInfo;
    }

    /// The pallet.
    #[pallet::pallet]
    #[pallet::storage_version(VERSION)]
    #[pallet::without_storage_info]
    pub struct Pallet<T>(_);

    const VERSION: StorageVersion = StorageVersion::new(1);

    /// The numbers that the rules follow.
    #[pallet::storage]
    pub type CurrentTerms<T> = StorageValue<_, Terms, ValueQuery, Initial>;

    /// What a chain begins with.
    #[pallet::type_value]
    pub fn Initial() -> Terms {
        Terms::DEVELOPMENT
    }

    /// What each operator has at stake.
    #[pallet::storage]
    pub type Operators<T: Config> =
        StorageMap<_, Blake2_128Concat, T::AccountId, Operator, ValueQuery>;

    /// Whose each node is, or was.
    #[pallet::storage]
    pub type Nodes<T: Config> = StorageMap<_, Blake2_128Concat, NodeKey, NodeState>;

    /// Why money is held.
    #[pallet::composite_enum]
    pub enum HoldReason {
        /// An operator can lose it.
        Bond,
    }

    /// What has happened.
    #[pallet::event]
    #[pallet::generate_deposit(fn deposit_event)]
    pub enum Event<T: Config> {
        /// It is in the books.
        Booked(Fact),
        /// The rules follow other numbers.
        TermsChanged(Terms),
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
        /// The consent is for another operator, or another chain.
        Unauthorised,
        /// The node has, or had, an operator.
        NodeTaken,
        /// The account has no such node.
        NodeUnknown,
        /// Less is bonded than that.
        Bond,
        /// Too many amounts are unbonding at the same time.
        Unbondings,
        /// Nothing has been unbonding for long enough.
        TooEarly,
        /// It is not signed by whom it says.
        Unsigned,
        /// An operator could take its bond away before a verdict.
        Horizon,
        /// The books are of no help: no rule of bonds says this.
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
                Rejection::NodeTaken => Self::NodeTaken,
                Rejection::NodeUnknown => Self::NodeUnknown,
                Rejection::Bond => Self::Bond,
                Rejection::Unbondings => Self::Unbondings,
                Rejection::TooEarly => Self::TooEarly,
                _ => Self::Unexpected,
            }
        }
    }

    #[pallet::hooks]
    impl<T: Config> Hooks<BlockNumberFor<T>> for Pallet<T> {
        #[cfg(feature = "try-runtime")]
        fn try_state(_: BlockNumberFor<T>) -> Result<(), sp_runtime::TryRuntimeError> {
            crate::audit::state::<T>()
        }
    }

    #[pallet::call]
    impl<T: Config> Pallet<T> {
        /// Takes a node on, by its own word. It stays the account's for ever.
        #[pallet::call_index(0)]
        #[pallet::weight(T::WeightInfo::certify())]
        pub fn certify(origin: OriginFor<T>, consent: Signed<Consent>) -> DispatchResult {
            let own = Self::signer(origin)?;
            ensure!(consent.holds_by(signed), Error::<T>::Unsigned);
            Self::book(bonds::certify(&mut Book::<T>::new(), &own, &consent.value))
        }

        /// Lets a node go: from now on it signs nothing for the account, and never works for another.
        #[pallet::call_index(1)]
        #[pallet::weight(T::WeightInfo::revoke())]
        pub fn revoke(origin: OriginFor<T>, node: NodeKey) -> DispatchResult {
            let own = Self::signer(origin)?;
            Self::book(bonds::revoke(
                &mut Book::<T>::new(),
                &own,
                &node,
                Self::now(),
            ))
        }

        /// Sets money aside that the account loses if its results are wrong.
        #[pallet::call_index(2)]
        #[pallet::weight(T::WeightInfo::bond())]
        pub fn bond(origin: OriginFor<T>, amount: u128) -> DispatchResult {
            let own = Self::signer(origin)?;
            Self::book(bonds::bond(&mut Book::<T>::new(), &own, amount))
        }

        /// Begins to take it back.
        #[pallet::call_index(3)]
        #[pallet::weight(T::WeightInfo::unbond())]
        pub fn unbond(origin: OriginFor<T>, amount: u128) -> DispatchResult {
            let own = Self::signer(origin)?;
            Self::book(bonds::unbond(
                &mut Book::<T>::new(),
                &own,
                amount,
                Self::now(),
            ))
        }

        /// Takes back what has been unbonding for long enough.
        #[pallet::call_index(4)]
        #[pallet::weight(T::WeightInfo::withdraw())]
        pub fn withdraw(origin: OriginFor<T>) -> DispatchResult {
            let own = Self::signer(origin)?;
            Self::book(bonds::withdraw(&mut Book::<T>::new(), &own, Self::now()))
        }

        /// Has the rules follow other numbers from now on.
        #[pallet::call_index(5)]
        #[pallet::weight(T::WeightInfo::set_terms())]
        pub fn set_terms(origin: OriginFor<T>, terms: Terms) -> DispatchResult {
            T::Governance::ensure_origin(origin)?;
            ensure!(
                terms.unbonding > terms.dispute_horizon(),
                Error::<T>::Horizon
            );
            CurrentTerms::<T>::put(&terms);
            Self::deposit_event(Event::TermsChanged(terms));
            Ok(())
        }
    }

    impl<T: Config> Pallet<T> {
        /// The chain's name in tickets, vouchers and consents: the hash of its first block.
        pub fn ledger() -> Digest {
            Digest(frame_system::Pallet::<T>::block_hash(BlockNumberFor::<T>::default()).into())
        }

        /// The time of this block.
        pub fn now() -> u64 {
            T::Time::now()
        }

        fn signer(origin: OriginFor<T>) -> Result<Account, DispatchError> {
            Ok(Account(ensure_signed(origin)?.into()))
        }

        fn book(done: Result<Vec<Fact>, Rejection>) -> DispatchResult {
            let facts = done.map_err(Error::<T>::from)?;
            for fact in facts {
                Self::deposit_event(Event::Booked(fact));
            }
            Ok(())
        }
    }
}
