//! Arithmetic that the compiler turns into vector instructions.

/// Numbers that are worked on side by side, so that a sum need not wait for the one before.
pub(crate) const LANES: usize = 16;

/// So many numbers.
pub(crate) type Lanes = [f32; LANES];

/// Numbers of a row from place `first` on, and zeros where it has no more.
#[inline(always)]
pub(crate) fn lanes(row: &[f32], first: usize) -> Lanes {
    let mut lanes = [0.0; LANES];
    match row.get(first..first + LANES) {
        Some(whole) => lanes.copy_from_slice(whole),
        None => {
            for (lane, &x) in lanes.iter_mut().zip(&row[first..]) {
                *lane = x;
            }
        }
    }
    lanes
}

/// Puts what each lane comes to into a row, from place `first` on, as far as it goes.
#[inline(always)]
pub(crate) fn put(row: &mut [f32], first: usize, value: impl Fn(usize) -> f32) {
    let mut lanes = [0.0; LANES];
    for (lane, out) in lanes.iter_mut().enumerate() {
        *out = value(lane);
    }
    match row.get_mut(first..first + LANES) {
        Some(whole) => whole.copy_from_slice(&lanes),
        None => {
            for (out, &lane) in row[first..].iter_mut().zip(&lanes) {
                *out = lane;
            }
        }
    }
}

/// Runs `work` compiled for the widest vectors that the processor has; what it calls must be inlined.
#[cfg(not(target_family = "wasm"))]
#[inline(always)]
pub(crate) fn with_all_instructions(work: impl FnOnce()) {
    pulp::Arch::new().dispatch(work);
}

/// On WebAssembly the instructions are chosen when it is compiled.
#[cfg(target_family = "wasm")]
#[inline(always)]
pub(crate) fn with_all_instructions(work: impl FnOnce()) {
    work();
}

/// `Σ f(x, y)` over two rows of one length.
#[inline(always)]
pub(crate) fn sum_of(x: &[f32], y: &[f32], f: impl Fn(f32, f32) -> f32) -> f32 {
    let mut lanes: Lanes = [0.0; LANES];
    let (x_parts, y_parts) = (x.chunks_exact(LANES), y.chunks_exact(LANES));
    let rest = x_parts.remainder().iter().zip(y_parts.remainder());
    let rest: f32 = rest.map(|(&x, &y)| f(x, y)).sum();
    for (x, y) in x_parts.zip(y_parts) {
        for ((lane, &x), &y) in lanes.iter_mut().zip(x).zip(y) {
            *lane += f(x, y);
        }
    }
    joined(lanes, |x, y| x + y) + rest
}

/// What the lanes come to, the one half joined with the other until one is left.
#[inline(always)]
fn joined(mut lanes: Lanes, join: impl Fn(f32, f32) -> f32) -> f32 {
    for half in [8, 4, 2, 1] {
        for lane in 0..half {
            lanes[lane] = join(lanes[lane], lanes[lane + half]);
        }
    }
    lanes[0]
}

/// `Σ x y`.
#[cfg(not(target_family = "wasm"))]
#[inline(always)]
pub(crate) fn dot(x: &[f32], y: &[f32]) -> f32 {
    sum_of(x, y, |x, y| x * y)
}

/// `to += factor · x`.
#[cfg(not(target_family = "wasm"))]
#[inline(always)]
pub(crate) fn add_scaled(to: &mut [f32], factor: f32, x: &[f32]) {
    for (to, &x) in to.iter_mut().zip(x) {
        *to += factor * x;
    }
}

#[cfg(target_family = "wasm")]
pub(crate) use by_vectors::{add_scaled, dot};

/// With the multiplication and addition in one that the compiler does not use by itself.
#[cfg(target_family = "wasm")]
mod by_vectors {
    use crate::vector::{LANES, Vector};

    /// Vectors that are worked on side by side.
    const TOGETHER: usize = 4;

    /// `Σ x y`.
    #[inline(always)]
    pub(crate) fn dot(x: &[f32], y: &[f32]) -> f32 {
        let (x_parts, y_parts) = (
            x.chunks_exact(TOGETHER * LANES),
            y.chunks_exact(TOGETHER * LANES),
        );
        let rest = (x_parts.remainder().chunks(LANES)).zip(y_parts.remainder().chunks(LANES));
        let mut sums = [Vector::splat(0.0); TOGETHER];
        for (x, y) in x_parts.zip(y_parts) {
            for (part, sum) in sums.iter_mut().enumerate() {
                *sum = sum.add_product(vector(x, part), vector(y, part));
            }
        }
        for (sum, (x, y)) in sums.iter_mut().zip(rest) {
            *sum = sum.add_product(some(x), some(y));
        }
        let [a, b, c, d] = sums;
        a.add(b).add(c.add(d)).sum()
    }

    /// `to += factor · x`.
    #[inline(always)]
    pub(crate) fn add_scaled(to: &mut [f32], factor: f32, x: &[f32]) {
        let splat = Vector::splat(factor);
        let (mut to_parts, x_parts) = (to.chunks_exact_mut(LANES), x.chunks_exact(LANES));
        let x_rest = some(x_parts.remainder());
        for (to, x) in (&mut to_parts).zip(x_parts) {
            let sum = vector(to, 0).add_product(splat, vector(x, 0));
            // SAFETY: a chunk has as many numbers.
            unsafe { sum.store(to.as_mut_ptr()) };
        }
        let to = to_parts.into_remainder();
        let sum = some(to).add_product(splat, x_rest);
        // SAFETY: there are as many.
        unsafe { sum.store_some(to.as_mut_ptr(), to.len()) };
    }

    /// The numbers of a chunk, four at most, and zeros.
    #[inline(always)]
    fn some(chunk: &[f32]) -> Vector {
        // SAFETY: there are as many.
        unsafe { Vector::load_some(chunk.as_ptr(), chunk.len()) }
    }

    /// Some numbers of a chunk.
    #[inline(always)]
    fn vector(chunk: &[f32], part: usize) -> Vector {
        let numbers = &chunk[part * LANES..][..LANES];
        // SAFETY: there are as many.
        unsafe { Vector::load(numbers.as_ptr()) }
    }
}

/// The largest of a row.
#[inline(always)]
pub(crate) fn largest(x: &[f32]) -> f32 {
    let larger = |x: f32, y: f32| if y > x { y } else { x };
    let mut lanes = [f32::NEG_INFINITY; LANES];
    let parts = x.chunks_exact(LANES);
    let rest = parts.remainder().iter().copied();
    let rest = rest.fold(f32::NEG_INFINITY, larger);
    for part in parts {
        for (lane, &x) in lanes.iter_mut().zip(part) {
            *lane = larger(*lane, x);
        }
    }
    larger(joined(lanes, larger), rest)
}

/// `e^x` to about 1e-7 of its value, between the smallest and the largest normal number: by the coefficients of Cephes'
/// `expf` (Moshier, 1989), without a branch.
#[inline(always)]
#[allow(clippy::excessive_precision)]
pub(crate) fn exp(x: f32) -> f32 {
    // Adding it moves a number's integer part into the last bits.
    const SHIFT: f32 = 12_582_912.0;
    let x = x.clamp(-87.3, 88.3);
    let shifted = x * core::f32::consts::LOG2_E + SHIFT;
    let n = shifted - SHIFT;
    let r = x - n * 0.693_359_375 + n * 2.121_944_4e-4;
    let mut p = 1.987_569_15e-4;
    p = p * r + 1.398_199_950_7e-3;
    p = p * r + 8.333_451_907_3e-3;
    p = p * r + 4.166_579_589_4e-2;
    p = p * r + 1.666_666_545_9e-1;
    p = p * r + 5.000_000_120_1e-1;
    p = p * r * r + r + 1.0;
    let exponent = (shifted.to_bits().wrapping_add(127) & 0xff) << 23;
    p * f32::from_bits(exponent)
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use std::vec::Vec;

    #[test]
    fn the_exponential_is_exact_to_its_last_bits() {
        let mut largest: f64 = 0.0;
        for step in -87_000..88_000 {
            let x = step as f32 / 1000.0;
            let expected = f64::from(x).exp();
            largest = largest.max((f64::from(exp(x)) / expected - 1.0).abs());
        }
        assert!(largest < 2e-7, "{largest}");
        assert!(exp(-1e30) < 1e-37 && exp(1e30).is_finite());
    }

    #[test]
    fn sums_take_in_what_no_lane_holds() {
        let x: Vec<f32> = (1..=37).map(|i| i as f32).collect();
        assert_eq!(dot(&x, &[1.0; 37]), 703.0);
        assert_eq!(largest(&x), 37.0);
    }
}
