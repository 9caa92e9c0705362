//! Reads the data set.
use std::{fmt::Display, io::Read, str::FromStr};

use flate2::read::GzDecoder;
use opensky::Error;

/// Pixels in an image of 8 by 8.
pub(crate) const PIXELS: usize = 64;
/// The darkest pixel.
const DARKEST: f32 = 16.0;
/// The most that the data may unpack to.
const MAX_UNPACKED: u64 = 64 << 20;

/// One image, and the digit that it shows.
#[derive(Debug, PartialEq)]
pub(crate) struct Image {
    /// From 0, white, to 1, black.
    pub(crate) pixels: [f32; PIXELS],
    pub(crate) digit: usize,
}

/// Reads CSV of 64 pixels from 0 to 16 and the digit in a line, gzipped or not.
pub(crate) fn read(data: &[u8]) -> Result<Vec<Image>, Error> {
    let mut text = String::new();
    let unpacked = match data {
        [0x1f, 0x8b, ..] => GzDecoder::new(data)
            .take(MAX_UNPACKED)
            .read_to_string(&mut text),
        mut plain => plain.read_to_string(&mut text),
    };
    unpacked.map_err(Error::invalid_input)?;
    let image = |(index, line)| {
        image(line).map_err(|reason| Error::InvalidInput(format!("line {}: {reason}", index + 1)))
    };
    text.lines().enumerate().map(image).collect()
}

fn image(line: &str) -> Result<Image, String> {
    let mut fields = line.split(',');
    let mut pixels = [0.0; PIXELS];
    for pixel in &mut pixels {
        let ink: f32 = number(fields.next())?;
        if !(0.0..=DARKEST).contains(&ink) {
            return Err(format!("pixel {ink} is not between 0 and {DARKEST}"));
        }
        *pixel = ink / DARKEST;
    }
    let digit: f32 = number(fields.next())?;
    if fields.next().is_some() {
        return Err(format!("there are more than {} numbers", PIXELS + 1));
    }
    let known = (0..10_u8).find(|&known| f32::from(known) == digit);
    let digit = known.ok_or_else(|| format!("{digit} is not a digit"))?;
    Ok(Image {
        pixels,
        digit: usize::from(digit),
    })
}

fn number<T: FromStr<Err: Display>>(field: Option<&str>) -> Result<T, String> {
    let field = field.ok_or_else(|| format!("there are fewer than {} numbers", PIXELS + 1))?;
    field
        .trim()
        .parse()
        .map_err(|error| format!("{field:?}: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_an_image_in_either_notation() {
        let float = format!(
            "{}7.000000000000000000e+00\n",
            "1.600000000000000000e+01,".repeat(64)
        );
        let plain = format!("{}7\n", "16,".repeat(64));
        let expected = vec![Image {
            pixels: [1.0; 64],
            digit: 7,
        }];
        assert_eq!(read(float.as_bytes()), Ok(expected));
        assert_eq!(read(plain.as_bytes()), read(float.as_bytes()));
    }

    #[test]
    fn what_is_no_image_is_refused_with_its_line() {
        let zeros = "0,".repeat(64);
        let good = format!("{zeros}1\n");
        for bad in [
            "".to_owned(),
            "1,2,3".to_owned(),
            format!("{zeros}10"),
            format!("{zeros}1,1"),
            format!("{zeros}1.5"),
            format!("17,{zeros}1"),
            format!("x,{zeros}1"),
            format!("NaN,{}1", "0,".repeat(63)),
        ] {
            let refused = read(format!("{good}{bad}\n").as_bytes());
            let Err(Error::InvalidInput(reason)) = refused else {
                panic!("{bad:?} is taken for an image");
            };
            assert!(reason.starts_with("line 2: "), "{reason}");
        }
        assert!(read(&[0x1f, 0x8b, 0]).is_err());
    }
}
