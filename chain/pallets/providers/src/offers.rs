//! What operators offer to those who ask the chain for compute: prices, programs that they keep at hand, and their record.

#[cfg(feature = "try-runtime")]
mod audit;
#[cfg(feature = "runtime-benchmarks")]
mod benchmarking;
pub mod weights;

pub use self::{pallet::*, weights::WeightInfo};

/// Offers on a chain.
#[frame_support::pallet]
pub mod pallet {
    use alloc::vec::Vec;

    use frame_support::pallet_prelude::*;
    use frame_system::pallet_prelude::*;
    use opensky_protocol::{
        Account, Digest, Limits,
        ledger::{Candidate, Conduct, Offered},
    };

    use super::WeightInfo;
    use crate::{Operators, Pallet as Providers};

    /// What the pallet is told.
    #[pallet::config]
    pub trait Config:
        crate::Config + frame_system::Config<RuntimeEvent: From<Event<Self>>>
    {
        /// The least that an operator has to have bonded for anything that it says here.
        #[pallet::constant]
        type LeastStake: Get<u128>;

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

    /// Operators that can be drawn: all of them are looked at for each draw.
    pub const MAX_LISTED: u32 = 128;
    /// Operators that can say that they keep the same program at hand.
    pub const MAX_HOLDERS: u32 = 16;
    /// Programs of one operator.
    pub const MAX_PINS: u32 = 64;
    /// How long a program can be promised to be at hand, in milliseconds: a year.
    pub const MAX_TERM: u64 = 365 * 86_400_000;

    /// An operator's offer.
    #[derive(
        Clone, Copy, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking, TypeInfo,
    )]
    pub struct Listed {
        /// Whose it is.
        pub operator: Account,
        /// What it is.
        pub offer: Offered,
    }

    /// An operator on the roster.
    #[derive(
        Clone, Copy, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking, TypeInfo,
    )]
    pub struct Staked {
        /// Who, and what it offers.
        pub listed: Listed,
        /// What it can lose.
        pub stake: u128,
    }

    impl Staked {
        /// As one who may be drawn.
        pub fn candidate(&self) -> Candidate {
            Candidate {
                operator: self.listed.operator,
                ask: self.listed.offer.ask,
                stake: self.stake,
            }
        }
    }

    /// How an operator did in committees.
    #[derive(
        Clone, Copy, Default, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking, TypeInfo,
    )]
    pub struct Record {
        /// Results that were those of the committee.
        pub agreed: u64,
        /// Seats that it left empty.
        pub missed: u64,
        /// Results that were others. That alone proves nothing.
        pub differed: u64,
    }

    /// Who can be drawn.
    #[pallet::storage]
    pub type Roster<T> = StorageValue<_, BoundedVec<Listed, ConstU32<MAX_LISTED>>, ValueQuery>;

    /// Who could be drawn before anybody knew anything of the random numbers that are being made.
    #[pallet::storage]
    pub type Entered<T> = StorageValue<_, BoundedVec<Staked, ConstU32<MAX_LISTED>>, ValueQuery>;

    /// The same, for the newest random numbers: from these is drawn.
    #[pallet::storage]
    pub type Eligible<T> = StorageValue<_, BoundedVec<Staked, ConstU32<MAX_LISTED>>, ValueQuery>;

    /// Who keeps a program at hand, and until when, in Unix milliseconds.
    #[pallet::storage]
    pub type Holders<T> = StorageMap<
        _,
        Blake2_128Concat,
        Digest,
        BoundedVec<(Account, u64), ConstU32<MAX_HOLDERS>>,
        ValueQuery,
    >;

    /// What an operator keeps at hand.
    #[pallet::storage]
    pub type Pins<T: Config> = StorageMap<
        _,
        Blake2_128Concat,
        T::AccountId,
        BoundedVec<Digest, ConstU32<MAX_PINS>>,
        ValueQuery,
    >;

    /// How each operator did.
    #[pallet::storage]
    pub type Records<T: Config> = StorageMap<_, Blake2_128Concat, T::AccountId, Record, ValueQuery>;

    /// What has happened.
    #[pallet::event]
    #[pallet::generate_deposit(fn deposit_event)]
    pub enum Event<T: Config> {
        /// An operator offers that from now on; nothing any more.
        Offered {
            /// Who.
            operator: T::AccountId,
            /// What.
            offer: Option<Offered>,
        },
        /// An operator was put off the roster: by one with more at stake, or because it has too little left.
        Displaced {
            /// Who.
            operator: T::AccountId,
        },
        /// An operator keeps a program at hand until then.
        Pinned {
            /// Who.
            operator: T::AccountId,
            /// What.
            program: Digest,
            /// In Unix milliseconds.
            until: u64,
        },
        /// It does not any more.
        Unpinned {
            /// Who.
            operator: T::AccountId,
            /// What.
            program: Digest,
        },
    }

    /// Why a call did nothing.
    #[pallet::error]
    pub enum Error<T> {
        /// The account has less bonded than the least: nobody could believe it.
        Unbonded,
        /// As many operators as there is room for have more at stake.
        RosterFull,
        /// The term is over already, or too long.
        Term,
        /// The operator has as many pins as it may have.
        TooManyPins,
        /// Enough operators with as much at stake, or more, keep that program at hand.
        EnoughHolders,
        /// The operator has not pinned that.
        NotPinned,
    }

    #[pallet::hooks]
    impl<T: Config> Hooks<BlockNumberFor<T>> for Pallet<T> {
        #[cfg(feature = "try-runtime")]
        fn try_state(_: BlockNumberFor<T>) -> Result<(), sp_runtime::TryRuntimeError> {
            super::audit::state::<T>()
        }
    }

    #[pallet::call]
    impl<T: Config> Pallet<T> {
        /// Offers to run requests, or ends that. The roster has room for so many: of those who want to be on it, those with
        /// most at stake.
        #[pallet::call_index(0)]
        #[pallet::weight(Cost::<T>::set_offer())]
        pub fn set_offer(origin: OriginFor<T>, offer: Option<Offered>) -> DispatchResult {
            let operator = ensure_signed(origin)?;
            let account = Account(operator.clone().into());
            let mut roster = Roster::<T>::get();
            roster.retain(|listed| listed.operator != account);
            if let Some(offer) = offer {
                let stake = Self::stake(&account);
                ensure!(Self::is_enough(stake), Error::<T>::Unbonded);
                let listed = Listed {
                    operator: account,
                    offer,
                };
                if let Err(listed) = roster.try_push(listed) {
                    Self::displace(&mut roster, listed, stake)?;
                }
            }
            Roster::<T>::put(roster);
            Self::deposit_event(Event::Offered { operator, offer });
            Ok(())
        }

        /// Says that the operator keeps a program at hand until then, in Unix milliseconds. Said again, the later term counts.
        #[pallet::call_index(1)]
        #[pallet::weight(Cost::<T>::pin())]
        pub fn pin(origin: OriginFor<T>, program: Digest, until: u64) -> DispatchResult {
            let operator = ensure_signed(origin)?;
            let account = Account(operator.clone().into());
            ensure!(Self::is_enough(Self::stake(&account)), Error::<T>::Unbonded);
            let now = Providers::<T>::now();
            let term = until.saturating_sub(now);
            ensure!(term > 0 && term <= MAX_TERM, Error::<T>::Term);
            Pins::<T>::try_mutate(&operator, |pins| match pins.contains(&program) {
                true => Ok(()),
                false => pins.try_push(program),
            })
            .map_err(|_| Error::<T>::TooManyPins)?;
            let until = Self::keep(program, account, until, now)?;
            Self::deposit_event(Event::Pinned {
                operator,
                program,
                until,
            });
            Ok(())
        }

        /// Lets a program go.
        #[pallet::call_index(2)]
        #[pallet::weight(Cost::<T>::unpin())]
        pub fn unpin(origin: OriginFor<T>, program: Digest) -> DispatchResult {
            let operator = ensure_signed(origin)?;
            let account = Account(operator.clone().into());
            ensure!(
                Pins::<T>::get(&operator).contains(&program),
                Error::<T>::NotPinned
            );
            Holders::<T>::mutate_exists(program, |holders| {
                if let Some(holders) = holders {
                    holders.retain(|(holder, _)| *holder != account);
                }
                holders.take_if(|holders| holders.is_empty());
            });
            Self::drop_pin(account, program);
            Ok(())
        }
    }

    impl<T: Config> Pallet<T> {
        /// Whether a bonded operator says that it keeps the program at hand until then. Nobody looks whether it does.
        pub fn is_pinned(program: &Digest, until: u64) -> bool {
            let holders = Holders::<T>::get(program);
            let mut holders = holders.iter();
            holders.any(|(holder, term)| *term >= until && Self::is_enough(Self::stake(holder)))
        }

        /// How many on the roster would run a unit within these limits for that.
        pub fn fitting(limits: &Limits, input_len: u64, most: u128) -> usize {
            let roster = Roster::<T>::get();
            let fits = |listed: &&Listed| listed.offer.fits(limits, input_len, most);
            roster.iter().filter(fits).count()
        }

        /// Writes down who is on the roster now, with what each has at stake. It counts once it is admitted. Whoever has too
        /// little left is put off the roster: all others would wait for it, and count on it.
        pub fn enter() {
            let mut roster = Roster::<T>::get();
            let staked = roster.iter().map(|listed| Staked {
                stake: Self::stake(&listed.operator),
                listed: *listed,
            });
            let (stays, leaves): (Vec<_>, Vec<_>) =
                staked.partition(|staked| Self::is_enough(staked.stake));
            if !leaves.is_empty() {
                roster.retain(|listed| stays.iter().any(|staked| staked.listed == *listed));
                Roster::<T>::put(roster);
            }
            for staked in leaves {
                Self::deposit_event(Event::Displaced {
                    operator: staked.listed.operator.0.into(),
                });
            }
            Entered::<T>::put(BoundedVec::truncate_from(stays));
        }

        /// From now on those are drawn from who were written down last.
        pub fn admit() {
            Eligible::<T>::put(Entered::<T>::take());
        }

        /// Those who were written down last will not be drawn from.
        pub fn dismiss() {
            Entered::<T>::kill();
        }

        /// Whether an operator is on the roster.
        pub fn is_listed(operator: &Account) -> bool {
            let roster = Roster::<T>::get();
            roster.iter().any(|listed| listed.operator == *operator)
        }

        /// Writes down how an operator did.
        pub fn note(operator: &Account, conduct: Conduct) {
            Records::<T>::mutate(T::AccountId::from(operator.0), |record| {
                let count = match conduct {
                    Conduct::Agreed => &mut record.agreed,
                    Conduct::Missed => &mut record.missed,
                    Conduct::Differed => &mut record.differed,
                };
                *count = count.saturating_add(1);
            });
        }

        fn is_enough(stake: u128) -> bool {
            stake >= T::LeastStake::get().max(1)
        }

        /// What an operator has bonded.
        pub fn stake(operator: &Account) -> u128 {
            Operators::<T>::get(T::AccountId::from(operator.0)).bond
        }

        /// Writes down who keeps a program at hand, and until when. Those who do not any more make room, or have nothing at
        /// stake any more; where none do, whoever has least.
        fn keep(
            program: Digest,
            account: Account,
            until: u64,
            now: u64,
        ) -> Result<u64, DispatchError> {
            let mut holders = Holders::<T>::get(program).into_inner();
            let own = holders.iter().position(|(holder, _)| *holder == account);
            let before = own.map_or(0, |at| holders.remove(at).1);
            let mut gone = Vec::new();
            let mut least = None;
            holders.retain(|(holder, until)| {
                let stake = Self::stake(holder);
                let stays = Self::is_enough(stake) && *until > now;
                match stays {
                    true if least.is_none_or(|(least, _)| stake < least) => {
                        least = Some((stake, *holder));
                    }
                    true => {}
                    false => gone.push(*holder),
                }
                stays
            });
            if holders.len() == MAX_HOLDERS as usize {
                let least = least.filter(|(stake, _)| *stake < Self::stake(&account));
                let (_, displaced) = least.ok_or(Error::<T>::EnoughHolders)?;
                holders.retain(|(holder, _)| *holder != displaced);
                gone.push(displaced);
            }
            gone.into_iter()
                .for_each(|holder| Self::drop_pin(holder, program));
            let until = until.max(before);
            holders.push((account, until));
            let holders = BoundedVec::try_from(holders).map_err(|_| Error::<T>::EnoughHolders)?;
            Holders::<T>::insert(program, holders);
            Ok(until)
        }

        fn drop_pin(holder: Account, program: Digest) {
            let operator = T::AccountId::from(holder.0);
            Pins::<T>::mutate_exists(&operator, |pins| {
                if let Some(pins) = pins {
                    pins.retain(|pinned| *pinned != program);
                }
                pins.take_if(|pins| pins.is_empty());
            });
            Self::deposit_event(Event::Unpinned { operator, program });
        }

        fn displace(
            roster: &mut BoundedVec<Listed, ConstU32<MAX_LISTED>>,
            listed: Listed,
            stake: u128,
        ) -> DispatchResult {
            let stakes = roster.iter().map(|listed| Self::stake(&listed.operator));
            let least = stakes.enumerate().min_by_key(|(_, stake)| *stake);
            let (at, least) = least.ok_or(Error::<T>::RosterFull)?;
            ensure!(least < stake, Error::<T>::RosterFull);
            let displaced = core::mem::replace(&mut roster[at], listed);
            Self::deposit_event(Event::Displaced {
                operator: displaced.operator.0.into(),
            });
            Ok(())
        }
    }
}
