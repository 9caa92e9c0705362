//! The scene: balls on a board, under one lamp and a sky.
use std::f64;

use crate::{
    shape::{Ball, Hit, Material, Ray, floor},
    vector::{V3, v3},
};

/// The lamp is a ball too: its size is what makes shadows soft.
pub(crate) const LAMP: V3 = v3(-8.0, 5.6, -3.6);
/// The lamp's radius.
pub(crate) const LAMP_RADIUS: f64 = 0.9;
/// The lamp's light, as it arrives.
pub(crate) const LAMP_LIGHT: V3 = v3(1.35, 1.22, 1.02);

/// Where the picture is taken from, and the point in its middle.
pub(crate) const EYE: V3 = v3(0.6, 2.3, -8.2);
/// The point in the picture's middle.
pub(crate) const LOOK_AT: V3 = v3(0.1, 0.95, 0.0);
/// Half of what is in view at distance 1, from the picture's middle to its upper edge.
pub(crate) const HALF_VIEW: f64 = 0.36;

const BALLS: [Ball; 11] = [
    ball(
        -1.9,
        1.35,
        1.2,
        1.35,
        Material::Metal {
            colour: v3(0.92, 0.93, 0.95),
        },
    ),
    ball(0.95, 1.0, -0.9, 1.0, Material::Glass),
    ball(2.75, 1.15, 1.6, 1.15, matte(0.78, 0.13, 0.12)),
    ball(
        0.55,
        0.7,
        2.9,
        0.7,
        Material::Metal {
            colour: v3(0.98, 0.76, 0.36),
        },
    ),
    ball(-0.75, 0.45, -1.75, 0.45, matte(0.09, 0.32, 0.74)),
    ball(-2.55, 0.35, -1.5, 0.35, matte(0.95, 0.62, 0.10)),
    ball(2.45, 0.4, -1.5, 0.4, matte(0.12, 0.52, 0.31)),
    ball(
        -0.35,
        0.25,
        -2.75,
        0.25,
        Material::Metal {
            colour: v3(0.95, 0.64, 0.54),
        },
    ),
    ball(1.75, 0.22, -2.6, 0.22, matte(0.86, 0.86, 0.88)),
    ball(-4.3, 0.8, 3.2, 0.8, matte(0.33, 0.16, 0.46)),
    ball(
        4.9,
        0.6,
        0.1,
        0.6,
        Material::Metal {
            colour: v3(0.62, 0.72, 0.84),
        },
    ),
];

const fn ball(x: f64, y: f64, z: f64, radius: f64, material: Material) -> Ball {
    Ball {
        centre: v3(x, y, z),
        radius,
        material,
    }
}

const fn matte(red: f64, green: f64, blue: f64) -> Material {
    Material::Matte {
        colour: v3(red, green, blue),
        gloss: 0.05,
    }
}

/// The first surface that the ray meets.
pub(crate) fn first_hit(ray: Ray) -> Option<Hit> {
    let mut nearest = floor(ray);
    for ball in &BALLS {
        let limit = nearest.as_ref().map_or(f64::INFINITY, |hit| hit.distance);
        if let Some(distance) = ball.distance(ray).filter(|&distance| distance < limit) {
            nearest = Some(ball.hit(ray, distance));
        }
    }
    nearest
}

/// How much light comes through along the ray up to this distance: glass takes a part, the rest all.
pub(crate) fn passing(ray: Ray, up_to: f64) -> f64 {
    let mut passing = 1.0;
    for ball in &BALLS {
        if ball.distance(ray).is_some_and(|distance| distance < up_to) {
            match ball.material {
                Material::Glass => passing *= 0.75,
                Material::Matte { .. } | Material::Metal { .. } => return 0.0,
            }
        }
    }
    passing
}

/// What is seen in this direction where nothing stands: the sky, and the lamp's glow in it.
pub(crate) fn sky(along: V3) -> V3 {
    let height = along.y.max(0.0).sqrt();
    let sky = v3(0.80, 0.86, 0.95).mix(v3(0.18, 0.36, 0.72), height);
    let towards_lamp = along.dot(LAMP.unit()).max(0.0);
    let squared = towards_lamp * towards_lamp;
    let glow = squared * squared * squared * squared;
    sky + v3(0.35, 0.28, 0.18) * (glow * glow * glow * glow)
}
