//! Money: how amounts are named, written and read. There is no other place that does.
//!
//! A ledger counts its smallest coin, of which 10^12 are one SKY. The smaller units are called as in
//! the rest of science, so the coin itself is the pSKY.

use std::{borrow::Cow, fmt, str::FromStr};

use opensky_protocol::PriceTerms;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::number::decimal;

/// An amount of money in the ledger's smallest coin. A decimal string of that in JSON; for people
/// [`Display`](fmt::Display) writes it exactly, in the largest unit that leaves something before the
/// point, and [`FromStr`] reads it back.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Amount(pub u128);

/// A text that is no amount of money.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum NotAnAmount {
    /// It has no unit, or one that there is not.
    #[error(
        "`{0}` is not an amount: write a number and SKY, mSKY, uSKY, nSKY or pSKY, like `1.5 mSKY`"
    )]
    Unit(String),
    /// The smallest coin cannot be divided.
    #[error("`{0}` is less than the smallest coin can tell: 1 pSKY is not divided")]
    Fraction(String),
    /// Nobody has so much.
    #[error("`{0}` is more money than there can be")]
    Range(String),
}

/// The units, largest first, and how many decimal places each has.
const UNITS: [(&str, usize); 5] = [
    ("SKY", 12),
    ("mSKY", 9),
    ("µSKY", 6),
    ("nSKY", 3),
    ("pSKY", 0),
];
/// Decimal places of [`Amount::rounded`].
const PLACES: usize = 3;

impl Amount {
    /// The amount for a table: rounded to three decimal places of its unit.
    pub fn rounded(&self) -> String {
        let (unit, places) = self.unit();
        let step = 10_u128.pow(places.saturating_sub(PLACES) as u32);
        let down = self.0 - self.0 % step;
        let up = down
            .checked_add(step)
            .filter(|_| self.0 % step >= step.div_ceil(2));
        let nearest = match step {
            1 => self.0,
            _ => up.unwrap_or(down),
        };
        written(nearest, unit, places)
    }

    /// The sum, or the most there can be.
    pub fn saturating_add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }

    fn unit(&self) -> (&'static str, usize) {
        let fits = |&&(_, places): &&(&str, usize)| self.0 >= 10_u128.pow(places as u32);
        match self.0 {
            0 => UNITS[0],
            _ => *UNITS.iter().find(fits).expect("the last unit is 1"),
        }
    }
}

fn written(amount: u128, unit: &str, places: usize) -> String {
    let whole = 10_u128.pow(places as u32);
    let rest = format!("{:0places$}", amount % whole);
    match rest.trim_end_matches('0') {
        "" => format!("{} {unit}", amount / whole),
        rest => format!("{}.{rest} {unit}", amount / whole),
    }
}

impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (unit, places) = self.unit();
        f.pad(&written(self.0, unit, places))
    }
}

impl FromStr for Amount {
    type Err = NotAnAmount;

    /// Reads digits, perhaps a point and more digits, perhaps spaces, and a unit. Only `0` needs
    /// none: without one nobody knows which was meant.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let shown = || text.chars().take(80).collect::<String>();
        let text = text.trim();
        if text == "0" {
            return Ok(Self(0));
        }
        let at = text.find(|c: char| !c.is_ascii_digit() && c != '.');
        let (number, unit) = text.split_at(at.unwrap_or(text.len()));
        let unit = unit.trim_start();
        let (_, places) = UNITS
            .iter()
            .find(|(name, _)| *name == unit || (*name == "µSKY" && unit == "uSKY"))
            .ok_or_else(|| NotAnAmount::Unit(shown()))?;
        let (whole, rest) = number.split_once('.').unwrap_or((number, "0"));
        if whole.is_empty() || rest.is_empty() || rest.contains('.') {
            return Err(NotAnAmount::Unit(shown()));
        }
        let rest = rest.trim_end_matches('0');
        if rest.len() > *places {
            return Err(NotAnAmount::Fraction(shown()));
        }
        let digits = format!("{whole}{rest:0<places$}");
        let amount = digits.parse().map_err(|_| NotAnAmount::Range(shown()))?;
        Ok(Self(amount))
    }
}

impl Serialize for Amount {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Amount {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<str>::deserialize(deserializer)?;
        let amount = decimal(&text);
        let amount = amount.ok_or_else(|| {
            de::Error::custom("an amount is a decimal string below 2^128, in the smallest coin")
        })?;
        Ok(Self(amount))
    }
}

impl JsonSchema for Amount {
    fn schema_name() -> Cow<'static, str> {
        "Amount".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "Money in pSKY, the ledger's smallest coin (10^12 of them are one SKY), as a decimal string below 2^128.",
            "type": "string",
            "pattern": "^(0|[1-9][0-9]{0,38})$",
        })
    }
}

/// Prices: what a provider asks, or the most that a requester gives.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Prices {
    /// For taking a unit at all.
    pub dispatch: Amount,
    /// For 10^9 fuel.
    pub per_gfuel: Amount,
    /// For a GiB of input or output.
    pub per_gib: Amount,
}

impl From<PriceTerms> for Prices {
    fn from(terms: PriceTerms) -> Self {
        Self {
            dispatch: Amount(terms.dispatch),
            per_gfuel: Amount(terms.per_gfuel),
            per_gib: Amount(terms.per_gib),
        }
    }
}

impl From<Prices> for PriceTerms {
    fn from(prices: Prices) -> Self {
        Self {
            dispatch: prices.dispatch.0,
            per_gfuel: prices.per_gfuel.0,
            per_gib: prices.per_gib.0,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn amounts_are_written_so() {
        let cases = [
            (0, "0 SKY", "0 SKY"),
            (1, "1 pSKY", "1 pSKY"),
            (999, "999 pSKY", "999 pSKY"),
            (1_500, "1.5 nSKY", "1.5 nSKY"),
            (2_000_000, "2 µSKY", "2 µSKY"),
            (1_234_567_890_123, "1.234567890123 SKY", "1.235 SKY"),
            (999_999_999_999, "999.999999999 mSKY", "1000 mSKY"),
            (1_000_000 * 10_u128.pow(12), "1000000 SKY", "1000000 SKY"),
        ];
        for (amount, exact, rounded) in cases {
            assert_eq!(Amount(amount).to_string(), exact);
            assert_eq!(Amount(amount).rounded(), rounded);
        }
        assert_eq!(
            Amount(u128::MAX).rounded(),
            "340282366920938463463374607.431 SKY"
        );
    }

    #[test]
    fn amounts_are_read_so() {
        let read = |text: &str| match text.parse::<Amount>() {
            Ok(amount) => amount.0.to_string(),
            Err(error) => error.to_string(),
        };
        let cases = [
            "0",
            " 1.5 mSKY ",
            "2SKY",
            "3 uSKY",
            "1.50 nSKY",
            "5",
            "1.5 pSKY",
            "1 MSKY",
            ".5 SKY",
            "1. SKY",
            "1.2.3 SKY",
            "-1 SKY",
            "",
            "SKY",
            "400000000000000000000000000 SKY",
        ];
        let said = cases
            .map(|text| format!("{text:?}: {}", read(text)))
            .join("\n");
        expect_test::expect![[r#"
            "0": 0
            " 1.5 mSKY ": 1500000000
            "2SKY": 2000000000000
            "3 uSKY": 3000000
            "1.50 nSKY": 1500
            "5": `5` is not an amount: write a number and SKY, mSKY, uSKY, nSKY or pSKY, like `1.5 mSKY`
            "1.5 pSKY": `1.5 pSKY` is less than the smallest coin can tell: 1 pSKY is not divided
            "1 MSKY": `1 MSKY` is not an amount: write a number and SKY, mSKY, uSKY, nSKY or pSKY, like `1.5 mSKY`
            ".5 SKY": `.5 SKY` is not an amount: write a number and SKY, mSKY, uSKY, nSKY or pSKY, like `1.5 mSKY`
            "1. SKY": `1. SKY` is not an amount: write a number and SKY, mSKY, uSKY, nSKY or pSKY, like `1.5 mSKY`
            "1.2.3 SKY": `1.2.3 SKY` is not an amount: write a number and SKY, mSKY, uSKY, nSKY or pSKY, like `1.5 mSKY`
            "-1 SKY": `-1 SKY` is not an amount: write a number and SKY, mSKY, uSKY, nSKY or pSKY, like `1.5 mSKY`
            "": `` is not an amount: write a number and SKY, mSKY, uSKY, nSKY or pSKY, like `1.5 mSKY`
            "SKY": `SKY` is not an amount: write a number and SKY, mSKY, uSKY, nSKY or pSKY, like `1.5 mSKY`
            "400000000000000000000000000 SKY": `400000000000000000000000000 SKY` is more money than there can be"#]]
        .assert_eq(&said);
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(amount: u128, shift in 0_u32..128) {
            let amount = Amount(amount >> shift);
            prop_assert_eq!(amount.to_string().parse(), Ok(amount));
            let json = serde_json::to_string(&amount).expect("JSON");
            prop_assert_eq!(serde_json::from_str::<Amount>(&json).expect("an amount"), amount);
        }

        #[test]
        fn rounding_is_near(amount: u128, shift in 0_u32..128) {
            let amount = Amount(amount >> shift);
            let rounded: Amount = amount.rounded().parse().expect("an amount");
            prop_assert!(rounded.0.abs_diff(amount.0) <= amount.0 / 1_000);
        }

        #[test]
        fn any_text_is_an_amount_or_is_not(text in "[0-9.]{0,45} ?[mµunp]?(SKY)?", any in ".*") {
            for text in [text, any] {
                if let Ok(amount) = text.parse::<Amount>() {
                    prop_assert_eq!(amount.to_string().parse(), Ok(amount));
                }
                let json = serde_json::to_string(&text).expect("JSON");
                if let Ok(amount) = serde_json::from_str::<Amount>(&json) {
                    prop_assert_eq!(amount.0.to_string(), text);
                }
            }
        }
    }
}
