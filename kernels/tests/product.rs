//! Products against their definition: every shape, layout and width of the weights.

#![allow(
    clippy::unwrap_used,
    unsafe_code,
    reason = "in a test a panic is the report, and a product is filled in place"
)]

use std::num::NonZeroUsize;

use secateur_kernels::{Product, Weights};

/// Numbers that are all different, and whose products are exact.
fn numbers(count: usize, seed: usize) -> Vec<f32> {
    (0..count)
        .map(|i| ((i * 37 + seed * 11) % 61) as f32 - 30.0)
        .collect()
}

/// `[depth, columns]` as `[columns, depth]`.
fn turned(weights: &[f32], depth: usize, columns: usize) -> Vec<f32> {
    let at = |place: usize| weights[place % depth * columns + place / depth];
    (0..depth * columns).map(at).collect()
}

fn filled(product: &Product<'_>, rows: usize, at_once: usize) -> Vec<f32> {
    let mut out = vec![f32::NAN; rows * product.columns()];
    let mut scratch = vec![f32::NAN; product.scratch()];
    for from in (0..product.columns()).step_by(at_once) {
        let to = product.columns().min(from + at_once);
        // SAFETY: the output is as long as it has to be, and so is the scratch.
        unsafe { product.fill(out.as_mut_ptr(), from..to, &mut scratch) };
    }
    out
}

/// Shapes that no tile divides, and such that one does.
const SHAPES: [[usize; 3]; 9] = [
    [1, 1, 1],
    [1, 33, 5],
    [2, 4, 12],
    [3, 7, 13],
    [17, 33, 26],
    [64, 12, 24],
    [5, 0, 4],
    [70, 600, 4],
    // More weights than go together, by either layout.
    [4, 700, 150],
];

#[test]
fn products_are_those_of_the_definition_for_every_shape_and_layout() {
    for [rows, depth, columns] in SHAPES {
        let x = numbers(rows * depth, 1);
        let weights = numbers(depth * columns, 2);
        let (bias, residual) = (numbers(columns, 3), numbers(rows * columns, 4));
        let mut expected = vec![0.0; rows * columns];
        for (place, expected) in expected.iter_mut().enumerate() {
            let (row, column) = (place / columns, place % columns);
            *expected = (0..depth)
                .map(|at| x[row * depth + at] * weights[at * columns + column])
                .sum();
        }
        let with_both = expected.iter().zip(&residual).enumerate();
        let with_both: Vec<f32> = with_both
            .map(|(place, (sum, residual))| sum + bias[place % columns] + residual)
            .collect();
        let other = turned(&weights, depth, columns);
        for (weights, transposed) in [(&weights, false), (&other, true)] {
            let shape = [rows, depth, columns];
            let weights = Weights::F32(weights);
            let plain = Product::new(&x, weights, transposed, None, None, shape);
            let both = Product::new(&x, weights, transposed, Some(&bias), Some(&residual), shape);
            for at_once in [columns, 1, 5] {
                assert_eq!(
                    filled(&plain, rows, at_once),
                    expected,
                    "{shape:?} {transposed}"
                );
                assert_eq!(
                    filled(&both, rows, at_once),
                    with_both,
                    "{shape:?} {transposed}"
                );
            }
        }
    }
}

#[test]
fn packed_weights_give_what_their_numbers_give() {
    let [rows, depth, columns] = [7, 50, 14];
    let x = numbers(rows * depth, 1);
    let halves: Vec<u16> = (0..depth * columns)
        .map(|i| 0x3c00 + (i * 13 % 1024) as u16)
        .collect();
    let from_halves: Vec<f32> = (0..depth * columns)
        .map(|i| 1.0 + (i * 13 % 1024) as f32 / 1024.0)
        .collect();
    let values: Vec<i8> = (0..depth * columns).map(|i| (i * 7 % 255) as i8).collect();
    let block = NonZeroUsize::new(20).unwrap();
    let scales: Vec<f32> = (0..35).map(|i| 0.5 + i as f32).collect();
    let scaled = values.iter().enumerate();
    let from_values: Vec<f32> = scaled
        .map(|(i, &value)| f32::from(value) * scales[i / 20])
        .collect();
    let eight = Weights::I8 {
        values: &values,
        scales: &scales,
        block,
    };
    for transposed in [false, true] {
        for (packed, plain) in [(Weights::F16(&halves), &from_halves), (eight, &from_values)] {
            let product = |weights| {
                let product =
                    Product::new(&x, weights, transposed, None, None, [rows, depth, columns]);
                filled(&product, rows, 5)
            };
            assert_eq!(product(packed), product(Weights::F32(plain)));
        }
    }
}

#[test]
fn a_row_is_the_same_beside_others_and_alone() {
    let [rows, depth, columns] = [8, 37, 30];
    let x: Vec<f32> = (0..rows * depth).map(|i| (i as f32 * 0.7).sin()).collect();
    let weights: Vec<f32> = (0..depth * columns)
        .map(|i| (i as f32 * 0.3).cos())
        .collect();
    for transposed in [false, true] {
        let product = |x, rows| {
            let shape = [rows, depth, columns];
            filled(
                &Product::new(x, Weights::F32(&weights), transposed, None, None, shape),
                rows,
                7,
            )
        };
        let together = product(&x, rows);
        for row in 0..rows {
            let alone = product(&x[row * depth..][..depth], 1);
            assert_eq!(alone, together[row * columns..][..columns]);
        }
    }
}
