//! Prices, and what a unit costs: the arithmetic that everyone who settles has to agree on.

use parity_scale_codec::{Decode, DecodeWithMemTracking, Encode};
use scale_info::TypeInfo;

use crate::Limits;

/// Prices in the ledger's smallest coin: what a provider asks, or the most that a requester gives.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking, TypeInfo)]
pub struct PriceTerms {
    /// For taking a unit at all.
    pub dispatch: u128,
    /// For 10^9 fuel.
    pub per_gfuel: u128,
    /// For a GiB of input or output.
    pub per_gib: u128,
}

const GFUEL: u128 = 1_000_000_000;
const GIB: u128 = 1 << 30;

impl PriceTerms {
    /// Each price, but at most that of `cap`.
    pub fn capped(&self, cap: &Self) -> Self {
        Self {
            dispatch: self.dispatch.min(cap.dispatch),
            per_gfuel: self.per_gfuel.min(cap.per_gfuel),
            per_gib: self.per_gib.min(cap.per_gib),
        }
    }

    /// Whether no price is above that of `cap`.
    pub fn is_within(&self, cap: &Self) -> bool {
        self.capped(cap) == *self
    }

    /// The price of a unit that is billed so much fuel, and took in and gave out so many bytes: each
    /// part rounded down. A price beyond `u128` is `u128::MAX`, which nobody has.
    pub fn of_unit(&self, fuel: u64, bytes: u64) -> u128 {
        self.dispatch
            .saturating_add(share(self.per_gfuel, fuel, GFUEL))
            .saturating_add(share(self.per_gib, bytes, GIB))
    }

    /// The most that one run within these limits can cost.
    pub fn worst_case(&self, limits: &Limits, input_len: u64) -> u128 {
        self.of_unit(limits.fuel, input_len.saturating_add(limits.output))
    }
}

/// `price * part / whole`, rounded down, without a larger number in between: the price's own
/// multiples of `whole` are taken first.
fn share(price: u128, part: u64, whole: u128) -> u128 {
    let (times, rest) = (price / whole, price % whole);
    let part = u128::from(part);
    // `rest` is below 2^30 and `part` below 2^64: their product is below 2^94.
    times
        .saturating_mul(part)
        .saturating_add(rest * part / whole)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ASK: PriceTerms = PriceTerms {
        dispatch: 7,
        per_gfuel: 1_000_000_001,
        per_gib: 3,
    };

    #[test]
    fn each_part_is_rounded_down() {
        let cases = [
            (0, 0, 7),
            (1, 0, 7 + 1),
            (999_999_999, 0, 7 + 999_999_999),
            (1_000_000_000, 0, 7 + 1_000_000_001),
            (0, (1 << 30) / 3, 7),
            (0, (1 << 30) / 3 + 1, 7 + 1),
            (0, u64::MAX, 7 + (3 << 34) - 1),
        ];
        for (fuel, bytes, price) in cases {
            assert_eq!(ASK.of_unit(fuel, bytes), price, "{fuel} {bytes}");
        }
    }

    #[test]
    fn prices_beyond_reason_do_not_wrap() {
        let ask = PriceTerms {
            dispatch: u128::MAX,
            per_gfuel: u128::MAX,
            per_gib: u128::MAX,
        };
        assert_eq!(ask.of_unit(u64::MAX, u64::MAX), u128::MAX);
        assert!(share(u128::MAX, 1, GFUEL) <= u128::MAX / GFUEL);
    }

    #[test]
    fn no_price_is_above_its_cap() {
        let cap = PriceTerms {
            dispatch: 10,
            per_gfuel: 5,
            per_gib: 2,
        };
        let capped = PriceTerms { dispatch: 7, ..cap };
        assert_eq!(ASK.capped(&cap), capped);
        assert!(capped.is_within(&cap) && !ASK.is_within(&cap));
    }
}
