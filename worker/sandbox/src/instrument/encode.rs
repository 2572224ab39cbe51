//! Writing WebAssembly: numbers, types, and the functions and instructions that are added.

use super::floats::Shape;
use wasmparser::ValType;

pub(super) const I32: u8 = 0x7f;
pub(super) const EMPTY_BLOCK: u8 = 0x40;
pub(super) const KIND_FUNCTION: u8 = 0;
pub(super) const KIND_GLOBAL: u8 = 3;

pub(super) mod op {
    pub(crate) const UNREACHABLE: u8 = 0x00;
    pub(crate) const BLOCK: u8 = 0x02;
    pub(crate) const LOOP: u8 = 0x03;
    pub(crate) const IF: u8 = 0x04;
    pub(crate) const END: u8 = 0x0b;
    pub(crate) const BR: u8 = 0x0c;
    pub(crate) const BR_IF: u8 = 0x0d;
    pub(crate) const CALL: u8 = 0x10;
    pub(crate) const DROP: u8 = 0x1a;
    pub(crate) const SELECT: u8 = 0x1b;
    pub(crate) const LOCAL_GET: u8 = 0x20;
    pub(crate) const LOCAL_SET: u8 = 0x21;
    pub(crate) const LOCAL_TEE: u8 = 0x22;
    pub(crate) const GLOBAL_GET: u8 = 0x23;
    pub(crate) const GLOBAL_SET: u8 = 0x24;
    pub(crate) const I32_CONST: u8 = 0x41;
    pub(crate) const F32_CONST: u8 = 0x43;
    pub(crate) const F64_CONST: u8 = 0x44;
    pub(crate) const I32_EQZ: u8 = 0x45;
    pub(crate) const I32_LT_S: u8 = 0x48;
    pub(crate) const F32_GE: u8 = 0x60;
    pub(crate) const F64_GE: u8 = 0x66;
    pub(crate) const I32_ADD: u8 = 0x6a;
    pub(crate) const I32_SUB: u8 = 0x6b;
    pub(crate) const I32_SHR_U: u8 = 0x76;
    /// What instructions for vectors begin with.
    pub(crate) const VECTOR: u8 = 0xfd;
    pub(crate) const V128_CONST: u8 = 0x0c;
    pub(crate) const F32X4_EQ: u8 = 0x41;
    pub(crate) const F64X2_EQ: u8 = 0x47;
    pub(crate) const V128_BITSELECT: u8 = 0x52;
}

/// A function that returns what it is given, and spends `fuel` for each `2^shift` of it. The fuel is
/// spent on constants that are dropped: they count one each and compile to nothing.
pub(super) fn metering_body(shift: u8, fuel: u64) -> Vec<u8> {
    // The loop itself costs its eight other instructions.
    let constants = fuel.saturating_sub(8);
    let mut body = vec![1, 1, I32];
    body.extend([op::LOCAL_GET, 0, op::I32_CONST, shift, op::I32_SHR_U]);
    body.extend([op::LOCAL_SET, 1]);
    body.extend([op::BLOCK, EMPTY_BLOCK, op::LOOP, EMPTY_BLOCK]);
    body.extend([op::LOCAL_GET, 1, op::I32_EQZ, op::BR_IF, 1]);
    for _ in 0..constants {
        body.extend([op::I32_CONST, 0, op::DROP]);
    }
    body.extend([op::LOCAL_GET, 1, op::I32_CONST, 1, op::I32_SUB]);
    body.extend([op::LOCAL_SET, 1]);
    body.extend([op::BR, 0, op::END, op::END]);
    body.extend([op::LOCAL_GET, 0, op::END]);
    body
}

/// The bits of a canonical NaN: positive, and of the payload the first bit alone.
const NAN_32: [u8; 4] = 0x7fc0_0000_u32.to_le_bytes();
const NAN_64: [u8; 8] = 0x7ff8_0000_0000_0000_u64.to_le_bytes();

/// Six instructions that leave what is on the stack as it is, but for NaNs: each becomes the canonical one. The
/// variable is theirs.
pub(super) fn canonical(out: &mut Vec<u8>, shape: Shape, local: u32) {
    let variable = |out: &mut Vec<u8>, how: u8| {
        out.push(how);
        unsigned(out, local as usize);
    };
    variable(out, op::LOCAL_TEE);
    match shape {
        Shape::F32 => {
            out.push(op::F32_CONST);
            out.extend(NAN_32);
        }
        Shape::F64 => {
            out.push(op::F64_CONST);
            out.extend(NAN_64);
        }
        Shape::F32x4 => {
            out.extend([op::VECTOR, op::V128_CONST]);
            out.extend([NAN_32; 4].concat());
        }
        Shape::F64x2 => {
            out.extend([op::VECTOR, op::V128_CONST]);
            out.extend([NAN_64; 2].concat());
        }
    }
    variable(out, op::LOCAL_GET);
    variable(out, op::LOCAL_GET);
    // No NaN is as great as itself, and no NaN equals itself. Of scalars the former is one flag of an x86-64
    // processor and the latter two.
    out.extend_from_slice(match shape {
        Shape::F32 => &[op::F32_GE, op::SELECT],
        Shape::F64 => &[op::F64_GE, op::SELECT],
        Shape::F32x4 => &[op::VECTOR, op::F32X4_EQ, op::VECTOR, op::V128_BITSELECT],
        Shape::F64x2 => &[op::VECTOR, op::F64X2_EQ, op::VECTOR, op::V128_BITSELECT],
    });
}

pub(super) fn push_body(code: &mut Vec<u8>, body: &[u8]) {
    unsigned(code, body.len());
    code.extend_from_slice(body);
}

pub(super) fn export(out: &mut Vec<u8>, name: &str, kind: u8, index: u32) {
    unsigned(out, name.len());
    out.extend_from_slice(name.as_bytes());
    out.push(kind);
    unsigned(out, index as usize);
}

pub(super) fn value_type(ty: ValType) -> u8 {
    match ty {
        ValType::I32 => I32,
        ValType::I64 => 0x7e,
        ValType::F32 => 0x7d,
        ValType::F64 => 0x7c,
        ValType::V128 => 0x7b,
        // Function references are the only ones that are on.
        ValType::Ref(_) => 0x70,
    }
}

/// LEB128 without sign.
pub(super) fn unsigned(out: &mut Vec<u8>, mut value: usize) {
    loop {
        let [low, ..] = value.to_le_bytes();
        value >>= 7;
        if value == 0 {
            out.push(low & 0x7f);
            return;
        }
        out.push(low | 0x80);
    }
}

/// LEB128 with sign.
pub(super) fn signed(out: &mut Vec<u8>, mut value: i64) {
    loop {
        let [low, ..] = value.to_le_bytes();
        value >>= 7;
        // The last byte's upper bit is the sign of all that follows.
        if value == 0 && low & 0x40 == 0 || value == -1 && low & 0x40 != 0 {
            out.push(low & 0x7f);
            return;
        }
        out.push(low | 0x80);
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use wasmparser::BinaryReader;

    proptest! {
        #[test]
        fn numbers_are_read_back_as_they_were_written(value: u32, sign: i64) {
            let mut bytes = Vec::new();
            unsigned(&mut bytes, value as usize);
            prop_assert_eq!(BinaryReader::new(&bytes, 0).read_var_u32().unwrap(), value);
            for sign in [sign, sign >> 32, sign >> 56, sign >> 63] {
                let mut bytes = Vec::new();
                signed(&mut bytes, sign);
                prop_assert_eq!(BinaryReader::new(&bytes, 0).read_var_i64().unwrap(), sign);
            }
        }
    }
}
