//! Weight matrices in 32, 16 or 8 bits, unpacked where they are used.

use core::num::NonZeroUsize;

/// A weight matrix as it is held, row by row.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub enum Weights<'a> {
    /// In 32 bits.
    F32(&'a [f32]),
    /// In 16 bits, as IEEE 754 has them.
    F16(&'a [u16]),
    /// In 8 bits, every `block` of them times a scale of its own.
    I8 {
        /// Whole numbers.
        values: &'a [i8],
        /// One for each block.
        scales: &'a [f32],
        /// How many numbers have one scale.
        block: NonZeroUsize,
    },
}

impl Weights<'_> {
    pub(crate) fn len(&self) -> usize {
        match self {
            Self::F32(values) => values.len(),
            Self::F16(values) => values.len(),
            Self::I8 { values, .. } => values.len(),
        }
    }

    /// Unpacks the numbers from place `from` on into `out`.
    ///
    /// # Safety
    ///
    /// There are as many.
    #[inline(always)]
    pub(crate) unsafe fn unpack(&self, from: usize, out: &mut [f32]) {
        // SAFETY: the caller's; blocks have scales, as `Product::new` has checked.
        match *self {
            Self::F32(values) => {
                let values = unsafe { part(values, from, out.len()) };
                for (out, &value) in out.iter_mut().zip(values) {
                    *out = value;
                }
            }
            Self::F16(values) => {
                let values = unsafe { part(values, from, out.len()) };
                for (out, &bits) in out.iter_mut().zip(values) {
                    *out = from_half(bits);
                }
            }
            Self::I8 {
                values,
                scales,
                block,
            } => {
                let mut rest = out;
                let mut place = from;
                while !rest.is_empty() {
                    let count = (block.get() - place % block).min(rest.len());
                    let scale = unsafe { *scales.get_unchecked(place / block) };
                    let values = unsafe { part(values, place, count) };
                    // SAFETY: `count` is at most the length.
                    let (now, later) = unsafe { rest.split_at_mut_unchecked(count) };
                    for (out, &value) in now.iter_mut().zip(values) {
                        *out = f32::from(value) * scale;
                    }
                    place += count;
                    rest = later;
                }
            }
        }
    }
}

/// Some numbers of many: in the module there is nobody to tell of a panic.
///
/// # Safety
///
/// There are as many.
#[inline(always)]
pub(crate) unsafe fn part<T>(values: &[T], from: usize, count: usize) -> &[T] {
    debug_assert!(from + count <= values.len());
    // SAFETY: the caller's.
    unsafe { core::slice::from_raw_parts(values.as_ptr().add(from), count) }
}

/// A number in 16 bits: exact, subnormal ones too.
#[inline(always)]
fn from_half(bits: u16) -> f32 {
    /// 2^112, from one kind's exponents to the other's.
    const BETWEEN: f32 = f32::from_bits((112 + 127) << 23);
    let bits = u32::from(bits);
    let magnitude = (bits & 0x7fff) << 13;
    let exact = f32::from_bits(magnitude) * BETWEEN;
    // Infinities and what is no number keep their exponent of ones.
    let ones = if magnitude >= 0x7c00 << 13 {
        0xff << 23
    } else {
        0
    };
    f32::from_bits(exact.to_bits() | ones | (bits & 0x8000) << 16)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halves_are_exact() {
        for (bits, number) in [
            (0x0000, 0.0),
            (0x3c00, 1.0),
            (0xc000, -2.0),
            (0x7bff, 65504.0),
            (0x0001, 5.960_464_5e-8),
            (0x83ff, -6.097_555e-5),
            (0x7c00, f32::INFINITY),
        ] {
            assert_eq!(from_half(bits), number);
        }
        assert!(from_half(0x7e00).is_nan());
    }
}
