//! Writing WebAssembly: numbers, types, and the functions that metering adds.

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
    pub(crate) const LOCAL_GET: u8 = 0x20;
    pub(crate) const LOCAL_SET: u8 = 0x21;
    pub(crate) const GLOBAL_GET: u8 = 0x23;
    pub(crate) const GLOBAL_SET: u8 = 0x24;
    pub(crate) const I32_CONST: u8 = 0x41;
    pub(crate) const I32_EQZ: u8 = 0x45;
    pub(crate) const I32_LT_S: u8 = 0x48;
    pub(crate) const I32_ADD: u8 = 0x6a;
    pub(crate) const I32_SUB: u8 = 0x6b;
    pub(crate) const I32_SHR_U: u8 = 0x76;
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
