//! Requests for compute: escrow, a committee that the chain draws, and an answer that its members agree on.
//!
//! The state machine of one request and its arithmetic are in `opensky_protocol::ledger`: here are its rows, its money,
//! and what the chain does by itself.

#[cfg(feature = "try-runtime")]
mod audit;
#[cfg(feature = "runtime-benchmarks")]
mod benchmarking;
mod callback;
mod due;
mod upkeep;
pub mod weights;

pub use self::{callback::CallBack, due::Due, pallet::*, upkeep::MEMBERS, weights::WeightInfo};

/// Compute for whoever has an account, contracts too.
#[frame_support::pallet]
pub mod pallet {
    use alloc::{boxed::Box, vec::Vec};

    use frame_support::{
        dispatch::PostDispatchInfo,
        pallet_prelude::*,
        traits::{Randomness, fungible::MutateHold as _},
    };
    use frame_system::pallet_prelude::*;
    use opensky_chain_pallet_providers::{Nodes, Pallet as Providers, offers, signed};
    use opensky_protocol::{
        Account, Digest, NodeKey, Signature, Statement,
        ledger::{Answer, Asked, AskedError, Moment, Request, RequestTerms, SeatError},
    };

    use super::{CallBack, Due, MEMBERS, WeightInfo, upkeep::Looked};

    /// What the pallet is told.
    #[pallet::config]
    pub trait Config:
        crate::Config<RuntimeHoldReason: From<HoldReason>>
        + offers::Config
        + frame_system::Config<RuntimeEvent: From<Event<Self>>>
    {
        /// How contracts are told.
        type Callback: CallBack<Self::AccountId>;

        /// By what committees are drawn.
        type Randomness: Randomness<Digest, BlockNumberFor<Self>>;

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

    /// Requests that are open, or of which a contract is still to be told, at the same time.
    pub const MAX_OPEN: u32 = 1_024;

    /// Of those, how many one account may have placed.
    pub const MAX_OWN: u32 = 64;

    /// The numbers that requests follow.
    #[pallet::storage]
    pub type CurrentTerms<T> = StorageValue<_, RequestTerms, ValueQuery, Initial>;

    /// What a chain begins with.
    #[pallet::type_value]
    pub fn Initial() -> RequestTerms {
        RequestTerms::development()
    }

    /// What is asked, of each request that is open.
    #[pallet::storage]
    pub type Asks<T> = StorageMap<_, Blake2_128Concat, Digest, Asked>;

    /// How far each request is.
    #[pallet::storage]
    pub type Requests<T> = StorageMap<_, Blake2_128Concat, Digest, Request>;

    /// Small outputs that somebody showed, by what was compared.
    #[pallet::storage]
    pub type Outputs<T> = StorageDoubleMap<
        _,
        Blake2_128Concat,
        Digest,
        Blake2_128Concat,
        Digest,
        BoundedVec<u8, ConstU32<{ Answer::MAX_INLINE as u32 }>>,
    >;

    /// The requests that are open, and what each waits for: whatever was looked at last is the last.
    #[pallet::storage]
    pub type Round<T> = StorageValue<_, BoundedVec<Due, ConstU32<MAX_OPEN>>, ValueQuery>;

    /// How many of them are to be drawn for.
    #[pallet::storage]
    pub type Drawing<T> = StorageValue<_, u32, ValueQuery>;

    /// The block in which the last of those began to wait.
    #[pallet::storage]
    pub type Awaited<T> = StorageValue<_, u32, ValueQuery>;

    /// Contracts that are to be told, in the order in which their requests ended.
    #[pallet::storage]
    pub type Untold<T: Config> = StorageMap<_, Twox64Concat, u64, Told<T::AccountId>>;

    /// The first and the next number of these.
    #[pallet::storage]
    pub type UntoldEnds<T> = StorageValue<_, (u64, u64), ValueQuery>;

    /// How many requests there ever were.
    #[pallet::storage]
    pub type Placed<T> = StorageValue<_, u64, ValueQuery>;

    /// How many of an account's are open, or still to be told.
    #[pallet::storage]
    pub type Own<T: Config> = StorageMap<_, Blake2_128Concat, T::AccountId, u32, ValueQuery>;

    /// One contract that is to be told what became of its request.
    #[derive(Clone, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking, TypeInfo)]
    pub struct Told<AccountId> {
        /// Who pays for it: held until then.
        pub payer: AccountId,
        /// The contract.
        pub contract: [u8; 20],
        /// With how much gas.
        pub gas: u64,
        /// What is held for that.
        pub held: u128,
        /// The request.
        pub request: Digest,
        /// What became of it.
        pub answer: Answer,
    }

    /// Why money is held.
    #[pallet::composite_enum]
    pub enum HoldReason {
        /// For those who compute, and for the gas of the callback.
        Request,
    }

    /// What has happened.
    #[pallet::event]
    #[pallet::generate_deposit(pub(super) fn deposit_event)]
    pub enum Event<T: Config> {
        /// Somebody asks for compute.
        Placed {
            /// The request's name.
            request: Digest,
            /// Who pays.
            payer: T::AccountId,
            /// What is to be run.
            program: Digest,
            /// The unit that it is.
            unit: Digest,
            /// The most that it costs, without the callback.
            max_price: u128,
            /// When the money goes back if there is no answer, in Unix milliseconds.
            deadline: u64,
        },
        /// Operators were drawn, who run it.
        Seated {
            /// The request.
            request: Digest,
            /// Who.
            operators: Vec<T::AccountId>,
        },
        /// All that are needed have promised a result.
        Promised {
            /// The request.
            request: Digest,
        },
        /// An operator was paid.
        Paid {
            /// The request.
            request: Digest,
            /// Who.
            operator: T::AccountId,
            /// How much.
            amount: u128,
        },
        /// It is over.
        Answered {
            /// The request.
            request: Digest,
            /// Who asked.
            payer: T::AccountId,
            /// What became of it.
            answer: Answer,
            /// What went back of what was held for operators.
            refunded: u128,
        },
        /// The contract was told.
        Told {
            /// The request.
            request: Digest,
        },
    }

    /// Why a call did nothing.
    #[pallet::error]
    pub enum Error<T> {
        /// No operator is asked for.
        NoReplicas,
        /// Too many operators are asked for.
        TooManyReplicas,
        /// The deadline is too near.
        TooSoon,
        /// The deadline is too far away.
        TooLate,
        /// The price is below the least that a request can pay.
        Price,
        /// The input is too long.
        Input,
        /// The sum is too large.
        Overflow,
        /// Only a contract is called back, and only if it asks itself.
        Callback,
        /// No bonded operator keeps the program at hand until the deadline.
        Unpinned,
        /// Fewer operators than are asked for offer to run that for the price.
        TooFew,
        /// As many requests are open as can be.
        TooManyOpen,
        /// The account has as many open requests as it may have.
        TooManyOwn,
        /// There is no such request.
        Unknown,
        /// The signer is no operator's node.
        NotANode,
        /// It is not the time for that.
        Stage,
        /// The operator is not in the committee.
        NoSeat,
        /// It was said already, or it is too late for this seat.
        Again,
        /// Nothing was promised.
        Unpromised,
        /// The result is not the one that was promised, or not by the node that promised it.
        Broken,
        /// The statement is about something else, beyond the limits, or not signed.
        Statement,
        /// The output is not the one that the statement names, or too long.
        Output,
    }

    impl<T> From<AskedError> for Error<T> {
        fn from(error: AskedError) -> Self {
            match error {
                AskedError::NoReplicas => Self::NoReplicas,
                AskedError::TooManyReplicas => Self::TooManyReplicas,
                AskedError::TooSoon => Self::TooSoon,
                AskedError::TooLate => Self::TooLate,
                AskedError::Price => Self::Price,
                AskedError::Input => Self::Input,
            }
        }
    }

    impl<T> From<SeatError> for Error<T> {
        fn from(error: SeatError) -> Self {
            match error {
                SeatError::Stage => Self::Stage,
                SeatError::NoSeat => Self::NoSeat,
                SeatError::Again => Self::Again,
                SeatError::Unpromised => Self::Unpromised,
                SeatError::Broken => Self::Broken,
                SeatError::Statement => Self::Statement,
            }
        }
    }

    #[pallet::hooks]
    impl<T: Config> Hooks<BlockNumberFor<T>> for Pallet<T> {
        /// Draws committees, ends what is over, and tells contracts, as far as the block has room.
        fn on_idle(_: BlockNumberFor<T>, room: Weight) -> Weight {
            Self::tend(room)
        }

        #[cfg(feature = "try-runtime")]
        fn try_state(_: BlockNumberFor<T>) -> Result<(), sp_runtime::TryRuntimeError> {
            super::audit::state::<T>()
        }
    }

    #[pallet::call]
    impl<T: Config> Pallet<T> {
        /// Asks for compute. Without a callback: that is for contracts, who ask through the precompile.
        #[pallet::call_index(0)]
        #[pallet::weight(Cost::<T>::request())]
        pub fn request(origin: OriginFor<T>, asked: Box<Asked>) -> DispatchResult {
            let payer = ensure_signed(origin)?;
            ensure!(asked.callback.is_none(), Error::<T>::Callback);
            Self::place(payer, *asked).map(drop)
        }

        /// Promises a result, for the operator whose node signs. A part of each block is kept for what the chain waits for;
        /// whoever would fill that, too, pays for words that are not taken.
        #[pallet::call_index(1)]
        #[pallet::weight((Cost::<T>::promise().saturating_add(Cost::<T>::go_on()), DispatchClass::Operational))]
        pub fn promise(
            origin: OriginFor<T>,
            request: Digest,
            promise: Digest,
        ) -> DispatchResultWithPostInfo {
            let (node, operator) = Self::node(origin)?;
            let mut row = Requests::<T>::get(request).ok_or(Error::<T>::Unknown)?;
            row.promise(&operator, node, promise, Self::moment())
                .map_err(Error::<T>::from)?;
            Requests::<T>::insert(request, row);
            Ok(Self::after(&request, Cost::<T>::promise()))
        }

        /// Shows what was promised. The output is shown, too, where it is small enough to be in the answer.
        #[pallet::call_index(2)]
        #[pallet::weight((
            Cost::<T>::show().saturating_add(Cost::<T>::end(MEMBERS).max(Cost::<T>::go_on())),
            DispatchClass::Operational,
        ))]
        pub fn show(
            origin: OriginFor<T>,
            request: Digest,
            statement: Box<Statement>,
            signature: Signature,
            salt: Digest,
            output: Option<Vec<u8>>,
        ) -> DispatchResultWithPostInfo {
            let (_, operator) = Self::node(origin)?;
            let mut row = Requests::<T>::get(request).ok_or(Error::<T>::Unknown)?;
            let asked = Asks::<T>::get(request).ok_or(Error::<T>::Unknown)?;
            let now = Self::moment();
            row.show(&request, &operator, &statement, &salt, &asked, now)
                .map_err(Error::<T>::from)?;
            let is_signed = statement.is_signed_by(signed, &signature);
            ensure!(is_signed, Error::<T>::Statement);
            if let Some(output) = output {
                // Nothing that is too long is hashed.
                let output = BoundedVec::try_from(output).map_err(|_| Error::<T>::Output)?;
                ensure!(statement.is_result(&output), Error::<T>::Output);
                Outputs::<T>::insert(request, statement.compare_key, output);
            }
            Requests::<T>::insert(request, row);
            Ok(Self::after(&request, Cost::<T>::show()))
        }
    }

    impl<T: Config> Pallet<T> {
        /// Places a request that the account pays for, and answers its name. Of a callback the caller has to know that
        /// the contract is the one that asks.
        ///
        /// # Errors
        /// [`Error`], or of the money. What was written has to be taken back.
        pub fn place(payer: T::AccountId, asked: Asked) -> Result<Digest, DispatchError> {
            let terms = CurrentTerms::<T>::get();
            asked
                .check(&terms, Providers::<T>::now())
                .map_err(Error::<T>::from)?;
            ensure!(
                offers::Pallet::<T>::is_pinned(&asked.program, asked.deadline),
                Error::<T>::Unpinned
            );
            let (share, len) = (asked.share(), asked.input.len());
            ensure!(
                offers::Pallet::<T>::fitting(&asked.limits, len, share)
                    >= usize::from(asked.replicas),
                Error::<T>::TooFew
            );
            let own = Own::<T>::get(&payer);
            ensure!(own < MAX_OWN, Error::<T>::TooManyOwn);
            ensure!(Self::places() < MAX_OPEN, Error::<T>::TooManyOpen);
            let gas = asked
                .callback
                .map_or(0, |callback| T::Callback::price(callback.gas));
            let held = asked
                .max_price
                .checked_add(gas)
                .ok_or(Error::<T>::Overflow)?;
            T::Currency::hold(&HoldReason::Request.into(), &payer, held)?;
            let number = Placed::<T>::mutate(|placed| {
                *placed += 1;
                *placed
            });
            let request = Digest::derive("opensky request 1", &(Providers::<T>::ledger(), number));
            Own::<T>::insert(&payer, own + 1);
            let block = Self::await_numbers();
            let account = Account(payer.clone().into());
            let row = Request::new(account, &asked, terms.profile, gas, block);
            let due = Due::of(request, &row);
            Round::<T>::try_append(due).map_err(|()| Error::<T>::TooManyOpen)?;
            Self::deposit_event(Event::Placed {
                request,
                payer,
                program: asked.program,
                unit: row.unit,
                max_price: asked.max_price,
                deadline: asked.deadline,
            });
            Requests::<T>::insert(request, row);
            Asks::<T>::insert(request, asked);
            Ok(request)
        }

        /// How many places are taken.
        fn places() -> u32 {
            let open = Round::<T>::decode_len().unwrap_or_default();
            let (first, next) = UntoldEnds::<T>::get();
            u32::try_from(next.saturating_sub(first))
                .unwrap_or(u32::MAX)
                .saturating_add(open as u32)
        }

        /// Goes on with a request after an operator has said something, which costs nothing.
        fn after(request: &Digest, said: Weight) -> PostDispatchInfo {
            // What could not be done is tried again when its time has come.
            let looked = Self::look(request, None).unwrap_or(Looked::Over(MEMBERS));
            let took = said.saturating_add(looked.weight::<T>());
            (Some(took), Pays::No).into()
        }

        /// Whether somebody waits for random numbers that there are not yet.
        pub fn is_waiting() -> bool {
            Drawing::<T>::get() > 0 && Awaited::<T>::get() > Self::begun()
        }

        /// One more request waits for random numbers, since this block.
        pub(super) fn await_numbers() -> u32 {
            let Moment { block, .. } = Self::moment();
            Drawing::<T>::mutate(|drawing| *drawing += 1);
            Awaited::<T>::put(block);
            block
        }

        /// This block, and its time.
        pub(super) fn moment() -> Moment {
            let block = frame_system::Pallet::<T>::block_number();
            Moment {
                time: Providers::<T>::now(),
                block: block.try_into().unwrap_or(u32::MAX),
            }
        }

        /// Who signs, and for whom: an account answers for itself, and for the nodes that it has certified.
        fn node(origin: OriginFor<T>) -> Result<(NodeKey, Account), DispatchError> {
            let signer: [u8; 32] = ensure_signed(origin)?.into();
            let node = NodeKey(signer);
            let operator = match Nodes::<T>::get(node) {
                None => Account(signer),
                Some(state) if state.revoked.is_none() => state.operator,
                Some(_) => return Err(Error::<T>::NotANode.into()),
            };
            Ok((node, operator))
        }
    }
}
