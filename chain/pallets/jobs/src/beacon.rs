//! Random numbers that operators make together: all commit to a secret, then all reveal theirs.
//!
//! Nobody knows the outcome before the last reveal, and nobody can choose it; but whoever reveals last can see it coming
//! and stay silent instead. So k operators who act together choose among at most 2^k outcomes of a round, and pay for each
//! silence: a penalty from the bond, and some rounds in which they may not take part. What an outcome is used for is settled
//! before anything can be revealed: who can be drawn, and with which stakes, is written down when commitments are not taken
//! any more, and nobody is drawn for a request that was placed after the first of them.
//!
//! That holds where one of all who take part is honest, and blocks take its reveal. Of the operators on the roster those
//! with most at stake take part, if they want to: whoever has more accounts with larger stakes than everybody else than there
//! are places knows the outcomes beforehand, and whoever keeps others' words out of all blocks of a stage is the only one to
//! speak in it. A round in which nobody takes part, or nobody reveals, comes to nothing, and another begins. One is only held
//! while somebody needs its outcome.
//!
//! A round has places for those with most at stake, and for none who could not lose the penalty.
//!
//! Source: RANDAO, as Ethereum's beacon chain has it, with commitments instead of signatures.

#[cfg(feature = "try-runtime")]
mod audit;
#[cfg(feature = "runtime-benchmarks")]
mod benchmarking;
pub mod weights;

pub use self::{pallet::*, weights::WeightInfo};

/// A beacon on a chain.
#[frame_support::pallet]
pub mod pallet {
    use alloc::vec::Vec;

    use frame_support::{pallet_prelude::*, traits::Randomness};
    use frame_system::pallet_prelude::*;
    use opensky_chain_pallet_providers::{Pallet as Providers, offers};
    use opensky_protocol::{
        Account, Digest,
        ledger::{
            Moment, commitment,
            rules::{Purpose, Register as _, State as _},
        },
    };
    use sp_io::hashing::blake2_256;

    use super::WeightInfo;
    use crate::Book;

    /// What the pallet is told.
    #[pallet::config]
    pub trait Config:
        crate::Config + offers::Config + frame_system::Config<RuntimeEvent: From<Event<Self>>>
    {
        /// Whether anybody needs random numbers.
        type IsWanted: Get<bool>;

        /// How long commitments are taken, and then reveals, in milliseconds.
        #[pallet::constant]
        type Turn: Get<u64>;

        /// For how many blocks at least, however slow or fast they are.
        #[pallet::constant]
        type Blocks: Get<u32>;

        /// What is lost by not revealing what one has committed to.
        #[pallet::constant]
        type Penalty: Get<u128>;

        /// What calls cost.
        type WeightInfo: WeightInfo;
    }

    /// Of this pallet, not of the jobs'.
    type Cost<T> = <T as Config>::WeightInfo;

    /// The pallet.
    #[pallet::pallet]
    #[pallet::storage_version(VERSION)]
    #[pallet::without_storage_info]
    pub struct Pallet<T>(_);

    const VERSION: StorageVersion = StorageVersion::new(1);

    /// Operators that take part in one round.
    pub const MAX_PARTIES: u32 = 32;
    /// Rounds that whoever did not reveal sits out.
    pub const BARRED: u64 = 16;

    /// One who takes part.
    #[derive(Clone, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking, TypeInfo)]
    pub struct Party {
        /// Who.
        pub operator: Account,
        /// See [`commitment`].
        pub commitment: Digest,
        /// The secret, once it is revealed.
        pub secret: Option<Digest>,
    }

    /// A round that goes on.
    #[derive(Clone, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking, TypeInfo)]
    pub struct Round {
        /// Counts them, from 1.
        pub number: u64,
        /// The block at whose end nobody had committed to anything.
        pub begun: u32,
        /// When commitments, or reveals, are not taken any more.
        pub until: Moment,
        /// Whether it is time to reveal.
        pub reveals: bool,
        /// Who takes part.
        pub parties: BoundedVec<Party, ConstU32<MAX_PARTIES>>,
    }

    /// What the last round came to that came to anything.
    #[derive(
        Clone, Copy, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking, TypeInfo,
    )]
    pub struct Outcome {
        /// The last round, whatever it came to.
        pub round: u64,
        /// The random numbers.
        pub seed: Digest,
        /// The block at whose end nobody had committed to anything of them.
        pub begun: u32,
    }

    /// The round that goes on.
    #[pallet::storage]
    pub type Current<T> = StorageValue<_, Round>;

    /// What the last one came to.
    #[pallet::storage]
    pub type Last<T> = StorageValue<_, Outcome, ValueQuery, Nothing>;

    /// Before the first round there is nothing that anybody may use.
    #[pallet::type_value]
    pub fn Nothing() -> Outcome {
        Outcome {
            round: 0,
            seed: Digest([0; 32]),
            begun: 0,
        }
    }

    /// The round before which an operator may not take part again.
    #[pallet::storage]
    pub type Barred<T: Config> = StorageMap<_, Blake2_128Concat, T::AccountId, u64, ValueQuery>;

    /// What has happened.
    #[pallet::event]
    #[pallet::generate_deposit(fn deposit_event)]
    pub enum Event<T: Config> {
        /// A round has begun.
        Begun {
            /// Which.
            round: u64,
        },
        /// Whoever has committed reveals from now on.
        Revealing {
            /// In which round.
            round: u64,
        },
        /// A round is over.
        Drawn {
            /// Which.
            round: u64,
            /// How many revealed.
            revealed: u32,
        },
        /// An operator did not reveal what it had committed to.
        Silent {
            /// Who.
            operator: T::AccountId,
            /// What it lost.
            lost: u128,
        },
    }

    /// Why a call did nothing.
    #[pallet::error]
    pub enum Error<T> {
        /// No round is at that point.
        NotNow,
        /// The account does not offer anything to requests, or has less at stake than the penalty.
        NotListed,
        /// The operator has kept silent, and may not take part yet.
        Barred,
        /// It was said already.
        Again,
        /// As many as can take part have as much at stake, or more.
        Full,
        /// The operator has not committed to that.
        Broken,
    }

    #[pallet::hooks]
    impl<T: Config> Hooks<BlockNumberFor<T>> for Pallet<T> {
        /// Begins a round, goes on with it or ends it, as far as the block has room.
        fn on_idle(_: BlockNumberFor<T>, room: Weight) -> Weight {
            let looked = Cost::<T>::go_on();
            if looked.any_gt(room) {
                return Weight::zero();
            }
            Self::go_on(room.saturating_sub(looked)).saturating_add(looked)
        }

        #[cfg(feature = "try-runtime")]
        fn try_state(_: BlockNumberFor<T>) -> Result<(), sp_runtime::TryRuntimeError> {
            super::audit::state::<T>()
        }
    }

    #[pallet::call]
    impl<T: Config> Pallet<T> {
        /// Takes part in the round that has begun.
        #[pallet::call_index(0)]
        #[pallet::weight((Cost::<T>::commit(), DispatchClass::Operational))]
        pub fn commit(
            origin: OriginFor<T>,
            round: u64,
            commitment: Digest,
        ) -> DispatchResultWithPostInfo {
            let operator = ensure_signed(origin)?;
            let account = Account(operator.clone().into());
            let mut current = Self::at(round, false)?;
            let stake = offers::Pallet::<T>::stake(&account);
            // Whoever could not lose the penalty would choose for nothing.
            let can_lose = stake >= T::Penalty::get().max(1);
            ensure!(
                can_lose && offers::Pallet::<T>::is_listed(&account),
                Error::<T>::NotListed
            );
            ensure!(Barred::<T>::get(&operator) <= round, Error::<T>::Barred);
            Barred::<T>::remove(&operator);
            let mut parties = current.parties.iter();
            ensure!(
                parties.all(|party| party.operator != account),
                Error::<T>::Again
            );
            let party = Party {
                operator: account,
                commitment,
                secret: None,
            };
            if let Err(party) = current.parties.try_push(party) {
                Self::displace(&mut current.parties, party, stake)?;
            }
            Current::<T>::put(current);
            Ok(Pays::No.into())
        }

        /// Reveals what was committed to.
        #[pallet::call_index(1)]
        #[pallet::weight((Cost::<T>::reveal(), DispatchClass::Operational))]
        pub fn reveal(
            origin: OriginFor<T>,
            round: u64,
            secret: Digest,
        ) -> DispatchResultWithPostInfo {
            let account = Account(ensure_signed(origin)?.into());
            let mut current = Self::at(round, true)?;
            let mut parties = current.parties.iter_mut();
            let party = parties.find(|party| party.operator == account);
            let party = party.ok_or(Error::<T>::Broken)?;
            ensure!(party.secret.is_none(), Error::<T>::Again);
            let commitment = commitment(round, &account, &secret);
            ensure!(party.commitment == commitment, Error::<T>::Broken);
            party.secret = Some(secret);
            Current::<T>::put(current);
            Ok(Pays::No.into())
        }
    }

    impl<T: Config> Pallet<T> {
        fn at(round: u64, reveals: bool) -> Result<Round, DispatchError> {
            let current = Current::<T>::get().ok_or(Error::<T>::NotNow)?;
            let is_over = current.until.is_over(Self::moment());
            ensure!(
                current.number == round && current.reveals == reveals && !is_over,
                Error::<T>::NotNow
            );
            Ok(current)
        }

        /// Where all places are taken those with most at stake have them: nobody could keep honest ones out for little.
        fn displace(
            parties: &mut BoundedVec<Party, ConstU32<MAX_PARTIES>>,
            party: Party,
            stake: u128,
        ) -> DispatchResult {
            let stakes = parties.iter();
            let stakes = stakes.map(|party| offers::Pallet::<T>::stake(&party.operator));
            let least = stakes.enumerate().min_by_key(|(_, stake)| *stake);
            let (at, _) = least
                .filter(|(_, least)| *least < stake)
                .ok_or(Error::<T>::Full)?;
            parties[at] = party;
            Ok(())
        }

        /// What it takes to go on with a round comes on top of a look, and is answered.
        pub(super) fn go_on(room: Weight) -> Weight {
            let took = Cost::<T>::turn();
            let Some(round) = Current::<T>::get() else {
                if !T::IsWanted::get() || took.any_gt(room) {
                    return Weight::zero();
                }
                Self::begin();
                return took;
            };
            let is_over = round.until.is_over(Self::moment());
            match round.reveals {
                false if took.any_gt(room) => Weight::zero(),
                false => Self::after_commitments(round, is_over),
                true => Self::after_reveals(&round, is_over, room),
            }
        }

        /// Turns to reveals, once it is time for that. Without anybody who could reveal there is nothing to turn to.
        fn after_commitments(mut round: Round, is_over: bool) -> Weight {
            if !is_over && !Self::are_all(&round.parties) {
                return Weight::zero();
            }
            if round.parties.is_empty() {
                // It counts: whoever sits out some rounds would do so for ever where nobody else is left.
                Last::<T>::mutate(|last| last.round = round.number);
                Current::<T>::kill();
                return T::DbWeight::get().reads_writes(1, 1);
            }
            offers::Pallet::<T>::enter();
            round.reveals = true;
            round.until = Self::until();
            Self::deposit_event(Event::Revealing {
                round: round.number,
            });
            Current::<T>::put(round);
            Cost::<T>::turn()
        }

        /// Whether everybody on the roster takes part: then there is nobody to wait for. Whoever has left it counts for
        /// nothing, or a crowd that comes and goes would end the time for all others.
        fn are_all(parties: &[Party]) -> bool {
            let roster = offers::Roster::<T>::get();
            let takes_part = |operator| parties.iter().any(|party| party.operator == operator);
            !roster.is_empty()
                && roster.len() <= parties.len()
                && roster.iter().all(|listed| takes_part(listed.operator))
        }

        fn after_reveals(round: &Round, is_over: bool, room: Weight) -> Weight {
            let silent = round.parties.iter().filter(|party| party.secret.is_none());
            let silent = silent.count() as u32;
            let took = Cost::<T>::end(silent);
            if (silent > 0 && !is_over) || took.any_gt(room) {
                return Weight::zero();
            }
            Current::<T>::kill();
            Self::end(round);
            took
        }

        fn begin() {
            let number = Last::<T>::get().round + 1;
            Current::<T>::put(Round {
                number,
                begun: Self::moment().block,
                until: Self::until(),
                reveals: false,
                parties: BoundedVec::new(),
            });
            Self::deposit_event(Event::Begun { round: number });
        }

        /// This block, and its time.
        fn moment() -> Moment {
            let block = frame_system::Pallet::<T>::block_number();
            Moment {
                time: Providers::<T>::now(),
                block: block.try_into().unwrap_or(u32::MAX),
            }
        }

        /// When a stage is over that begins now.
        pub(super) fn until() -> Moment {
            Self::moment().after(T::Turn::get(), T::Blocks::get())
        }

        fn end(round: &Round) {
            let mut revealed: Vec<_> = round
                .parties
                .iter()
                .filter_map(|party| Some((party.operator, party.secret?)))
                .collect();
            revealed.sort_unstable();
            let mut last = Last::<T>::get();
            last.round = round.number;
            if revealed.is_empty() {
                offers::Pallet::<T>::dismiss();
            } else {
                let seed = blake2_256(&(last.seed, round.number, &revealed).encode());
                last.seed = Digest(seed);
                last.begun = round.begun;
                offers::Pallet::<T>::admit();
            }
            Last::<T>::put(last);
            let silent = round.parties.iter().filter(|party| party.secret.is_none());
            silent.for_each(|party| Self::punish(&party.operator, round.number));
            Self::deposit_event(Event::Drawn {
                round: round.number,
                revealed: revealed.len() as u32,
            });
        }

        fn punish(account: &Account, round: u64) {
            let operator = T::AccountId::from(account.0);
            Barred::<T>::insert(&operator, round + BARRED);
            let mut book = Book::<T>::new();
            let mut bond = book.operator(account);
            let lost = bond.slash(T::Penalty::get());
            // What is bonded is held: it can be forfeited.
            let lost = match book.forfeit(account, Purpose::Bond, lost) {
                Ok(()) => {
                    book.put_operator(account, bond);
                    lost
                }
                Err(_) => 0,
            };
            Self::deposit_event(Event::Silent { operator, lost });
        }
    }

    /// Random numbers, and the block at whose end nobody had committed to anything of them.
    impl<T: Config> Randomness<Digest, BlockNumberFor<T>> for Pallet<T> {
        fn random(subject: &[u8]) -> (Digest, BlockNumberFor<T>) {
            let last = Last::<T>::get();
            let seed = blake2_256(&(last.seed, subject).encode());
            (Digest(seed), last.begun.into())
        }
    }
}
