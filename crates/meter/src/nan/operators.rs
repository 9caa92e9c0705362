//! What operators do to the bits of NaNs.

use wasmparser::{
    BlockType, ContType, FrameKind, FuncType, ModuleArity, Operator as O, RefType, SubType,
};

use super::value::{Class, Lanes, Via};

/// What an operator does that has neither a label, nor a callee, nor a local.
#[derive(Clone, Copy, Debug)]
pub(super) enum Effect {
    /// Pops so many operands and pushes a value of this class, if any. Of the operands, no more
    /// matters than which of these lanes are NaNs; without lanes, all their bits do.
    Reads {
        pops: u32,
        lanes: Option<Lanes>,
        result: Option<Class>,
    },
    /// Pops two operands and pushes a value that is made of their bits.
    Two([Via; 2]),
    /// Pops an operand and pushes a value that is made of its bits.
    One(Via),
}

impl Effect {
    pub fn of(op: &O<'_>) -> Self {
        match op {
            O::F32Const { value } => Self::constant(Class::f32(value.bits())),
            O::F64Const { value } => Self::constant(Class::f64(value.bits())),
            O::V128Const { value } => Self::constant(Class::v128(u128::from(*value))),
            O::I8x16Shuffle { lanes } => Self::Two([Via::shuffle(lanes); 2]),
            _ => Self::arithmetic(op)
                .or_else(|| Self::comparison(op))
                .or_else(|| Self::conversion(op))
                .or_else(|| Self::sign_or_lane(op))
                .unwrap_or_else(|| Self::other(op)),
        }
    }

    /// Operators whose result may be a NaN of any payload and sign, as the host likes.
    pub fn arithmetic(op: &O<'_>) -> Option<Self> {
        use Lanes::{F32, F32x4, F64, F64x2};
        let (pops, lanes, result) = match op {
            O::F32Add | O::F32Sub | O::F32Mul | O::F32Div | O::F32Min | O::F32Max => (2, F32, F32),
            O::F64Add | O::F64Sub | O::F64Mul | O::F64Div | O::F64Min | O::F64Max => (2, F64, F64),
            O::F32Sqrt | O::F32Ceil | O::F32Floor | O::F32Trunc | O::F32Nearest => (1, F32, F32),
            O::F64Sqrt | O::F64Ceil | O::F64Floor | O::F64Trunc | O::F64Nearest => (1, F64, F64),
            O::F32DemoteF64 => (1, F64, F32),
            O::F64PromoteF32 => (1, F32, F64),
            O::F32x4Add | O::F32x4Sub | O::F32x4Mul => (2, F32x4, F32x4),
            O::F32x4Div | O::F32x4Min | O::F32x4Max => (2, F32x4, F32x4),
            O::F64x2Add | O::F64x2Sub | O::F64x2Mul => (2, F64x2, F64x2),
            O::F64x2Div | O::F64x2Min | O::F64x2Max => (2, F64x2, F64x2),
            O::F32x4Sqrt | O::F32x4Ceil | O::F32x4Floor => (1, F32x4, F32x4),
            O::F32x4Trunc | O::F32x4Nearest => (1, F32x4, F32x4),
            O::F64x2Sqrt | O::F64x2Ceil | O::F64x2Floor => (1, F64x2, F64x2),
            O::F64x2Trunc | O::F64x2Nearest => (1, F64x2, F64x2),
            O::F32x4DemoteF64x2Zero => (1, F64x2, F32x4),
            O::F64x2PromoteLowF32x4 => (1, F32x4, F64x2),
            _ => return None,
        };
        Some(Self::Reads {
            pops,
            lanes: Some(lanes),
            result: Some(Class::arithmetic(result)),
        })
    }

    fn constant(class: Class) -> Self {
        Self::Reads {
            pops: 0,
            lanes: None,
            result: Some(class),
        }
    }

    /// Operators from floats to what is none.
    fn comparison(op: &O<'_>) -> Option<Self> {
        use Lanes::{F32, F32x4, F64, F64x2};
        let (pops, lanes) = match op {
            O::F32Eq | O::F32Ne | O::F32Lt | O::F32Gt | O::F32Le | O::F32Ge => (2, F32),
            O::F64Eq | O::F64Ne | O::F64Lt | O::F64Gt | O::F64Le | O::F64Ge => (2, F64),
            O::I32TruncF32S | O::I32TruncF32U | O::I64TruncF32S | O::I64TruncF32U => (1, F32),
            O::I32TruncF64S | O::I32TruncF64U | O::I64TruncF64S | O::I64TruncF64U => (1, F64),
            O::I32TruncSatF32S | O::I32TruncSatF32U => (1, F32),
            O::I64TruncSatF32S | O::I64TruncSatF32U => (1, F32),
            O::I32TruncSatF64S | O::I32TruncSatF64U => (1, F64),
            O::I64TruncSatF64S | O::I64TruncSatF64U => (1, F64),
            O::F32x4Eq | O::F32x4Ne | O::F32x4Lt => (2, F32x4),
            O::F32x4Gt | O::F32x4Le | O::F32x4Ge => (2, F32x4),
            O::F64x2Eq | O::F64x2Ne | O::F64x2Lt => (2, F64x2),
            O::F64x2Gt | O::F64x2Le | O::F64x2Ge => (2, F64x2),
            O::I32x4TruncSatF32x4S | O::I32x4TruncSatF32x4U => (1, F32x4),
            O::I32x4TruncSatF64x2SZero | O::I32x4TruncSatF64x2UZero => (1, F64x2),
            _ => return None,
        };
        Some(Self::Reads {
            pops,
            lanes: Some(lanes),
            result: Some(Class::Exact),
        })
    }

    /// Operators from integers to floats.
    fn conversion(op: &O<'_>) -> Option<Self> {
        use Lanes::{F32, F32x4, F64, F64x2};
        let lanes = match op {
            O::F32ConvertI32S | O::F32ConvertI32U | O::F32ConvertI64S | O::F32ConvertI64U => F32,
            O::F64ConvertI32S | O::F64ConvertI32U | O::F64ConvertI64S | O::F64ConvertI64U => F64,
            O::F32x4ConvertI32x4S | O::F32x4ConvertI32x4U => F32x4,
            O::F64x2ConvertLowI32x4S | O::F64x2ConvertLowI32x4U => F64x2,
            _ => return None,
        };
        Some(Self::Reads {
            pops: 1,
            lanes: None,
            result: Some(Class::numbers(lanes)),
        })
    }

    /// Operators that move lanes, or change nothing but their signs.
    fn sign_or_lane(op: &O<'_>) -> Option<Self> {
        use Lanes::{F32, F32x4, F64, F64x2};
        use Via::{Absolute, Extract, Negate, Splat};
        Some(match op {
            O::F32Neg => Self::One(Negate(F32)),
            O::F64Neg => Self::One(Negate(F64)),
            O::F32x4Neg => Self::One(Negate(F32x4)),
            O::F64x2Neg => Self::One(Negate(F64x2)),
            O::F32Abs => Self::One(Absolute(F32)),
            O::F64Abs => Self::One(Absolute(F64)),
            O::F32x4Abs => Self::One(Absolute(F32x4)),
            O::F64x2Abs => Self::One(Absolute(F64x2)),
            O::F32x4Splat => Self::One(Splat(F32x4)),
            O::F64x2Splat => Self::One(Splat(F64x2)),
            O::F32x4ExtractLane { .. } => Self::One(Extract(F32x4)),
            O::F64x2ExtractLane { .. } => Self::One(Extract(F64x2)),
            O::F32x4ReplaceLane { .. } => Self::Two([Via::Lanes(F32x4), Splat(F32x4)]),
            O::F64x2ReplaceLane { .. } => Self::Two([Via::Lanes(F64x2), Splat(F64x2)]),
            O::F32x4PMin | O::F32x4PMax => Self::Two([Via::Lanes(F32x4); 2]),
            O::F64x2PMin | O::F64x2PMax => Self::Two([Via::Lanes(F64x2); 2]),
            _ => return None,
        })
    }

    fn other(op: &O<'_>) -> Self {
        let (pops, pushes) = op
            .operator_arity(&NoModule)
            .expect("only operators with labels and callees need to know more");
        Self::Reads {
            pops,
            lanes: None,
            result: (pushes > 0).then_some(Class::Exact),
        }
    }
}

/// What operators of a fixed arity need to know of the module around them.
struct NoModule;

impl ModuleArity for NoModule {
    fn sub_type_at(&self, _: u32) -> Option<&SubType> {
        None
    }

    fn tag_type_arity(&self, _: u32) -> Option<(u32, u32)> {
        None
    }

    fn type_index_of_function(&self, _: u32) -> Option<u32> {
        None
    }

    fn func_type_of_cont_type(&self, _: &ContType) -> Option<&FuncType> {
        None
    }

    fn sub_type_of_ref_type(&self, _: &RefType) -> Option<&SubType> {
        None
    }

    fn control_stack_height(&self) -> u32 {
        0
    }

    fn label_block(&self, _: u32) -> Option<(BlockType, FrameKind)> {
        None
    }
}
