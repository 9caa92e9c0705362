//! What stands in a scene, and where a ray meets it.
use crate::vector::{V3, v3};

/// Nearer than this, a ray meets the surface that it leaves from.
pub(crate) const NEAREST: f64 = 1e-4;

/// What a surface does with light.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Material {
    /// Scatters it, and mirrors this part of it at a right angle (more at a flat one).
    Matte { colour: V3, gloss: f64 },
    /// Mirrors it.
    Metal { colour: V3 },
    /// Lets it through, bent.
    Glass,
}

/// A ball.
pub(crate) struct Ball {
    pub(crate) centre: V3,
    pub(crate) radius: f64,
    pub(crate) material: Material,
}

/// A ray: where it starts, and its direction, of length 1.
#[derive(Clone, Copy)]
pub(crate) struct Ray {
    pub(crate) from: V3,
    pub(crate) along: V3,
}

/// Where a ray meets a surface.
pub(crate) struct Hit {
    pub(crate) distance: f64,
    pub(crate) at: V3,
    /// Of length 1, away from the surface's solid side.
    pub(crate) normal: V3,
    pub(crate) material: Material,
}

impl Ball {
    /// The distance along the ray, from inside or outside.
    pub(crate) fn distance(&self, ray: Ray) -> Option<f64> {
        let to_centre = self.centre - ray.from;
        let middle = to_centre.dot(ray.along);
        let off = to_centre.dot(to_centre) - middle * middle;
        let half = self.radius * self.radius - off;
        if half < 0.0 {
            return None;
        }
        let half = half.sqrt();
        [middle - half, middle + half]
            .into_iter()
            .find(|&distance| distance > NEAREST)
    }

    pub(crate) fn hit(&self, ray: Ray, distance: f64) -> Hit {
        let at = ray.from + ray.along * distance;
        let normal = (at - self.centre) * (1.0 / self.radius);
        Hit {
            distance,
            at,
            normal,
            material: self.material,
        }
    }
}

/// The floor, at height 0: a board of light and dark squares.
pub(crate) fn floor(ray: Ray) -> Option<Hit> {
    let distance = -ray.from.y / ray.along.y;
    if !(distance > NEAREST && distance.is_finite()) {
        return None;
    }
    let at = ray.from + ray.along * distance;
    let is_light = (at.x.floor() + at.z.floor()).rem_euclid(2.0) == 0.0;
    let colour = if is_light {
        v3(0.86, 0.84, 0.80)
    } else {
        v3(0.13, 0.15, 0.19)
    };
    let material = Material::Matte {
        colour,
        gloss: 0.08,
    };
    Some(Hit {
        distance,
        at,
        normal: v3(0.0, 1.0, 0.0),
        material,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ball_is_met_from_outside_and_from_inside() {
        let ball = Ball {
            centre: v3(0.0, 0.0, 5.0),
            radius: 2.0,
            material: Material::Glass,
        };
        let ray = |z, along| Ray {
            from: v3(0.0, 0.0, z),
            along: v3(0.0, 0.0, along),
        };
        assert_eq!(ball.distance(ray(0.0, 1.0)), Some(3.0));
        assert_eq!(ball.distance(ray(5.0, 1.0)), Some(2.0));
        assert_eq!(ball.distance(ray(0.0, -1.0)), None);
        assert_eq!(ball.hit(ray(0.0, 1.0), 3.0).normal, v3(0.0, 0.0, -1.0));
    }

    #[test]
    fn the_floor_is_below_and_never_above() {
        let down = Ray {
            from: v3(0.0, 2.0, 0.0),
            along: v3(0.0, -1.0, 0.0),
        };
        assert_eq!(floor(down).map(|hit| hit.distance), Some(2.0));
        for along in [v3(0.0, 1.0, 0.0), v3(1.0, 0.0, 0.0)] {
            assert!(
                floor(Ray {
                    from: down.from,
                    along
                })
                .is_none()
            );
        }
    }
}
