//! What is known of the NaNs in a value.

/// How the bits of a value are read as floats.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Lanes {
    F32,
    F64,
    F32x4,
    F64x2,
}

impl Lanes {
    /// The type of one lane of a vector.
    fn scalar(self) -> Self {
        match self {
            Self::F32 | Self::F32x4 => Self::F32,
            Self::F64 | Self::F64x2 => Self::F64,
        }
    }
}

/// What the NaNs in a value are, or are to be before anybody sees their bits.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Nan {
    /// There are none.
    Never,
    /// The canonical NaN.
    Canonical,
    /// The canonical NaN with its sign turned: what the negation of the canonical one is.
    Negated,
}

/// A float, or a vector of floats, that no payload of a NaN has reached.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Float {
    pub lanes: Lanes,
    pub nan: Nan,
}

/// What is known of all values that one place can hold.
///
/// Ordered: [`Class::join`] never gives less than what it joins, and `Settled` is the top.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Class {
    /// No NaN, in whatever way the bits are read as floats.
    Plain,
    /// Perhaps NaNs whose bits differ from host to host, but whose canonical form is known.
    Float(Float),
    /// The bits are the same on every host already; they may be any NaN's.
    Exact,
    /// Now a float of this kind, now exact bits. Only for locals: beside one there can be a flag that
    /// says which.
    Mixed(Float),
    /// As `Exact`, but only because all that becomes of this place is made canonical before.
    Settled,
}

impl Class {
    /// What arithmetic gives, and so does a host of its own choice: some NaN or other.
    pub fn arithmetic(lanes: Lanes) -> Self {
        Self::Float(Float {
            lanes,
            nan: Nan::Canonical,
        })
    }

    /// Floats of which none is a NaN.
    pub fn numbers(lanes: Lanes) -> Self {
        Self::Float(Float {
            lanes,
            nan: Nan::Never,
        })
    }

    /// A constant with these bits.
    pub fn f32(bits: u32) -> Self {
        match bits {
            0x7fc0_0000 => Self::arithmetic(Lanes::F32),
            _ if f32::from_bits(bits).is_nan() => Self::Exact,
            _ => Self::Plain,
        }
    }

    /// A constant with these bits.
    pub fn f64(bits: u64) -> Self {
        match bits {
            0x7ff8_0000_0000_0000 => Self::arithmetic(Lanes::F64),
            _ if f64::from_bits(bits).is_nan() => Self::Exact,
            _ => Self::Plain,
        }
    }

    /// A constant with these bits.
    pub fn v128(bits: u128) -> Self {
        let f32_nan = |lane| f32::from_bits((bits >> (32 * lane)) as u32).is_nan();
        let f64_nan = |lane| f64::from_bits((bits >> (64 * lane)) as u64).is_nan();
        match (0..4).any(f32_nan) || (0..2).any(f64_nan) {
            true => Self::Exact,
            false => Self::Plain,
        }
    }

    /// What is known of a place that holds values of either class.
    pub fn join(self, other: Self) -> Self {
        use Class::{Exact, Float, Mixed, Plain, Settled};
        match (self, other) {
            (Plain, class) | (class, Plain) => class,
            (Settled, _) | (_, Settled) => Settled,
            (Exact, Exact) => Exact,
            (Float(float), Exact) | (Exact, Float(float)) if float.nan == Nan::Never => Exact,
            (Mixed(float), Exact) | (Exact, Mixed(float)) => Mixed(float),
            (Float(float), Exact) | (Exact, Float(float)) => Mixed(float),
            (Float(a), Float(b)) => a.join(b).map_or(Settled, Float),
            (Mixed(a), Mixed(b) | Float(b)) | (Float(a), Mixed(b)) => {
                a.join(b).map_or(Settled, Mixed)
            }
        }
    }

    /// The float whose NaNs must be made canonical before their bits are seen, if there is one.
    pub fn dirty(self) -> Option<Float> {
        match self {
            Self::Float(float) | Self::Mixed(float) if float.nan != Nan::Never => Some(float),
            _ => None,
        }
    }
}

impl Float {
    fn join(self, other: Self) -> Option<Self> {
        let nan = match (self.nan, other.nan) {
            _ if self.lanes != other.lanes => return None,
            (Nan::Never, nan) | (nan, Nan::Never) => nan,
            (nan, other) if nan == other => nan,
            _ => return None,
        };
        Some(Self { nan, ..self })
    }
}

/// How an operator makes its result of an operand, bit for bit, if the operand is read in the right
/// lanes. In other lanes it shows the bits of NaNs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Via {
    /// As it is.
    Whole,
    /// Each lane of the result is a lane of some operand.
    Lanes(Lanes),
    Negate(Lanes),
    Absolute(Lanes),
    /// A scalar becomes lanes of such a vector.
    Splat(Lanes),
    /// One lane of such a vector becomes a scalar.
    Extract(Lanes),
    /// Bytes are moved, but those of a lane stay together: of four bytes, of eight bytes.
    Bytes {
        four: bool,
        eight: bool,
    },
}

impl Via {
    /// Moves the bytes of two vectors as `shuffle` does.
    pub fn shuffle(bytes: &[u8; 16]) -> Self {
        let together = |size: usize| {
            bytes.chunks(size).all(|lane| {
                let first = usize::from(lane[0]);
                first % size == 0 && (first..).zip(lane).all(|(a, &b)| a == usize::from(b))
            })
        };
        Self::Bytes {
            four: together(4),
            eight: together(8),
        }
    }

    /// The class of what becomes of an operand.
    pub fn apply(self, class: Class) -> Class {
        match class {
            Class::Plain => self.plain(),
            Class::Float(float) => self.float(float).map_or(Class::Settled, Class::Float),
            Class::Exact | Class::Mixed(_) | Class::Settled => Class::Exact,
        }
    }

    fn plain(self) -> Class {
        match self {
            Self::Whole | Self::Bytes { eight: true, .. } => Class::Plain,
            Self::Lanes(lanes)
            | Self::Negate(lanes)
            | Self::Absolute(lanes)
            | Self::Splat(lanes) => Class::numbers(lanes),
            Self::Extract(lanes) => Class::numbers(lanes.scalar()),
            Self::Bytes { four: true, .. } => Class::numbers(Lanes::F32x4),
            Self::Bytes { .. } => Class::Exact,
        }
    }

    /// `None` if the bits of NaNs are seen.
    fn float(self, float: Float) -> Option<Float> {
        let nan = float.nan;
        let of = |lanes| (lanes == float.lanes).then_some(lanes);
        let (lanes, nan) = match self {
            Self::Whole => (float.lanes, nan),
            Self::Lanes(lanes) => (of(lanes)?, nan),
            Self::Negate(lanes) => (of(lanes)?, negated(nan)),
            Self::Absolute(lanes) => (of(lanes)?, absolute(nan)),
            Self::Splat(lanes) => (lanes, nan),
            Self::Extract(lanes) => (of(lanes)?.scalar(), nan),
            Self::Bytes { four, eight } => match float.lanes {
                Lanes::F32x4 if four => (float.lanes, nan),
                Lanes::F64x2 if eight => (float.lanes, nan),
                _ => return None,
            },
        };
        Some(Float { lanes, nan })
    }
}

fn negated(nan: Nan) -> Nan {
    match nan {
        Nan::Never => Nan::Never,
        Nan::Canonical => Nan::Negated,
        Nan::Negated => Nan::Canonical,
    }
}

fn absolute(nan: Nan) -> Nan {
    match nan {
        Nan::Never => Nan::Never,
        Nan::Canonical | Nan::Negated => Nan::Canonical,
    }
}
