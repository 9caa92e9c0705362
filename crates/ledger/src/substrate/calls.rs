//! A call as a signed transaction of the chain.

use opensky_protocol::{
    Account, Digest, SecretKey,
    ledger::{Call, OnChain, Rejection},
};
use subxt::{
    client::OnlineClientAtBlockImpl,
    config::DefaultExtrinsicParamsBuilder,
    transactions::{Payload, Signer, SubmittableTransaction, TransactionInvalid, ValidationResult},
    utils::{AccountId32, MultiAddress, MultiSignature, Static},
};

use super::{At, ChainAway, Config, api, queue::Sent, reads};

/// Blocks in which a transaction can be included. If it is not, another one can be made.
const MORTALITY: u64 = 64;

/// The secret of `//Alice`.
const ALICE: [u8; 32] = [
    0xab, 0xf8, 0xe5, 0xbd, 0xbe, 0x30, 0xc6, 0x56, 0x56, 0xc0, 0xa3, 0xcb, 0xd1, 0x81, 0xff, 0x8a,
    0x56, 0x29, 0x4a, 0x69, 0xdf, 0xed, 0xd2, 0x79, 0x82, 0xaa, 0xce, 0x4a, 0x76, 0x90, 0x91, 0x15,
];

/// The key of whoever has money on a development chain, and nowhere else: everybody knows it.
pub fn alice() -> SecretKey {
    SecretKey::from_seed(&ALICE)
}

/// A call that is to be signed, and all that the signature says beside it.
pub(super) struct Wanted<'a> {
    pub call: &'a Call,
    pub account: Account,
    pub signer: &'a SecretKey,
    pub nonce: u64,
}

struct Key<'a>(&'a SecretKey);

impl Signer<Config> for Key<'_> {
    fn account_id(&self) -> AccountId32 {
        AccountId32(self.0.node().0)
    }

    fn sign(&self, payload: &[u8]) -> MultiSignature {
        MultiSignature::Ed25519(self.0.sign_transaction(payload).0)
    }
}

/// A signed transaction, upon a block.
type Made = SubmittableTransaction<Config, OnlineClientAtBlockImpl<Config>>;

/// Signs it upon that block, and asks the runtime whether it could be included: what could never be is not sent.
pub(super) async fn sign(
    at: &At,
    wanted: Wanted<'_>,
) -> Result<Result<Sent, Rejection>, ChainAway> {
    match wanted.call {
        Call::Faucet { amount } if *amount > reads::terms(at).await?.faucet => {
            return Ok(Err(Rejection::Faucet));
        }
        Call::Transfer { amount: 0, .. } => return Ok(Err(Rejection::Zero)),
        _ => {}
    }
    let signed = made(at, &wanted)?;
    match signed.validate().await? {
        ValidationResult::Invalid(TransactionInvalid::Payment) => return Ok(Err(Rejection::Fee)),
        ValidationResult::Invalid(TransactionInvalid::ExhaustsResources) => {
            return Ok(Err(Rejection::Unknown));
        }
        // Whatever else it is may have passed at the next block.
        _ => {}
    }
    let born = at.block_number();
    Ok(Ok(Sent {
        signer: wanted.signer.node(),
        nonce: wanted.nonce,
        hash: Digest(signed.hash().0),
        bytes: signed.into_encoded(),
        born,
        dies: born + MORTALITY - 1,
    }))
}

/// What the signer would pay for it after that block; the least that it can be where the runtime does not tell.
pub(super) async fn fee(at: &At, wanted: Wanted<'_>) -> Result<u128, ChainAway> {
    let signed = made(at, &wanted)?;
    let api = at
        .metadata_ref()
        .runtime_api_trait_by_name("TransactionPaymentApi");
    match api {
        Some(_) => Ok(signed.partial_fee_estimate().await?),
        None => {
            let weights = at
                .constants()
                .entry(api::constants().system().block_weights())?;
            let base = weights.per_class.normal.base_extrinsic.ref_time;
            Ok(u128::from(base).saturating_add(signed.encoded().len() as u128))
        }
    }
}

fn made(at: &At, wanted: &Wanted<'_>) -> Result<Made, ChainAway> {
    let (jobs, providers) = (api::tx().jobs(), api::tx().providers());
    let account = AccountId32(wanted.account.0);
    match wanted.call.clone() {
        Call::Faucet { amount } => {
            let to = MultiAddress::Id(account);
            let give = api::tx().balances().transfer_keep_alive(to, amount);
            make(at, give, wanted)
        }
        Call::Transfer { to, amount } => {
            let to = MultiAddress::Id(AccountId32(to.0));
            let give = api::tx().balances().transfer_keep_alive(to, amount);
            make(at, give, wanted)
        }
        Call::Certify { consent } => make(at, providers.certify(Static(consent)), wanted),
        Call::Revoke { node } => make(at, providers.revoke(Static(node)), wanted),
        Call::Bond { amount } => make(at, providers.bond(amount), wanted),
        Call::Unbond { amount } => make(at, providers.unbond(amount), wanted),
        Call::Withdraw => make(at, providers.withdraw(), wanted),
        Call::OpenEscrow {
            escrow,
            requester,
            amount,
            deadline,
        } => {
            let open = jobs.open_escrow(Static(escrow), Static(requester), amount, deadline);
            make(at, open, wanted)
        }
        Call::TopUp { escrow, amount } => make(at, jobs.top_up(Static(escrow), amount), wanted),
        Call::Close { escrow } => make(at, jobs.close(Static(escrow)), wanted),
        Call::Claim { vouchers } => {
            let vouchers = vouchers.into_iter().map(Static).collect();
            make(at, jobs.claim(vouchers), wanted)
        }
        Call::Show(showing) => make(at, jobs.show(account, Static(*showing)), wanted),
        Call::Object { escrow, unit } => {
            make(at, jobs.object(Static(escrow), Static(unit)), wanted)
        }
        Call::Resolve {
            escrow,
            unit,
            verdict,
        } => {
            let resolve = jobs.resolve(Static(escrow), Static(unit), Static(verdict));
            make(at, resolve, wanted)
        }
        Call::Settle { escrow, units } => {
            let units = units.into_iter().map(Static).collect();
            make(at, jobs.settle(Static(escrow), units), wanted)
        }
        Call::Refund { escrow } => make(at, jobs.refund(Static(escrow)), wanted),
        Call::OnChain(call) => made_on_chain(at, *call, wanted),
    }
}

fn made_on_chain(at: &At, call: OnChain, wanted: &Wanted<'_>) -> Result<Made, ChainAway> {
    let requests = api::tx().requests();
    let (offers, beacon) = (api::tx().offers(), api::tx().beacon());
    match call {
        OnChain::SetOffer(offer) => make(at, offers.set_offer(offer.map(Static)), wanted),
        OnChain::Pin { program, until } => make(at, offers.pin(Static(program), until), wanted),
        OnChain::Unpin { program } => make(at, offers.unpin(Static(program)), wanted),
        OnChain::Commit { round, commitment } => {
            make(at, beacon.commit(round, Static(commitment)), wanted)
        }
        OnChain::Reveal { round, secret } => make(at, beacon.reveal(round, Static(secret)), wanted),
        OnChain::Request(asked) => make(at, requests.request(Static(asked)), wanted),
        OnChain::Promise { request, promise } => make(
            at,
            requests.promise(Static(request), Static(promise)),
            wanted,
        ),
        OnChain::Show {
            request,
            statement,
            signature,
            salt,
            output,
        } => {
            let show = requests.show(
                Static(request),
                Static(*statement),
                Static(signature),
                Static(salt),
                output,
            );
            make(at, show, wanted)
        }
    }
}

fn make(at: &At, call: impl Payload, wanted: &Wanted<'_>) -> Result<Made, ChainAway> {
    let params = DefaultExtrinsicParamsBuilder::<Config>::new()
        .mortal_from_unchecked(MORTALITY, at.block_number(), at.block_hash())
        .nonce(wanted.nonce)
        .build();
    let transactions = at.transactions();
    let mut signable = transactions.create_signable_offline(&call, params)?;
    Ok(signable.sign(&Key(wanted.signer))?)
}
