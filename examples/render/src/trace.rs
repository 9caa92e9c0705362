//! Follows light backwards from the eye. Only `+ - * /` and `sqrt`, which are exact to the bit
//! everywhere: a native test draws the same picture as the sandbox.
use opensky::Rng;

use crate::{
    Tile,
    scene::{self, EYE, HALF_VIEW, LAMP, LAMP_LIGHT, LAMP_RADIUS, LOOK_AT},
    shape::{Hit, Material, NEAREST, Ray},
    vector::{V3, v3},
};

/// The noise is the picture's, not the unit's: the same however it is cut.
const SEED: [u8; 32] = *b"the noise of the opensky picture";
/// After so many mirrors and panes, light is too faint to matter.
const MAX_BOUNCES: u32 = 7;
/// How much glass bends light.
const GLASS_INDEX: f64 = 1.5;
/// Everything is lit a little from all around.
const AMBIENT: V3 = v3(0.20, 0.24, 0.30);

/// The tile's pixels: red, green, blue, row by row.
pub(crate) fn pixels(tile: &Tile, samples: u32) -> Vec<u8> {
    let camera = Camera::new(tile);
    let noise = Rng::from_seed(SEED);
    let mut pixels =
        Vec::with_capacity(3 * tile.width as usize * (tile.rows.1 - tile.rows.0) as usize);
    for row in tile.rows.0..tile.rows.1 {
        for column in 0..tile.width {
            let number = u64::from(row) * u64::from(tile.width) + u64::from(column);
            let mut rng = noise.stream(number);
            let mut colour = V3::ZERO;
            for _ in 0..samples {
                let ray = camera.ray(column, row, &mut rng);
                colour = colour + light_along(ray, 0, &mut rng);
            }
            let colour = colour * (1.0 / f64::from(samples));
            pixels.extend([colour.x, colour.y, colour.z].map(to_byte));
        }
    }
    pixels
}

/// Bright light is pressed into what a screen can show, then into its gamma (2, so that it is `sqrt`).
fn to_byte(light: f64) -> u8 {
    let pressed = light * (1.0 + light * 0.16) / (1.0 + light * 0.45);
    (pressed.clamp(0.0, 1.0).sqrt() * 255.0 + 0.5) as u8
}

struct Camera {
    right: V3,
    up: V3,
    forward: V3,
    half_width: f64,
    half_height: f64,
    pixel: f64,
}

impl Camera {
    fn new(tile: &Tile) -> Self {
        let forward = (LOOK_AT - EYE).unit();
        let right = v3(0.0, 1.0, 0.0).cross(forward).unit();
        let half_height = f64::from(tile.height) / 2.0;
        Self {
            right,
            up: forward.cross(right),
            forward,
            half_width: f64::from(tile.width) / 2.0,
            half_height,
            pixel: HALF_VIEW / half_height,
        }
    }

    /// A ray through a random point of the pixel.
    fn ray(&self, column: u32, row: u32, rng: &mut Rng) -> Ray {
        let x = (f64::from(column) + rng.unit_f64() - self.half_width) * self.pixel;
        let y = (self.half_height - f64::from(row) - rng.unit_f64()) * self.pixel;
        Ray {
            from: EYE,
            along: (self.forward + self.right * x + self.up * y).unit(),
        }
    }
}

fn light_along(ray: Ray, bounces: u32, rng: &mut Rng) -> V3 {
    let Some(hit) = scene::first_hit(ray) else {
        return scene::sky(ray.along);
    };
    if bounces == MAX_BOUNCES {
        return AMBIENT;
    }
    let light = match hit.material {
        Material::Matte { colour, gloss } => matte(ray, &hit, colour, gloss, bounces, rng),
        Material::Metal { colour } => {
            let mirrored = leave(&hit, ray.along.reflect(hit.normal));
            light_along(mirrored, bounces + 1, rng).tint(colour)
        }
        Material::Glass => glass(ray, &hit, bounces, rng),
    };
    fade(light, ray, &hit)
}

/// Far away, all takes the colour of the sky at its lower edge.
fn fade(light: V3, ray: Ray, hit: &Hit) -> V3 {
    let distance = hit.distance * hit.distance / 4_000.0;
    let horizon = scene::sky(v3(ray.along.x, 0.0, ray.along.z));
    light.mix(horizon, distance / (1.0 + distance))
}

fn matte(ray: Ray, hit: &Hit, colour: V3, gloss: f64, bounces: u32, rng: &mut Rng) -> V3 {
    let towards_lamp = LAMP + in_ball(rng) * LAMP_RADIUS - hit.at;
    let distance = towards_lamp.dot(towards_lamp).sqrt();
    let shadow = leave(hit, towards_lamp.unit());
    let slope = hit.normal.dot(shadow.along).max(0.0);
    let lamp = match slope {
        0.0 => V3::ZERO,
        slope => LAMP_LIGHT * (slope * scene::passing(shadow, distance)),
    };
    let around = AMBIENT * (0.6 + 0.4 * hit.normal.y) * occlusion(hit, rng);
    let scattered = colour.tint(lamp + around);

    let mirrored = mirrored_part(gloss, -hit.normal.dot(ray.along));
    // One ray in place of two: it is mirrored as often as much light is.
    if rng.unit_f64() < mirrored {
        light_along(leave(hit, ray.along.reflect(hit.normal)), bounces + 1, rng)
    } else {
        scattered
    }
}

/// How open the place is: whether the light of a random direction gets there.
fn occlusion(hit: &Hit, rng: &mut Rng) -> f64 {
    const REACH: f64 = 2.5;
    let direction = hit.normal + in_ball(rng) * 0.999;
    scene::passing(leave(hit, direction.unit()), REACH)
}

fn glass(ray: Ray, hit: &Hit, bounces: u32, rng: &mut Rng) -> V3 {
    let leaves = ray.along.dot(hit.normal) > 0.0;
    let normal = if leaves { -hit.normal } else { hit.normal };
    let ratio = if leaves {
        GLASS_INDEX
    } else {
        1.0 / GLASS_INDEX
    };
    let cosine = -normal.dot(ray.along);
    let bent = 1.0 - ratio * ratio * (1.0 - cosine * cosine);
    let straight =
        ((GLASS_INDEX - 1.0) / (GLASS_INDEX + 1.0)) * ((GLASS_INDEX - 1.0) / (GLASS_INDEX + 1.0));
    let is_mirrored = bent < 0.0 || {
        let flat = if leaves { bent.sqrt() } else { cosine };
        rng.unit_f64() < mirrored_part(straight, flat)
    };
    let along = if is_mirrored {
        ray.along.reflect(normal)
    } else {
        ray.along * ratio + normal * (ratio * cosine - bent.sqrt())
    };
    let from = hit.at + along * NEAREST;
    light_along(
        Ray {
            from,
            along: along.unit(),
        },
        bounces + 1,
        rng,
    )
}

/// Schlick's approximation: the part that is mirrored, from the part at a right angle.
fn mirrored_part(straight: f64, cosine: f64) -> f64 {
    let flat = (1.0 - cosine).clamp(0.0, 1.0);
    straight + (1.0 - straight) * (flat * flat) * (flat * flat) * flat
}

fn leave(hit: &Hit, along: V3) -> Ray {
    Ray {
        from: hit.at + hit.normal * NEAREST,
        along,
    }
}

/// A random point of the ball of radius 1.
fn in_ball(rng: &mut Rng) -> V3 {
    loop {
        let mut coordinate = || 2.0 * rng.unit_f64() - 1.0;
        let point = v3(coordinate(), coordinate(), coordinate());
        if point.dot(point) < 1.0 {
            return point;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn light_becomes_bytes_in_order_and_in_range() {
        let bytes: Vec<u8> = (0..100)
            .map(|step| to_byte(f64::from(step) * 0.1))
            .collect();
        assert!(bytes.is_sorted());
        assert_eq!((bytes[0], bytes[99], to_byte(-1.0)), (0, 255, 0));
    }

    #[test]
    fn glass_mirrors_all_at_the_flattest_angle_and_little_at_a_right_one() {
        assert_eq!(mirrored_part(0.04, 1.0), 0.04);
        assert_eq!(mirrored_part(0.04, 0.0), 1.0);
    }

    #[test]
    fn the_ball_under_the_lamp_throws_a_shadow() {
        let at = v3(-1.9, 0.0, 1.2);
        let towards_lamp = (LAMP - at).unit();
        let ray = Ray {
            from: at,
            along: towards_lamp,
        };
        assert_eq!(scene::passing(ray, 20.0), 0.0);
        let open = Ray {
            from: v3(-8.0, 0.0, -8.0),
            along: v3(0.0, 1.0, 0.0),
        };
        assert_eq!(scene::passing(open, 20.0), 1.0);
    }
}
