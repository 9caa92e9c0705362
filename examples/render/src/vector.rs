//! Points, directions and colours: three numbers each.
use std::ops::{Add, Mul, Neg, Sub};

/// Three numbers.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct V3 {
    pub(crate) x: f64,
    pub(crate) y: f64,
    pub(crate) z: f64,
}

/// The vector of these numbers.
pub(crate) const fn v3(x: f64, y: f64, z: f64) -> V3 {
    V3 { x, y, z }
}

impl V3 {
    pub(crate) const ZERO: V3 = v3(0.0, 0.0, 0.0);

    pub(crate) fn dot(self, other: V3) -> f64 {
        self.x * other.x + self.y * other.y + self.z * other.z
    }

    pub(crate) fn cross(self, other: V3) -> V3 {
        v3(
            self.y * other.z - self.z * other.y,
            self.z * other.x - self.x * other.z,
            self.x * other.y - self.y * other.x,
        )
    }

    /// The same direction with length 1. The length must not be 0.
    pub(crate) fn unit(self) -> V3 {
        self * (1.0 / self.dot(self).sqrt())
    }

    /// The direction of a ray that came along `self` and left a surface with this normal.
    pub(crate) fn reflect(self, normal: V3) -> V3 {
        self - normal * (2.0 * self.dot(normal))
    }

    /// Component by component: a colour seen in light of another colour.
    pub(crate) fn tint(self, other: V3) -> V3 {
        v3(self.x * other.x, self.y * other.y, self.z * other.z)
    }

    /// From `self` at 0 to `other` at 1.
    pub(crate) fn mix(self, other: V3, at: f64) -> V3 {
        self * (1.0 - at) + other * at
    }
}

impl Add for V3 {
    type Output = V3;

    fn add(self, other: V3) -> V3 {
        v3(self.x + other.x, self.y + other.y, self.z + other.z)
    }
}

impl Sub for V3 {
    type Output = V3;

    fn sub(self, other: V3) -> V3 {
        v3(self.x - other.x, self.y - other.y, self.z - other.z)
    }
}

impl Mul<f64> for V3 {
    type Output = V3;

    fn mul(self, by: f64) -> V3 {
        v3(self.x * by, self.y * by, self.z * by)
    }
}

impl Neg for V3 {
    type Output = V3;

    fn neg(self) -> V3 {
        self * -1.0
    }
}
