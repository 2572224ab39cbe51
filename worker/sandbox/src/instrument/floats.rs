//! What instructions do with the bits of NaNs.

use wasmparser::Operator;

/// How a value is divided into floats. An instruction that takes a vector of one shape sees bits of NaNs of
/// another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    F32,
    F64,
    F32x4,
    F64x2,
}

/// What an instruction does with floats.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Effect {
    /// Arithmetic: it sees whether operands are NaNs but not their bits, and the bits of a NaN that it gives
    /// are the processor's choice.
    Computes { takes: Shape, gives: Shape },
    /// A comparison, or a conversion to integers: it sees whether operands are NaNs but not their bits.
    Reads(Shape),
    /// Gives its operand, at most with another sign.
    HandsOn(Shape),
    /// Gives one of its two operands, in each lane. Which one does not hang on bits of NaNs.
    Chooses(Shape),
    /// Gives its first operand with the sign of the second.
    Signs,
    /// Gives one of its first two operands.
    Selects,
    /// All else. What it takes it sees, and what it gives is no computed NaN.
    Other,
}

/// What this instruction does with floats. An instruction that is not known is one that sees everything.
pub(super) fn effect(operator: &Operator<'_>) -> Effect {
    use Effect::{Chooses, HandsOn, Reads, Selects, Signs};
    use Operator::*;
    use Shape::{F32, F32x4, F64, F64x2};
    let computes = |shape| Effect::Computes {
        takes: shape,
        gives: shape,
    };
    match operator {
        F32Ceil | F32Floor | F32Trunc | F32Nearest | F32Sqrt | F32Add | F32Sub | F32Mul
        | F32Div | F32Min | F32Max => computes(F32),
        F64Ceil | F64Floor | F64Trunc | F64Nearest | F64Sqrt | F64Add | F64Sub | F64Mul
        | F64Div | F64Min | F64Max => computes(F64),
        F32x4Ceil | F32x4Floor | F32x4Trunc | F32x4Nearest | F32x4Sqrt | F32x4Add | F32x4Sub
        | F32x4Mul | F32x4Div | F32x4Min | F32x4Max | F32x4RelaxedMadd | F32x4RelaxedNmadd
        | F32x4RelaxedMin | F32x4RelaxedMax => computes(F32x4),
        F64x2Ceil | F64x2Floor | F64x2Trunc | F64x2Nearest | F64x2Sqrt | F64x2Add | F64x2Sub
        | F64x2Mul | F64x2Div | F64x2Min | F64x2Max | F64x2RelaxedMadd | F64x2RelaxedNmadd
        | F64x2RelaxedMin | F64x2RelaxedMax => computes(F64x2),
        F32DemoteF64 => Effect::Computes {
            takes: F64,
            gives: F32,
        },
        F64PromoteF32 => Effect::Computes {
            takes: F32,
            gives: F64,
        },
        F32x4DemoteF64x2Zero => Effect::Computes {
            takes: F64x2,
            gives: F32x4,
        },
        F64x2PromoteLowF32x4 => Effect::Computes {
            takes: F32x4,
            gives: F64x2,
        },

        F32Eq | F32Ne | F32Lt | F32Gt | F32Le | F32Ge | I32TruncF32S | I32TruncF32U
        | I64TruncF32S | I64TruncF32U | I32TruncSatF32S | I32TruncSatF32U | I64TruncSatF32S
        | I64TruncSatF32U => Reads(F32),
        F64Eq | F64Ne | F64Lt | F64Gt | F64Le | F64Ge | I32TruncF64S | I32TruncF64U
        | I64TruncF64S | I64TruncF64U | I32TruncSatF64S | I32TruncSatF64U | I64TruncSatF64S
        | I64TruncSatF64U => Reads(F64),
        F32x4Eq
        | F32x4Ne
        | F32x4Lt
        | F32x4Gt
        | F32x4Le
        | F32x4Ge
        | I32x4TruncSatF32x4S
        | I32x4TruncSatF32x4U
        | I32x4RelaxedTruncF32x4S
        | I32x4RelaxedTruncF32x4U => Reads(F32x4),
        F64x2Eq
        | F64x2Ne
        | F64x2Lt
        | F64x2Gt
        | F64x2Le
        | F64x2Ge
        | I32x4TruncSatF64x2SZero
        | I32x4TruncSatF64x2UZero
        | I32x4RelaxedTruncF64x2SZero
        | I32x4RelaxedTruncF64x2UZero => Reads(F64x2),

        F32Abs | F32Neg => HandsOn(F32),
        F64Abs | F64Neg => HandsOn(F64),
        F32x4Abs | F32x4Neg => HandsOn(F32x4),
        F64x2Abs | F64x2Neg => HandsOn(F64x2),
        F32x4PMin | F32x4PMax => Chooses(F32x4),
        F64x2PMin | F64x2PMax => Chooses(F64x2),
        F32Copysign | F64Copysign => Signs,
        Select | TypedSelect { .. } => Selects,
        _ => Effect::Other,
    }
}
