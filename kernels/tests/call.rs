//! A call as the module gets it.

#![allow(unsafe_code, reason = "a call is filled in place")]

use secateur_kernels::{Call, Kernel, LogSumExp, Norm, Product, Weights};

fn numbers(count: usize) -> Vec<f32> {
    (0..count)
        .map(|i| (i * 37 % 101) as f32 / 50.0 - 1.0)
        .collect()
}

/// A call of `parts`, filled piece by piece.
fn in_pieces(call: Call<'_>, count: usize, parts: usize, piece: usize) -> Vec<f32> {
    let mut out = vec![f32::NAN; count];
    for from in (0..parts).step_by(piece) {
        let mut scratch = vec![f32::NAN; call.scratch()];
        let parts = from..parts.min(from + piece);
        // SAFETY: there are these parts, and room for all.
        unsafe { call.fill(out.as_mut_ptr(), parts, &mut scratch) };
    }
    out
}

#[test]
fn a_call_in_pieces_comes_to_what_its_kernel_does_at_once() {
    let x = numbers(7 * 40);
    let norm = Norm {
        x: &x,
        weight: &x[..40],
        bias: None,
        width: 40,
        heads: 1,
        centred: true,
        eps: 1e-5,
    };
    let mut whole = vec![0.0; x.len()];
    norm.fill(0, &mut whole, &mut []);
    assert_eq!(in_pieces(norm.into(), x.len(), 7, 2), whole);

    let sums = LogSumExp { x: &x, width: 40 };
    let mut whole = vec![0.0; 7];
    sums.fill(0, &mut whole, &mut []);
    assert_eq!(in_pieces(sums.into(), 7, 7, 3), whole);
}

#[test]
fn the_parts_of_a_product_are_its_columns() {
    let (x, weights) = (numbers(5 * 16), numbers(16 * 29));
    for transposed in [false, true] {
        let weights = Weights::F32(&weights);
        let call = Product::new(&x, weights, transposed, None, None, [5, 16, 29]).into();
        let whole = in_pieces(call, 5 * 29, 29, 29);
        assert!(whole.iter().all(|number| number.is_finite()));
        assert_eq!(in_pieces(call, 5 * 29, 29, Product::PANEL), whole);
    }
}
