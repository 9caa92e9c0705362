//! Values that a node signed: one signature for one value, or for a whole batch.

use alloc::vec::Vec;
use core::{ops::Deref, slice};

use parity_scale_codec::{Decode, DecodeWithMemTracking, Encode};
use scale_info::TypeInfo;

use crate::{Check, Digest, MerklePath, NodeKey, SecretKey, Signature, merkle_paths};

/// A value that is signed, and by whom.
pub trait Signable: Encode {
    /// What the signature is about, with a version. No two types have the same.
    const DOMAIN: &'static str;

    /// The node that has to have signed.
    fn signer(&self) -> NodeKey;
}

/// What stands beside a value to prove that its signer signed it: the way from the value to the
/// root over a batch, and the signature of root and length. A batch of one has no way to go.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking, TypeInfo)]
pub struct Seal {
    /// From the value to the root.
    pub path: MerklePath,
    /// Over the root and the batch's length, in the type's domain.
    pub signature: Signature,
}

/// A value as it came from somewhere, with a seal that nobody has looked at.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking, TypeInfo)]
pub struct Signed<T> {
    /// What is said.
    pub value: T,
    /// By whom, if it holds.
    pub seal: Seal,
}

/// A value whose seal held, or that this node signed itself.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Verified<T>(Signed<T>);

impl<T: Signable> Signed<T> {
    /// Whether the value's signer signed it.
    pub fn holds(&self) -> bool {
        self.holds_by(NodeKey::signed)
    }

    /// The same, found out in another way.
    pub fn holds_by(&self, check: Check) -> bool {
        Self::all_hold(slice::from_ref(self), check)
    }

    /// Whether all of them hold. Neighbours that were signed at once are checked with one signature.
    pub fn all_hold(batch: &[Self], check: Check) -> bool {
        let mut last = None;
        batch.iter().all(|signed| {
            let Some(root) = signed.root() else {
                return false;
            };
            let seal = &signed.seal;
            let this = (signed.value.signer(), root, seal.path.count, seal.signature);
            let holds = last == Some(this) || signed.is_signed(&root, check);
            last = Some(this);
            holds
        })
    }

    /// The value, if its signer signed it.
    pub fn verify(self) -> Option<Verified<T>> {
        self.holds().then_some(Verified(self))
    }

    /// All of them, or `None` if one does not hold.
    pub fn verify_all(batch: Vec<Self>) -> Option<Vec<Verified<T>>> {
        let holds = Self::all_hold(&batch, NodeKey::signed);
        holds.then(|| batch.into_iter().map(Verified).collect())
    }

    fn root(&self) -> Option<Digest> {
        self.seal.path.root(&self.value)
    }

    fn is_signed(&self, root: &Digest, check: Check) -> bool {
        let Seal { path, signature } = &self.seal;
        let digest = Digest::derive(T::DOMAIN, &(root, path.count));
        check(&self.value.signer(), &digest, signature)
    }
}

impl<T: Signable> Verified<T> {
    /// Signs one value.
    ///
    /// # Panics
    /// If its signer is not `secret`'s node.
    pub fn sign(secret: &SecretKey, value: T) -> Self {
        let mut one = Self::sign_all(secret, [value].into());
        one.pop().expect("one value gives one")
    }

    /// Signs a batch with one signature; the order is kept.
    ///
    /// # Panics
    /// If a value's signer is not `secret`'s node.
    pub fn sign_all(secret: &SecretKey, values: Vec<T>) -> Vec<Self> {
        let own = secret.node();
        assert!(
            values.iter().all(|value| value.signer() == own),
            "a node signs for itself only"
        );
        let (root, paths) = merkle_paths(&values);
        let signature = secret.sign(T::DOMAIN, &(root, values.len() as u32));
        let seals = paths.into_iter().map(|path| Seal { path, signature });
        values
            .into_iter()
            .zip(seals)
            .map(|(value, seal)| Self(Signed { value, seal }))
            .collect()
    }
}

impl<T> Verified<T> {
    /// Takes a value as signed that nobody signed. For rows that this node wrote itself after it had
    /// checked them, and for simulations, where everyone is who they say they are.
    pub fn assume(signed: Signed<T>) -> Self {
        Self(signed)
    }

    /// With its seal, to be sent or kept.
    pub fn as_signed(&self) -> &Signed<T> {
        &self.0
    }

    /// With its seal, to be sent or kept.
    pub fn into_signed(self) -> Signed<T> {
        self.0
    }

    /// The value alone.
    pub fn into_value(self) -> T {
        self.0.value
    }
}

impl<T> Deref for Verified<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0.value
    }
}

impl Seal {
    /// A seal that proves nothing, for values that nobody has to believe.
    pub const NONE: Self = Self {
        path: MerklePath::ALONE,
        signature: Signature([0; 64]),
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Clone, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking)]
    struct Word(NodeKey, u32);

    impl Signable for Word {
        const DOMAIN: &'static str = "test word 1";

        fn signer(&self) -> NodeKey {
            self.0
        }
    }

    fn batch(count: u32) -> Vec<Signed<Word>> {
        let secret = SecretKey::from_seed(&[1; 32]);
        let words = (0..count).map(|n| Word(secret.node(), n)).collect();
        let signed = Verified::sign_all(&secret, words);
        signed.into_iter().map(Verified::into_signed).collect()
    }

    #[test]
    fn each_of_a_batch_stands_alone() {
        for count in [1, 2, 3, 7, 64, 65] {
            let batch = batch(count);
            assert!(batch.iter().all(Signed::holds), "{count}");
            assert_eq!(Signed::verify_all(batch).unwrap().len(), count as usize);
        }
    }

    #[test]
    fn nothing_else_holds() {
        let good = batch(5);
        let bad = |change: fn(&mut Signed<Word>)| {
            let mut batch = good.clone();
            change(&mut batch[3]);
            assert!(!batch[3].holds());
            assert_eq!(Signed::verify_all(batch), None);
        };
        bad(|word| word.value.1 += 1);
        bad(|word| word.value.0 = SecretKey::from_seed(&[2; 32]).node());
        bad(|word| word.seal.signature.0[5] ^= 1);
        bad(|word| word.seal.path.index ^= 1);
        bad(|word| word.seal.path.count += 1);
        bad(|word| word.seal.path.siblings[0].0[0] ^= 1);
        bad(|word| word.seal.path.siblings.push(Digest([0; 32])));
        bad(|word| word.seal = Seal::NONE);
    }

    #[test]
    #[should_panic(expected = "a node signs for itself only")]
    fn another_nodes_word_is_not_signed() {
        let other = SecretKey::from_seed(&[2; 32]).node();
        Verified::sign(&SecretKey::from_seed(&[1; 32]), Word(other, 1));
    }
}
