//! What a shard asks for.
use opensky::Error;
use serde::{Deserialize, Serialize};

/// The most pixels in a picture, and in either direction.
const MAX_PIXELS: u64 = 64 << 20;
const MAX_SIDE: u32 = 16_384;

/// A band of rows of a picture.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tile {
    /// The whole picture's width in pixels.
    pub width: u32,
    /// The whole picture's height in pixels.
    pub height: u32,
    /// The first row of the band, and the row after its last.
    pub rows: (u32, u32),
}

impl Tile {
    /// Refuses what is no band of a picture.
    pub(crate) fn check(&self) -> Result<(), Error> {
        let sides = 1..=MAX_SIDE;
        let pixels = u64::from(self.width) * u64::from(self.height);
        if !sides.contains(&self.width) || !sides.contains(&self.height) || pixels > MAX_PIXELS {
            return Err(Error::InvalidInput(format!(
                "a picture of {}x{} is empty or too large",
                self.width, self.height
            )));
        }
        let (first, end) = self.rows;
        if first >= end || end > self.height {
            return Err(Error::InvalidInput(format!(
                "rows {first}..{end} are no band of a picture {} high",
                self.height
            )));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_bands_of_a_picture_pass() {
        let check = |width, height, rows| {
            Tile {
                width,
                height,
                rows,
            }
            .check()
            .is_ok()
        };
        assert!(check(16, 9, (0, 9)) && check(16, 9, (8, 9)));
        assert!(!check(16, 9, (0, 10)) && !check(16, 9, (3, 3)) && !check(16, 9, (4, 3)));
        assert!(
            !check(0, 9, (0, 9)) && !check(16_385, 1, (0, 1)) && !check(16_384, 16_384, (0, 1))
        );
    }
}
