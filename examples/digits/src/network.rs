//! A network of one hidden layer: 64 pixels in, ten likelihoods out.
use opensky::Rng;

use crate::data::PIXELS;

/// What it can be.
pub(crate) const DIGITS: usize = 10;

/// Weights and biases.
pub(crate) struct Network {
    pub(crate) hidden: Layer,
    pub(crate) output: Layer,
}

/// One layer: for each neuron its inputs' weights, and its bias.
pub(crate) struct Layer {
    pub(crate) inputs: usize,
    /// Neuron by neuron.
    pub(crate) weights: Vec<f32>,
    pub(crate) biases: Vec<f32>,
}

impl Network {
    /// A network that knows nothing yet.
    pub(crate) fn new(hidden: usize, rng: &mut Rng) -> Self {
        Self {
            hidden: Layer::new(PIXELS, hidden, rng),
            output: Layer::new(hidden, DIGITS, rng),
        }
    }

    /// The likeliest digit.
    pub(crate) fn read(&self, pixels: &[f32]) -> usize {
        let scores = self.output.apply(&self.activate(pixels));
        let mut likeliest = 0;
        for digit in 1..DIGITS {
            if scores[digit] > scores[likeliest] {
                likeliest = digit;
            }
        }
        likeliest
    }

    /// What the hidden layer makes of the pixels.
    pub(crate) fn activate(&self, pixels: &[f32]) -> Vec<f32> {
        let mut activation = self.hidden.apply(pixels);
        for value in &mut activation {
            *value = value.max(0.0);
        }
        activation
    }
}

impl Layer {
    /// Random weights, spread so that signals neither die away nor grow.
    fn new(inputs: usize, neurons: usize, rng: &mut Rng) -> Self {
        let spread = (6.0 / inputs as f32).sqrt();
        let mut weight = || (2.0 * rng.unit_f64() as f32 - 1.0) * spread;
        let weights = (0..inputs * neurons).map(|_| weight()).collect();
        Self {
            inputs,
            weights,
            biases: vec![0.0; neurons],
        }
    }

    pub(crate) fn apply(&self, input: &[f32]) -> Vec<f32> {
        let neuron = |(weights, bias): (&[f32], &f32)| {
            let pairs = weights.iter().zip(input);
            pairs.fold(*bias, |sum, (weight, value)| sum + weight * value)
        };
        self.weights
            .chunks_exact(self.inputs)
            .zip(&self.biases)
            .map(neuron)
            .collect()
    }
}

/// Scores as likelihoods, which add up to 1.
pub(crate) fn softmax(mut scores: Vec<f32>) -> Vec<f32> {
    let highest = scores.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    for score in &mut scores {
        *score = (*score - highest).exp();
    }
    let sum: f32 = scores.iter().sum();
    for score in &mut scores {
        *score /= sum;
    }
    scores
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_layer_weighs_its_inputs() {
        let layer = Layer {
            inputs: 2,
            weights: vec![1.0, 2.0, -1.0, 0.5],
            biases: vec![0.5, 0.0],
        };
        assert_eq!(layer.apply(&[3.0, 4.0]), [11.5, -1.0]);
    }

    #[test]
    fn likelihoods_add_up_whatever_the_scores() {
        for scores in [
            vec![0.0, 0.0],
            vec![1000.0, -1000.0],
            vec![-5000.0, -5001.0, -5002.0],
        ] {
            let likelihoods = softmax(scores);
            assert!((likelihoods.iter().sum::<f32>() - 1.0).abs() < 1e-6);
            assert!(likelihoods.is_sorted_by(|a, b| a >= b));
        }
    }
}
