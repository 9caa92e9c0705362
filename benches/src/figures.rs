//! What was measured, by name.

use std::fmt;

/// Named numbers, in the order in which they were measured. Printed one `name: value` a line.
#[derive(Clone, Default, Debug)]
pub struct Figures(Vec<(String, f64)>);

/// A number that no measurement can have given.
#[derive(Clone, PartialEq, Debug, thiserror::Error)]
#[error("{name} cannot be {value}")]
pub struct Impossible {
    /// The figure.
    pub name: String,
    /// What it came out as.
    pub value: f64,
}

impl Figures {
    /// Adds a figure. Times, ratios and rates are all finite and above zero.
    pub fn add(&mut self, name: impl Into<String>, value: f64) -> Result<(), Impossible> {
        let name = name.into();
        if !value.is_finite() || value <= 0.0 {
            return Err(Impossible { name, value });
        }
        self.0.push((name, value));
        Ok(())
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, value) in &self.0 {
            let decimals = match *value {
                value if value < 10.0 => 3,
                value if value < 1_000.0 => 1,
                _ => 0,
            };
            writeln!(f, "{name}: {value:.decimals$}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_measurable_numbers_are_figures() {
        let mut figures = Figures::default();
        for value in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            assert!(figures.add("nothing", value).is_err(), "{value}");
        }
        figures.add("ratio", 1.23456).unwrap();
        figures.add("rate", 98_765.4).unwrap();
        assert_eq!(figures.to_string(), "ratio: 1.235\nrate: 98765\n");
    }
}
