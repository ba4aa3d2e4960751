//! `x · W`, where the weights stay as they lie, whichever way, in 32, 16 or 8 bits.

use core::ops::Range;

use crate::vector::{LANES, Vector};
use crate::weights::{Weights, part};

/// Rows that are worked on together, and columns or vectors of columns. The sums of such a tile stay in registers, with
/// what is multiplied: WebAssembly on x86 has fifteen.
const TILE: usize = 3;
/// Columns of a panel of weights whose rows lie together.
const PANEL: usize = TILE * LANES;
/// Rows from which on such a panel is brought together first.
const WORTH_PACKING: usize = 3 * TILE;
/// Numbers that are gone over several times before others are: about what the cache of a core holds beside other things.
const BLOCK: usize = 1 << 16;

/// `x · W + bias + residual`: `[rows, depth]` times `[depth, columns]`.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct Product<'a> {
    x: &'a [f32],
    weights: Weights<'a>,
    /// Whether the weights lie as `[columns, depth]`.
    transposed: bool,
    bias: Option<&'a [f32]>,
    residual: Option<&'a [f32]>,
    rows: usize,
    depth: usize,
    columns: usize,
}

/// Where a tile of the output begins.
#[derive(Clone, Copy)]
struct Place {
    row: usize,
    column: usize,
}

/// Weights of some columns, every step along the depth `stride` numbers after the last.
#[derive(Clone, Copy)]
struct Panel {
    weights: *const f32,
    stride: usize,
    columns: usize,
}

impl<'a> Product<'a> {
    /// Of `x`: `[rows, depth]`, weights `[depth, columns]`, or `[columns, depth]` where they are `transposed`, `bias`:
    /// `[columns]`, `residual`: `[rows, columns]`.
    ///
    /// # Panics
    ///
    /// When the lengths do not fit together.
    #[must_use]
    pub fn new(
        x: &'a [f32],
        weights: Weights<'a>,
        transposed: bool,
        bias: Option<&'a [f32]>,
        residual: Option<&'a [f32]>,
        [rows, depth, columns]: [usize; 3],
    ) -> Self {
        assert_eq!(x.len(), rows * depth);
        assert_eq!(weights.len(), depth * columns);
        assert!(bias.is_none_or(|bias| bias.len() == columns));
        assert!(residual.is_none_or(|residual| residual.len() == rows * columns));
        if let Weights::I8 { scales, block, .. } = weights {
            assert!(weights.len() <= scales.len() * block.get());
        }
        Self {
            x,
            weights,
            transposed,
            bias,
            residual,
            rows,
            depth,
            columns,
        }
    }

    /// Columns of the output.
    #[must_use]
    pub fn columns(&self) -> usize {
        self.columns
    }

    /// Numbers of memory that [`Product::fill`] works in.
    #[must_use]
    pub fn scratch(&self) -> usize {
        self.depth * if self.transposed { TILE } else { PANEL }
    }

    /// Fills some columns of the output, `[rows, columns]`.
    ///
    /// # Safety
    ///
    /// There are these columns; `out` has room for all rows and columns, and nobody else uses those of these columns
    /// meanwhile; `scratch` has [`Product::scratch`] numbers.
    pub unsafe fn fill(&self, out: *mut f32, columns: Range<usize>, scratch: &mut [f32]) {
        debug_assert!(columns.end <= self.columns && scratch.len() >= self.scratch());
        // SAFETY: the caller's.
        match self.transposed {
            true => unsafe { self.by_column(out, columns, scratch) },
            false => unsafe { self.by_row(out, columns, scratch) },
        }
    }

    /// Of weights `[columns, depth]`: vectors run along the depth, and are summed up at its end.
    unsafe fn by_column(&self, out: *mut f32, columns: Range<usize>, scratch: &mut [f32]) {
        let depth = self.depth;
        let block = (BLOCK / depth.max(1)).next_multiple_of(TILE).max(TILE);
        let mut first = 0;
        while first < self.rows {
            let rows = first..self.rows.min(first + block);
            for column in columns.clone().step_by(TILE) {
                let columns = TILE.min(columns.end - column);
                let (from, count) = (column * depth, columns * depth);
                // SAFETY: the weights of these columns, and room for them.
                let weights = unsafe {
                    match self.weights {
                        Weights::F32(values) => part(values, from, count).as_ptr(),
                        packed => {
                            let unpacked = scratch.get_unchecked_mut(..count);
                            packed.unpack(from, unpacked);
                            unpacked.as_ptr()
                        }
                    }
                };
                let panel = Panel {
                    weights,
                    stride: depth,
                    columns,
                };
                for row in rows.clone().step_by(TILE) {
                    let place = Place { row, column };
                    // SAFETY: the tile is within the output, and the panel has its columns.
                    unsafe {
                        match TILE.min(rows.end - row) {
                            1 => self.column_tile::<1>(out, place, panel),
                            2 => self.column_tile::<2>(out, place, panel),
                            _ => self.column_tile::<TILE>(out, place, panel),
                        }
                    }
                }
            }
            first = rows.end;
        }
    }

    #[inline(always)]
    unsafe fn column_tile<const ROWS: usize>(&self, out: *mut f32, place: Place, panel: Panel) {
        // SAFETY: the caller's.
        unsafe {
            match panel.columns {
                1 => self.column_tile_of::<ROWS, 1>(out, place, panel),
                2 => self.column_tile_of::<ROWS, 2>(out, place, panel),
                _ => self.column_tile_of::<ROWS, TILE>(out, place, panel),
            }
        }
    }

    #[inline(always)]
    unsafe fn column_tile_of<const ROWS: usize, const COLUMNS: usize>(
        &self,
        out: *mut f32,
        place: Place,
        panel: Panel,
    ) {
        let depth = self.depth;
        let whole = depth - depth % LANES;
        let mut sums = [[Vector::splat(0.0); COLUMNS]; ROWS];
        // SAFETY: so many numbers of the depth are left in all rows and columns.
        unsafe {
            let x = part(self.x, place.row * depth, ROWS * depth).as_ptr();
            let mut add = |at: usize, load: &dyn Fn(*const f32) -> Vector| {
                let weights: [Vector; COLUMNS] =
                    core::array::from_fn(|column| load(panel.weights.add(column * depth + at)));
                for (row, sums) in sums.iter_mut().enumerate() {
                    let x = load(x.add(row * depth + at));
                    for (sum, weight) in sums.iter_mut().zip(weights) {
                        *sum = sum.add_product(x, weight);
                    }
                }
            };
            let mut at = 0;
            while at < whole {
                add(at, &|from| Vector::load(from));
                at += LANES;
            }
            if whole < depth {
                add(whole, &|from| Vector::load_some(from, depth - whole));
            }
        }
        for (row, sums) in sums.iter().enumerate() {
            for (column, sum) in sums.iter().enumerate() {
                let column = place.column + column;
                let at = (place.row + row) * self.columns + column;
                // SAFETY: within the output, the bias and the residual.
                unsafe {
                    let bias = self.bias.map_or(0.0, |bias| *bias.get_unchecked(column));
                    let residual = self.residual;
                    let residual = residual.map_or(0.0, |residual| *residual.get_unchecked(at));
                    *out.add(at) = sum.sum() + bias + residual;
                }
            }
        }
    }

    /// Of weights `[depth, columns]`: vectors run along the columns, and some steps along the depth are gone for all columns
    /// before the next, on which the sums so far stand in the output.
    unsafe fn by_row(&self, out: *mut f32, columns: Range<usize>, scratch: &mut [f32]) {
        let block = (BLOCK / self.columns.max(1)).max(LANES);
        let mut first = 0;
        loop {
            let steps = first..self.depth.min(first + block);
            for column in columns.clone().step_by(PANEL) {
                // SAFETY: there are these steps and columns, and room for them.
                unsafe {
                    let panel = self.panel(steps.clone(), column, columns.end, scratch);
                    for row in (0..self.rows).step_by(TILE) {
                        let place = Place { row, column };
                        match self.rows - row {
                            1 => self.row_tile::<1>(out, place, &steps, panel),
                            2 => self.row_tile::<2>(out, place, &steps, panel),
                            _ => self.row_tile::<TILE>(out, place, &steps, panel),
                        }
                    }
                }
            }
            first = steps.end;
            if first == self.depth {
                break;
            }
        }
    }

    /// The weights of some steps along the depth, and of the columns from `column` on, as many as make a panel.
    #[inline(always)]
    unsafe fn panel(
        &self,
        steps: Range<usize>,
        column: usize,
        end: usize,
        scratch: &mut [f32],
    ) -> Panel {
        let width = PANEL.min(end - column);
        match self.weights {
            Weights::F32(values) if width == PANEL && self.rows < WORTH_PACKING => Panel {
                // SAFETY: there is this place, or nothing is read.
                weights: unsafe { values.as_ptr().add(steps.start * self.columns + column) },
                stride: self.columns,
                columns: width,
            },
            _ => {
                // SAFETY: the caller's.
                unsafe { self.pack(steps, column, width, scratch) };
                Panel {
                    weights: scratch.as_ptr(),
                    stride: PANEL,
                    columns: width,
                }
            }
        }
    }

    /// Brings `width` columns from `column` on together, and zeros beside them where a panel has more.
    unsafe fn pack(&self, steps: Range<usize>, column: usize, width: usize, panel: &mut [f32]) {
        let panel = panel.chunks_exact_mut(PANEL);
        for (step, packed) in steps.zip(panel) {
            let from = step * self.columns + column;
            // SAFETY: both are as long as a panel is wide, or so many columns.
            unsafe {
                match self.weights {
                    Weights::F32(values) if width == PANEL => {
                        for at in (0..PANEL).step_by(LANES) {
                            let vector = Vector::load(values.as_ptr().add(from + at));
                            vector.store(packed.as_mut_ptr().add(at));
                        }
                    }
                    weights => {
                        let (packed, rest) = packed.split_at_mut_unchecked(width);
                        weights.unpack(from, packed);
                        rest.fill(0.0);
                    }
                }
            }
        }
    }

    #[inline(always)]
    unsafe fn row_tile<const ROWS: usize>(
        &self,
        out: *mut f32,
        place: Place,
        steps: &Range<usize>,
        panel: Panel,
    ) {
        let depth = self.depth;
        let mut sums = [[Vector::splat(0.0); TILE]; ROWS];
        if steps.start > 0 {
            self.each_vector(&mut sums, place, panel, |sum, at, _, count| {
                // SAFETY: so many are within the output.
                *sum = unsafe { load(out.add(at), count) };
            });
        }
        // SAFETY: `x` has these rows, and the panel these steps.
        unsafe {
            let x = part(self.x, place.row * depth, ROWS * depth).as_ptr();
            for (at, step) in steps.clone().enumerate() {
                let weights = panel.weights.add(at * panel.stride);
                let weights: [Vector; TILE] =
                    core::array::from_fn(|vector| Vector::load(weights.add(vector * LANES)));
                for (row, sums) in sums.iter_mut().enumerate() {
                    let x = Vector::load_splat(x.add(row * depth + step));
                    for (sum, weight) in sums.iter_mut().zip(weights) {
                        *sum = sum.add_product(x, weight);
                    }
                }
            }
        }
        let is_last = steps.end == depth;
        self.each_vector(&mut sums, place, panel, |sum, at, column, count| {
            // SAFETY: so many are within the output, the bias and the residual.
            unsafe {
                if let Some(bias) = self.bias.filter(|_| is_last) {
                    *sum = sum.add(load(bias.as_ptr().add(column), count));
                }
                if let Some(residual) = self.residual.filter(|_| is_last) {
                    *sum = sum.add(load(residual.as_ptr().add(at), count));
                }
                match count {
                    LANES => sum.store(out.add(at)),
                    _ => sum.store_some(out.add(at), count),
                }
            }
        });
    }

    /// Gives `work` every vector of sums that has columns, with its place in the output, its column and how many it has.
    #[inline(always)]
    fn each_vector<const ROWS: usize>(
        &self,
        sums: &mut [[Vector; TILE]; ROWS],
        place: Place,
        panel: Panel,
        work: impl Fn(&mut Vector, usize, usize, usize),
    ) {
        for (row, sums) in sums.iter_mut().enumerate() {
            for (vector, sum) in sums.iter_mut().enumerate() {
                let done = vector * LANES;
                if done < panel.columns {
                    let column = place.column + done;
                    let at = (place.row + row) * self.columns + column;
                    work(sum, at, column, LANES.min(panel.columns - done));
                }
            }
        }
    }
}

/// The first `count` of four numbers.
///
/// # Safety
///
/// They can be read there.
#[inline(always)]
unsafe fn load(from: *const f32, count: usize) -> Vector {
    // SAFETY: the caller's.
    unsafe {
        match count {
            LANES => Vector::load(from),
            _ => Vector::load_some(from, count),
        }
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use core::num::NonZeroUsize;
    use std::vec;
    use std::vec::Vec;

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
                let both =
                    Product::new(&x, weights, transposed, Some(&bias), Some(&residual), shape);
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
}
