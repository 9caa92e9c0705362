//! Teaches the network: stochastic gradient descent, image by image.
use crate::{
    data::Image,
    network::{Layer, Network, softmax},
};

/// How far one image moves the weights, in the first pass.
const RATE: f32 = 0.03;

/// How far one image moves the weights in this pass: less and less.
pub(crate) fn rate(epoch: u32, epochs: u32) -> f32 {
    RATE * (1.0 - epoch as f32 / epochs as f32)
}

/// Learns once from every image, and gives the mean loss.
pub(crate) fn epoch(network: &mut Network, images: &[Image], rate: f32) -> f32 {
    let loss: f32 = images.iter().map(|image| learn(network, image, rate)).sum();
    loss / images.len() as f32
}

/// Moves the weights a little towards reading this image right, and gives its loss.
fn learn(network: &mut Network, image: &Image, rate: f32) -> f32 {
    let activation = network.activate(&image.pixels);
    let mut error = softmax(network.output.apply(&activation));
    let loss = -error[image.digit].max(f32::MIN_POSITIVE).ln();
    error[image.digit] -= 1.0;

    let mut hidden_error = blame(&network.output, &error);
    for (error, value) in hidden_error.iter_mut().zip(&activation) {
        if *value <= 0.0 {
            *error = 0.0;
        }
    }
    descend(&mut network.output, &activation, &error, rate);
    descend(&mut network.hidden, &image.pixels, &hidden_error, rate);
    loss
}

/// How much each of the layer's inputs had to do with its errors.
fn blame(layer: &Layer, errors: &[f32]) -> Vec<f32> {
    let mut blame = vec![0.0; layer.inputs];
    for (weights, error) in layer.weights.chunks_exact(layer.inputs).zip(errors) {
        for (blame, weight) in blame.iter_mut().zip(weights) {
            *blame += weight * error;
        }
    }
    blame
}

fn descend(layer: &mut Layer, input: &[f32], errors: &[f32], rate: f32) {
    let neurons = layer
        .weights
        .chunks_exact_mut(layer.inputs)
        .zip(&mut layer.biases);
    for ((weights, bias), error) in neurons.zip(errors) {
        let step = rate * error;
        *bias -= step;
        for (weight, value) in weights.iter_mut().zip(input) {
            *weight -= step * value;
        }
    }
}

#[cfg(test)]
mod tests {
    use opensky::Rng;

    use super::*;
    use crate::data::PIXELS;

    #[test]
    fn learning_an_image_makes_it_less_surprising() {
        let mut network = Network::new(8, &mut Rng::from_seed([5; 32]));
        let image = Image {
            pixels: std::array::from_fn(|i| (i % 3) as f32 / 2.0),
            digit: 4,
        };
        assert_eq!(image.pixels.len(), PIXELS);
        let losses: Vec<f32> = (0..20).map(|_| learn(&mut network, &image, 0.05)).collect();
        assert!(losses.is_sorted_by(|a, b| a > b), "{losses:?}");
        assert_eq!(network.read(&image.pixels), 4);
    }

    #[test]
    fn the_rate_falls_from_pass_to_pass() {
        assert_eq!(rate(0, 10), RATE);
        assert!(rate(9, 10) > 0.0 && rate(9, 10) < rate(8, 10));
    }
}
