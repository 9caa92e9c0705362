//! Learns to read handwritten digits, and reports how well it reads ones that it has never seen.
mod data;
mod network;
mod training;

use opensky::Error;
use serde::{Deserialize, Serialize};

use crate::{data::Image, network::Network};

/// One image in this many is kept back to test on.
const TEST_PART: usize = 5;
/// Neurons in the hidden layer.
const HIDDEN: usize = 48;
/// How often every image is learned from, where the parameter `epochs` does not say.
const EPOCHS: u32 = 30;

/// What was learned.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// Images learned from.
    pub training_images: usize,
    /// Images kept back.
    pub test_images: usize,
    /// Passes over the training images.
    pub epochs: u32,
    /// The mean loss of each pass: how surprised the network still was.
    pub loss: Vec<f32>,
    /// Part of the training images that it reads right.
    pub training_accuracy: f64,
    /// Part of the images kept back that it reads right.
    pub test_accuracy: f64,
    /// For each digit, how often the images kept back were read as each digit.
    pub confusion: [[u32; 10]; 10],
}

/// The program: the data set as CSV (64 pixels and the digit in a line), gzipped or not, to a report.
#[opensky::job]
pub fn digits(data: Vec<u8>) -> Result<Report, Error> {
    let epochs = opensky::param_or("epochs", EPOCHS)?;
    let mut images = data::read(&data)?;
    let mut rng = opensky::rng();
    rng.shuffle(&mut images);
    let kept_back = images.len() / TEST_PART;
    let (test, training) = images.split_at_mut(kept_back);
    if test.is_empty() {
        return Err(Error::invalid_input("there are too few images to test on"));
    }
    let mut network = Network::new(HIDDEN, &mut rng);
    let mut loss = Vec::new();
    for epoch in 0..epochs {
        rng.shuffle(training);
        loss.push(training::epoch(
            &mut network,
            training,
            training::rate(epoch, epochs),
        ));
        opensky::progress(u64::from(epoch) + 1, u64::from(epochs));
    }
    let read = confusion(&network, test);
    Ok(Report {
        training_images: training.len(),
        test_images: test.len(),
        epochs,
        loss,
        training_accuracy: accuracy(&confusion(&network, training)),
        test_accuracy: accuracy(&read),
        confusion: read,
    })
}

fn confusion(network: &Network, images: &[Image]) -> [[u32; 10]; 10] {
    let mut confusion = [[0; 10]; 10];
    for image in images {
        confusion[image.digit][network.read(&image.pixels)] += 1;
    }
    confusion
}

fn accuracy(confusion: &[[u32; 10]; 10]) -> f64 {
    let right: u32 = (0..10).map(|digit| confusion[digit][digit]).sum();
    let all: u32 = confusion.iter().flatten().sum();
    f64::from(right) / f64::from(all)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use opensky::{Rng, test::Unit};

    use super::*;

    /// Ten patterns under noise: as much like the data set as a test needs.
    fn patterns(count: usize) -> Vec<u8> {
        let mut rng = Rng::from_seed([3; 32]);
        let mut csv = String::new();
        for index in 0..count {
            let digit = index % 10;
            for pixel in 0..64 {
                let ink = if (pixel * 7 + digit * 13) % 10 < 4 {
                    10
                } else {
                    2
                };
                csv.push_str(&format!("{}.0,", ink + rng.below(5)));
            }
            csv.push_str(&format!("{digit}\n"));
        }
        csv.into_bytes()
    }

    #[test]
    fn it_learns_patterns_and_says_how_well() {
        let unit = Unit::new().param("epochs", 8);
        let report = unit
            .run(digits, patterns(600))
            .expect("the data is well-formed");
        assert_eq!(
            (
                report.training_images,
                report.test_images,
                report.loss.len()
            ),
            (480, 120, 8)
        );
        assert!(report.test_accuracy > 0.95, "{report:?}");
        assert!(report.loss[7] < report.loss[0] / 4.0, "{report:?}");
        assert_eq!(report.confusion.iter().flatten().sum::<u32>(), 120);
        assert_eq!(unit.progress().last(), Some(&(8, Some(8))));
    }

    #[test]
    fn it_depends_on_data_and_seed_alone_and_not_on_gzip() {
        let csv = patterns(100);
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gzip.write_all(&csv).expect("memory does not fail");
        let gzipped = gzip.finish().expect("memory does not fail");
        let learn = |data: &[u8], seed| {
            Unit::new()
                .param("epochs", 2)
                .seed([seed; 32])
                .run(digits, data.to_vec())
        };
        assert_eq!(learn(&csv, 1), learn(&gzipped, 1));
        assert_ne!(learn(&csv, 1), learn(&csv, 2));
    }

    #[test]
    fn too_little_data_is_refused() {
        for csv in [Vec::new(), patterns(4)] {
            let refused = opensky::test::run(digits, csv);
            assert!(matches!(refused, Err(Error::InvalidInput(_))));
        }
    }
}
