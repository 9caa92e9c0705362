//! A ray tracer: one shard is one band of rows, and the last unit writes the picture as a PNG.
mod scene;
mod shape;
mod tile;
mod trace;
mod vector;

use opensky::{Error, Finish, MapReduce};

pub use crate::tile::Tile;

/// Rays for each pixel, where the parameter `samples` does not say.
const SAMPLES: u32 = 16;
/// The most that the parameter may ask for.
const MAX_SAMPLES: u32 = 4_096;

/// The program: tiles in, a PNG out.
pub struct Render;

#[opensky::map_reduce(finish)]
impl MapReduce for Render {
    type Shard = Tile;
    /// Width and height of the picture, and the tile's first row.
    type Key = (u32, u32, u32);
    /// The tile's pixels: red, green, blue, row by row.
    type Value = Vec<u8>;
    type Output = Vec<u8>;

    fn map(tile: Tile) -> Result<Vec<((u32, u32, u32), Vec<u8>)>, Error> {
        tile.check()?;
        let samples = opensky::param_or("samples", SAMPLES)?;
        if !(1..=MAX_SAMPLES).contains(&samples) {
            let reason = format!("samples={samples} is not between 1 and {MAX_SAMPLES}");
            return Err(Error::invalid_input(reason));
        }
        let key = (tile.width, tile.height, tile.rows.0);
        Ok(vec![(key, trace::pixels(&tile, samples))])
    }

    fn reduce(key: (u32, u32, u32), tiles: Vec<Vec<u8>>) -> Result<Vec<u8>, Error> {
        let [tile] = <[_; 1]>::try_from(tiles).map_err(|_| {
            Error::InvalidInput(format!("more than one tile begins at row {}", key.2))
        })?;
        Ok(tile)
    }
}

impl Finish for Render {
    type Final = Vec<u8>;

    fn finish(tiles: Vec<((u32, u32, u32), Vec<u8>)>) -> Result<Vec<u8>, Error> {
        let Some(&((width, height, _), _)) = tiles.first() else {
            return Err(Error::invalid_input("there are no tiles"));
        };
        let mut pixels = Vec::with_capacity(3 * width as usize * height as usize);
        for ((w, h, row), tile) in tiles {
            let next = (pixels.len() / (3 * width as usize)) as u32;
            if (w, h, row) != (width, height, next) {
                let reason = format!(
                    "the tile at row {row} of {w}x{h} does not follow row {next} of {width}x{height}"
                );
                return Err(Error::InvalidInput(reason));
            }
            pixels.extend_from_slice(&tile);
        }
        png(width, height, &pixels)
    }
}

fn png(width: u32, height: u32, pixels: &[u8]) -> Result<Vec<u8>, Error> {
    let mut file = Vec::new();
    let mut encoder = png::Encoder::new(&mut file, width, height);
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_depth(png::BitDepth::Eight);
    encoder.write_header()?.write_image_data(pixels)?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use opensky::test::Unit;

    use super::*;

    fn tiles(width: u32, height: u32, rows: u32) -> Vec<String> {
        let starts = (0..height).step_by(rows as usize);
        let tile = |first: u32| {
            let end = height.min(first + rows);
            format!(r#"{{"width":{width},"height":{height},"rows":[{first},{end}]}}"#)
        };
        starts.map(tile).collect()
    }

    fn render(tiles: &[String]) -> Result<Vec<u8>, Error> {
        Unit::new()
            .param("samples", 2)
            .partitions(3)
            .map_reduce_finish::<Render>(tiles)
    }

    #[test]
    fn the_picture_is_the_same_however_it_is_cut() {
        let whole = render(&tiles(48, 27, 27)).expect("one tile is enough");
        assert_eq!(render(&tiles(48, 27, 4)), Ok(whole.clone()));
        let mut backwards = tiles(48, 27, 10);
        backwards.reverse();
        assert_eq!(render(&backwards), Ok(whole));
    }

    #[test]
    fn the_file_is_a_png_with_a_sky_above_and_a_floor_below() {
        let file = render(&tiles(48, 27, 9)).expect("the tiles fit");
        let mut reader = png::Decoder::new(std::io::Cursor::new(file))
            .read_info()
            .expect("it is a PNG");
        let mut pixels = vec![0; reader.output_buffer_size().expect("it is small")];
        let info = reader.next_frame(&mut pixels).expect("it has a frame");
        assert_eq!((info.width, info.height), (48, 27));
        let (sky, floor) = (&pixels[..3], &pixels[pixels.len() - 48 * 3..]);
        assert!(sky[2] > sky[0], "the sky is blue: {sky:?}");
        let (dark, light) = (floor.iter().min(), floor.iter().max());
        assert!(
            light > dark.map(|&d| d.saturating_add(40)).as_ref(),
            "the floor has a pattern"
        );
    }

    #[test]
    fn tiles_that_make_no_picture_are_refused() {
        let refused = |tiles: &[String]| matches!(render(tiles), Err(Error::InvalidInput(_)));
        let whole = tiles(16, 9, 3);
        assert!(refused(&[]), "none");
        assert!(refused(&whole[1..]), "the first is missing");
        assert!(
            refused(&[whole[0].clone(), whole[2].clone()]),
            "one is missing"
        );
        assert!(
            refused(&[whole[0].clone(), whole[0].clone(), whole[1].clone()]),
            "one is there twice"
        );
        assert!(
            refused(&[tiles(16, 9, 3)[0].clone(), tiles(17, 9, 3)[1].clone()]),
            "of two pictures"
        );
        assert!(refused(&["{}".to_owned()]), "no tile at all");
    }

    #[test]
    fn samples_out_of_range_are_refused() {
        for samples in ["0", "5000", "-1", "many"] {
            let unit = Unit::new().param("samples", samples);
            let picture = unit.map_reduce_finish::<Render>(tiles(16, 9, 9));
            assert!(matches!(picture, Err(Error::InvalidInput(_))), "{samples}");
        }
    }
}
