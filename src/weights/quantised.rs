//! How elements are stored, and their values in f32.
//!
//! Block layouts after ggml (`ggml-common.h`, `dequantize_row_*` in `ggml-quants.c`): a block of 32 or 256
//! elements with one or two f16 scales, and packed integers.

use std::fmt;

use half::{bf16, f16};

/// A storage type.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[allow(non_camel_case_types)]
pub enum TensorType {
    /// 32-bit float.
    F32,
    /// 16-bit float.
    F16,
    /// 16-bit brain float.
    Bf16,
    /// 4 bits, one scale for 32.
    Q4_0,
    /// 4 bits, scale and minimum for 32.
    Q4_1,
    /// 5 bits, one scale for 32.
    Q5_0,
    /// 5 bits, scale and minimum for 32.
    Q5_1,
    /// 8 bits, one scale for 32.
    Q8_0,
    /// 2 bits, sixteen scales and minima for 256.
    Q2K,
    /// 3 bits, sixteen scales for 256.
    Q3K,
    /// 4 bits, eight scales and minima for 256.
    Q4K,
    /// 5 bits, eight scales and minima for 256.
    Q5K,
    /// 6 bits, sixteen scales for 256.
    Q6K,
    /// 4 bits that stand for values of a table, one scale for 32.
    Iq4Nl,
    /// The same with eight scales for 256.
    Iq4Xs,
    /// A type that no weight has: buffers of a model are stored in it. Its name in safetensors, and the bytes of an
    /// element.
    Other(&'static str, usize),
}

impl fmt::Display for TensorType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::F32 => "F32",
            Self::F16 => "F16",
            Self::Bf16 => "BF16",
            Self::Q4_0 => "Q4_0",
            Self::Q4_1 => "Q4_1",
            Self::Q5_0 => "Q5_0",
            Self::Q5_1 => "Q5_1",
            Self::Q8_0 => "Q8_0",
            Self::Q2K => "Q2_K",
            Self::Q3K => "Q3_K",
            Self::Q4K => "Q4_K",
            Self::Q5K => "Q5_K",
            Self::Q6K => "Q6_K",
            Self::Iq4Nl => "IQ4_NL",
            Self::Iq4Xs => "IQ4_XS",
            Self::Other(name, _) => name,
        })
    }
}

impl TensorType {
    /// The type of a number in a GGUF file (`enum ggml_type`).
    pub fn from_ggml(number: u32) -> Option<Self> {
        Some(match number {
            0 => Self::F32,
            1 => Self::F16,
            2 => Self::Q4_0,
            3 => Self::Q4_1,
            6 => Self::Q5_0,
            7 => Self::Q5_1,
            8 => Self::Q8_0,
            10 => Self::Q2K,
            11 => Self::Q3K,
            12 => Self::Q4K,
            13 => Self::Q5K,
            14 => Self::Q6K,
            20 => Self::Iq4Nl,
            23 => Self::Iq4Xs,
            30 => Self::Bf16,
            _ => return None,
        })
    }

    /// The type of a name in a safetensors file, where the format has it.
    pub fn from_safetensors(name: &str) -> Option<Self> {
        const OTHERS: [(&str, usize); 10] = [
            ("BOOL", 1),
            ("U8", 1),
            ("I8", 1),
            ("U16", 2),
            ("I16", 2),
            ("U32", 4),
            ("I32", 4),
            ("U64", 8),
            ("I64", 8),
            ("F64", 8),
        ];
        match name {
            "F32" => Some(Self::F32),
            "F16" => Some(Self::F16),
            "BF16" => Some(Self::Bf16),
            _ => OTHERS
                .into_iter()
                .find(|(other, _)| *other == name)
                .map(|(other, bytes)| Self::Other(other, bytes)),
        }
    }

    /// Elements and bytes of one block.
    pub fn block(self) -> (usize, usize) {
        match self {
            Self::F32 => (1, 4),
            Self::F16 | Self::Bf16 => (1, 2),
            Self::Q4_0 => (32, 18),
            Self::Q4_1 => (32, 20),
            Self::Q5_0 => (32, 22),
            Self::Q5_1 => (32, 24),
            Self::Q8_0 => (32, 34),
            Self::Q2K => (256, 84),
            Self::Q3K => (256, 110),
            Self::Q4K => (256, 144),
            Self::Q5K => (256, 176),
            Self::Q6K => (256, 210),
            Self::Iq4Nl => (32, 18),
            Self::Iq4Xs => (256, 136),
            Self::Other(_, bytes) => (1, bytes),
        }
    }

    /// Bytes of `elements` elements; `None` when they do not fill whole blocks.
    pub fn n_bytes(self, elements: usize) -> Option<u64> {
        let (width, bytes) = self.block();
        elements
            .is_multiple_of(width)
            .then(|| (elements / width) as u64 * bytes as u64)
    }

    /// The elements of whole blocks; bytes beyond the last whole block are left out.
    pub fn dequantise(self, bytes: &[u8]) -> Vec<f32> {
        let (width, size) = self.block();
        let mut values = vec![0.0; bytes.len() / size * width];
        let one: fn(&[u8], &mut [f32]) = match self {
            Self::F32 => {
                |block, out| out[0] = f32::from_le_bytes([block[0], block[1], block[2], block[3]])
            }
            Self::F16 => |block, out| out[0] = half_at(block, 0),
            Self::Bf16 => |block, out| out[0] = bf16::from_le_bytes([block[0], block[1]]).to_f32(),
            Self::Q4_0 => q4_0,
            Self::Q4_1 => q4_1,
            Self::Q5_0 => q5_0,
            Self::Q5_1 => q5_1,
            Self::Q8_0 => q8_0,
            Self::Q2K => q2_k,
            Self::Q3K => q3_k,
            Self::Q4K => q4_k,
            Self::Q5K => q5_k,
            Self::Q6K => q6_k,
            Self::Iq4Nl => iq4_nl,
            Self::Iq4Xs => iq4_xs,
            Self::Other(..) => |_, out| out[0] = f32::NAN,
        };
        for (block, out) in bytes.chunks_exact(size).zip(values.chunks_exact_mut(width)) {
            one(block, out);
        }
        values
    }
}

fn half_at(block: &[u8], at: usize) -> f32 {
    f16::from_le_bytes([block[at], block[at + 1]]).to_f32()
}

/// `d · (q − 8)`; low nibbles are elements 0..16, high nibbles 16..32.
fn q4_0(block: &[u8], out: &mut [f32]) {
    let d = half_at(block, 0);
    for (i, &byte) in block[2..18].iter().enumerate() {
        out[i] = d * (f32::from(byte & 15) - 8.0);
        out[i + 16] = d * (f32::from(byte >> 4) - 8.0);
    }
}

/// `d · q + m`.
fn q4_1(block: &[u8], out: &mut [f32]) {
    let (d, m) = (half_at(block, 0), half_at(block, 2));
    for (i, &byte) in block[4..20].iter().enumerate() {
        out[i] = d * f32::from(byte & 15) + m;
        out[i + 16] = d * f32::from(byte >> 4) + m;
    }
}

/// The fifth bits of 32 elements, as 0 or 16.
fn fifth_bits(block: &[u8], at: usize) -> impl Fn(usize) -> u8 {
    let bits = u32::from_le_bytes([block[at], block[at + 1], block[at + 2], block[at + 3]]);
    move |element| (((bits >> element) & 1) << 4) as u8
}

/// `d · (q − 16)`.
fn q5_0(block: &[u8], out: &mut [f32]) {
    let d = half_at(block, 0);
    let high = fifth_bits(block, 2);
    for (i, &byte) in block[6..22].iter().enumerate() {
        out[i] = d * (f32::from(byte & 15 | high(i)) - 16.0);
        out[i + 16] = d * (f32::from(byte >> 4 | high(i + 16)) - 16.0);
    }
}

/// `d · q + m`.
fn q5_1(block: &[u8], out: &mut [f32]) {
    let (d, m) = (half_at(block, 0), half_at(block, 2));
    let high = fifth_bits(block, 4);
    for (i, &byte) in block[8..24].iter().enumerate() {
        out[i] = d * f32::from(byte & 15 | high(i)) + m;
        out[i + 16] = d * f32::from(byte >> 4 | high(i + 16)) + m;
    }
}

/// `d · q`.
fn q8_0(block: &[u8], out: &mut [f32]) {
    let d = half_at(block, 0);
    for (value, &byte) in out.iter_mut().zip(&block[2..34]) {
        *value = d * f32::from(byte as i8);
    }
}

/// `d · scale · q − dmin · min` over sub-blocks of 16, scale and minimum in the two halves of a byte; byte
/// `i` of each run of 32 holds element `i` of four runs of 32 elements.
fn q2_k(block: &[u8], out: &mut [f32]) {
    let (scales, quants) = (&block[..16], &block[16..80]);
    let (d, dmin) = (half_at(block, 80), half_at(block, 82));
    for (i, value) in out.iter_mut().enumerate() {
        let byte = quants[i / 128 * 32 + i % 32];
        let quant = byte >> (i % 128 / 32 * 2) & 3;
        let (scale, min) = (scales[i / 16] & 15, scales[i / 16] >> 4);
        *value = d * f32::from(scale) * f32::from(quant) - dmin * f32::from(min);
    }
}

/// `d · (scale − 32) · q` over sub-blocks of 16: two low bits as in `q2_k`, and where the bit of `hmask` is
/// not set, 4 less. Of a scale's six bits four are in the first eight bytes and two in the last four.
fn q3_k(block: &[u8], out: &mut [f32]) {
    let (hmask, quants, packed) = (&block[..32], &block[32..96], &block[96..108]);
    let d = half_at(block, 108);
    for (i, value) in out.iter_mut().enumerate() {
        let low = quants[i / 128 * 32 + i % 32] >> (i % 128 / 32 * 2) & 3;
        let offset = if hmask[i % 32] >> (i / 32) & 1 == 0 {
            4.0
        } else {
            0.0
        };
        let j = i / 16;
        let scale = packed[j % 8] >> (j / 8 * 4) & 15 | (packed[8 + j % 4] >> (j / 4 * 2) & 3) << 4;
        *value = d * (f32::from(scale) - 32.0) * (f32::from(low) - offset);
    }
}

/// Scale and minimum of sub-block `j` of eight, six bits each, packed in twelve bytes.
fn scale_min_k4(j: usize, packed: &[u8]) -> (f32, f32) {
    let (scale, min) = if j < 4 {
        (packed[j] & 63, packed[j + 4] & 63)
    } else {
        (
            packed[j + 4] & 15 | packed[j - 4] >> 6 << 4,
            packed[j + 4] >> 4 | packed[j] >> 6 << 4,
        )
    };
    (f32::from(scale), f32::from(min))
}

/// `d · scale · q − dmin · min` over sub-blocks of 32; a run of 32 bytes holds two of them.
fn q4_k(block: &[u8], out: &mut [f32]) {
    let (d, dmin) = (half_at(block, 0), half_at(block, 2));
    let (packed, quants) = (&block[4..16], &block[16..144]);
    for (pair, bytes) in quants.chunks_exact(32).enumerate() {
        let (scale_low, min_low) = scale_min_k4(2 * pair, packed);
        let (scale_high, min_high) = scale_min_k4(2 * pair + 1, packed);
        for (i, &byte) in bytes.iter().enumerate() {
            out[64 * pair + i] = d * scale_low * f32::from(byte & 15) - dmin * min_low;
            out[64 * pair + 32 + i] = d * scale_high * f32::from(byte >> 4) - dmin * min_high;
        }
    }
}

/// As `q4_k`, with the fifth bits of sub-block `j` in bit `j` of 32 bytes.
fn q5_k(block: &[u8], out: &mut [f32]) {
    let (d, dmin) = (half_at(block, 0), half_at(block, 2));
    let (packed, high, quants) = (&block[4..16], &block[16..48], &block[48..176]);
    for (pair, bytes) in quants.chunks_exact(32).enumerate() {
        let (scale_low, min_low) = scale_min_k4(2 * pair, packed);
        let (scale_high, min_high) = scale_min_k4(2 * pair + 1, packed);
        for (i, (&byte, &high)) in bytes.iter().zip(high).enumerate() {
            let fifth = |sub_block: usize| (high >> sub_block & 1) << 4;
            let low = byte & 15 | fifth(2 * pair);
            let top = byte >> 4 | fifth(2 * pair + 1);
            out[64 * pair + i] = d * scale_low * f32::from(low) - dmin * min_low;
            out[64 * pair + 32 + i] = d * scale_high * f32::from(top) - dmin * min_high;
        }
    }
}

/// `d · scale · (q − 32)` over sub-blocks of 16: four low bits in `ql`, two high bits in `qh`.
fn q6_k(block: &[u8], out: &mut [f32]) {
    let (ql, qh, scales) = (&block[..128], &block[128..192], &block[192..208]);
    let d = half_at(block, 208);
    for half in 0..2 {
        let (ql, qh) = (&ql[64 * half..], &qh[32 * half..]);
        let (scales, out) = (&scales[8 * half..], &mut out[128 * half..]);
        for i in 0..32 {
            let high = qh[i];
            let quants = [
                ql[i] & 15 | (high & 3) << 4,
                ql[i + 32] & 15 | (high >> 2 & 3) << 4,
                ql[i] >> 4 | (high >> 4 & 3) << 4,
                ql[i + 32] >> 4 | (high >> 6 & 3) << 4,
            ];
            for (quarter, &quant) in quants.iter().enumerate() {
                let scale = f32::from(scales[i / 16 + 2 * quarter] as i8);
                out[i + 32 * quarter] = d * scale * (f32::from(quant) - 32.0);
            }
        }
    }
}

/// What the four bits of `iq4_nl` and `iq4_xs` stand for (`kvalues_iq4nl`).
const IQ4_VALUES: [i8; 16] = [
    -127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113,
];

/// `scale · value`; low nibbles are elements 0..16, high nibbles 16..32.
fn by_iq4_values(scale: f32, nibbles: &[u8], out: &mut [f32]) {
    let value = |nibble: u8| scale * f32::from(IQ4_VALUES[usize::from(nibble)]);
    for (i, &byte) in nibbles.iter().enumerate() {
        out[i] = value(byte & 15);
        out[i + 16] = value(byte >> 4);
    }
}

/// `d · value`.
fn iq4_nl(block: &[u8], out: &mut [f32]) {
    by_iq4_values(half_at(block, 0), &block[2..18], out);
}

/// `d · (scale − 32) · value` over sub-blocks of 32: of a scale's six bits the two high ones are in two bytes, the four low ones in the
/// next four.
fn iq4_xs(block: &[u8], out: &mut [f32]) {
    let d = half_at(block, 0);
    let high = u16::from_le_bytes([block[2], block[3]]);
    let sub_blocks = block[8..136].chunks_exact(16).zip(out.chunks_exact_mut(32));
    for (j, (nibbles, out)) in sub_blocks.enumerate() {
        let low = block[4 + j / 2] >> (j % 2 * 4) & 15;
        let scale = f32::from(low | ((high >> (2 * j) & 3) << 4) as u8) - 32.0;
        by_iq4_values(d * scale, nibbles, out);
    }
}

/// What ggml calls a type that is not read, where it is a known one.
pub(super) fn ggml_name(number: u32) -> Option<&'static str> {
    Some(match number {
        9 => "Q8_1",
        15 => "Q8_K",
        16 => "IQ2_XXS",
        17 => "IQ2_XS",
        18 => "IQ3_XXS",
        19 => "IQ1_S",
        21 => "IQ3_S",
        22 => "IQ2_S",
        29 => "IQ1_M",
        34 => "TQ1_0",
        35 => "TQ2_0",
        39 => "MXFP4",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A block of each, with every nibble in it and scales that tell the sub-blocks apart.
    #[test]
    fn four_bits_stand_for_values_of_a_table() {
        let nibbles: Vec<u8> = (0..16).map(|i| i | (15 - i) << 4).collect();
        let d = f16::from_f32(0.5).to_le_bytes();
        let block = [&d[..], &nibbles].concat();
        let found = TensorType::Iq4Nl.dequantise(&block);
        let of = |nibble: usize| 0.5 * f32::from(IQ4_VALUES[nibble]);
        let expected: Vec<f32> = (0..16).chain((0..16).rev()).map(of).collect();
        assert_eq!(found, expected);

        // Scales 1, 18, 35, 52, 5, 22, 39 and 56.
        let scales = [1u8, 18, 35, 52, 5, 22, 39, 56];
        let mut packed = [0u8; 6];
        for (j, scale) in scales.iter().enumerate() {
            packed[j / 4] |= (scale >> 4) << (j % 4 * 2);
            packed[2 + j / 2] |= (scale & 15) << (j % 2 * 4);
        }
        let block = [&d[..], &packed, &nibbles.repeat(8)].concat();
        let found = TensorType::Iq4Xs.dequantise(&block);
        for (found, scale) in found.chunks(32).zip(scales) {
            let scale = f32::from(scale) - 32.0;
            let expected: Vec<f32> = expected.iter().map(|value| value * scale).collect();
            assert_eq!(found, expected);
        }
    }
}
