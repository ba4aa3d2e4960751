//! Arithmetic that the compiler turns into vector instructions.

/// Numbers that are summed side by side, so that a sum need not wait for the one before.
const LANES: usize = 16;

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
    let mut lanes = [0f32; LANES];
    let (x_parts, y_parts) = (x.chunks_exact(LANES), y.chunks_exact(LANES));
    let rest = x_parts.remainder().iter().zip(y_parts.remainder());
    let rest: f32 = rest.map(|(&x, &y)| f(x, y)).sum();
    for (x, y) in x_parts.zip(y_parts) {
        for ((lane, &x), &y) in lanes.iter_mut().zip(x).zip(y) {
            *lane += f(x, y);
        }
    }
    lanes.iter().sum::<f32>() + rest
}

/// `Σ x y`.
#[inline(always)]
pub(crate) fn dot(x: &[f32], y: &[f32]) -> f32 {
    sum_of(x, y, |x, y| x * y)
}

/// `to += factor · x`.
#[inline(always)]
pub(crate) fn add_scaled(to: &mut [f32], factor: f32, x: &[f32]) {
    for (to, &x) in to.iter_mut().zip(x) {
        *to += factor * x;
    }
}

/// The largest of a row.
#[inline(always)]
pub(crate) fn largest(x: &[f32]) -> f32 {
    let mut lanes = [f32::NEG_INFINITY; LANES];
    let parts = x.chunks_exact(LANES);
    let rest = parts.remainder().iter().copied();
    let rest = rest.fold(f32::NEG_INFINITY, f32::max);
    for part in parts {
        for (lane, &x) in lanes.iter_mut().zip(part) {
            *lane = if x > *lane { x } else { *lane };
        }
    }
    lanes.iter().copied().fold(rest, f32::max)
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
