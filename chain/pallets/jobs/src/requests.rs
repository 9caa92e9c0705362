//! Requests for compute: escrow, a committee that the chain draws, and an answer that its members agree on.
//!
//! The state machine of one request and its arithmetic are in `opensky_protocol::ledger`: here are its rows, its money,
//! and what the chain does by itself.

mod callback;

pub use self::{callback::CallBack, pallet::*};

/// Compute for whoever has an account, contracts too.
#[frame_support::pallet]
pub mod pallet {
    use alloc::boxed::Box;

    use frame_support::{pallet_prelude::*, traits::fungible::MutateHold as _};
    use frame_system::pallet_prelude::*;
    use opensky_chain_pallet_providers::Pallet as Providers;
    use opensky_protocol::{
        Digest,
        ledger::{Asked, AskedError, RequestTerms},
    };

    use super::CallBack;

    /// What the pallet is told.
    #[pallet::config]
    pub trait Config:
        crate::Config<RuntimeHoldReason: From<HoldReason>>
        + frame_system::Config<RuntimeEvent: From<Event<Self>>>
    {
        /// How contracts are told.
        type Callback: CallBack<Self::AccountId>;
    }

    /// The pallet.
    #[pallet::pallet]
    #[pallet::storage_version(VERSION)]
    #[pallet::without_storage_info]
    pub struct Pallet<T>(_);

    const VERSION: StorageVersion = StorageVersion::new(1);

    /// Requests that are open at the same time.
    pub const MAX_OPEN: u32 = 1_024;

    /// Of those, how many one account may have placed.
    pub const MAX_OWN: u32 = 64;

    // A guess on the safe side, until it is measured.
    const PLACE: Weight = Weight::from_parts(1_000_000_000, 64_000);

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

    /// How many requests there ever were.
    #[pallet::storage]
    pub type Placed<T> = StorageValue<_, u64, ValueQuery>;

    /// How many are open.
    #[pallet::storage]
    pub type Open<T> = StorageValue<_, u32, ValueQuery>;

    /// How many of an account's are.
    #[pallet::storage]
    pub type Own<T: Config> = StorageMap<_, Blake2_128Concat, T::AccountId, u32, ValueQuery>;

    /// Why money is held.
    #[pallet::composite_enum]
    pub enum HoldReason {
        /// For those who compute, and for the gas of the callback.
        Request,
    }

    /// What has happened.
    #[pallet::event]
    #[pallet::generate_deposit(fn deposit_event)]
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
        /// As many requests are open as can be.
        TooManyOpen,
        /// The account has as many open requests as it may have.
        TooManyOwn,
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

    #[pallet::call]
    impl<T: Config> Pallet<T> {
        /// Asks for compute. Without a callback: that is for contracts, who ask through the precompile.
        #[pallet::call_index(0)]
        #[pallet::weight(PLACE)]
        pub fn request(origin: OriginFor<T>, asked: Box<Asked>) -> DispatchResult {
            let payer = ensure_signed(origin)?;
            ensure!(asked.callback.is_none(), Error::<T>::Callback);
            Self::place(payer, *asked).map(drop)
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
            Self::count_in(&payer)?;
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
            Self::deposit_event(Event::Placed {
                request,
                payer,
                program: asked.program,
                unit: asked.work(&terms.profile).unit(),
                max_price: asked.max_price,
                deadline: asked.deadline,
            });
            Asks::<T>::insert(request, asked);
            Ok(request)
        }

        fn count_in(payer: &T::AccountId) -> DispatchResult {
            let (open, own) = (Open::<T>::get(), Own::<T>::get(payer));
            ensure!(open < MAX_OPEN, Error::<T>::TooManyOpen);
            ensure!(own < MAX_OWN, Error::<T>::TooManyOwn);
            Open::<T>::put(open + 1);
            Own::<T>::insert(payer, own + 1);
            Ok(())
        }
    }
}
