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
/// Steps along the depth that are gone for all columns before the next, where the weights of a row of the input lie together: a panel
/// of them stays in a core's nearest cache.
const STEPS: usize = 512;
/// Numbers that are gone over several times before others are: about what the cache of a core holds beside other things.
const BLOCK: usize = 1 << 16;
/// Numbers of a line of a cache.
const LINE: usize = 16;

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

/// A share of so many numbers, in whole lines of a cache, so that all are there after so many times.
fn share(numbers: usize, times: usize) -> usize {
    numbers.div_ceil(LINE).div_ceil(times.max(1)) * LINE
}

impl<'a> Product<'a> {
    /// Columns that are worked on together: those of a panel of weights whose rows lie together. Threads share by multiples of it.
    pub const PANEL: usize = PANEL;

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
        match self.transposed {
            true => self.depth * TILE,
            false => self.depth.min(STEPS) * PANEL,
        }
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
        let end = columns.end;
        while first < self.rows {
            let rows = first..self.rows.min(first + block);
            for column in columns.clone().step_by(TILE) {
                let columns = TILE.min(end - column);
                let (from, count) = (column * depth, columns * depth);
                let next = from + count..depth * end.min(column + 2 * TILE);
                let share = share(next.len(), rows.len().div_ceil(TILE));
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
                for (tile, row) in rows.clone().step_by(TILE).enumerate() {
                    self.bring(&next, tile, share);
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

    /// Has a share of the weights at some places come from memory while others are worked with: a number of each line of the cache is
    /// asked for.
    #[inline(always)]
    fn bring(&self, places: &Range<usize>, index: usize, share: usize) {
        let Weights::F32(values) = self.weights else {
            return;
        };
        let mut at = places.start + index * share;
        let end = places.end.min(at + share);
        while at < end {
            // SAFETY: it is one of the weights.
            unsafe { values.as_ptr().add(at).read_volatile() };
            at += LINE;
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

    // A function of its own, so that all of its sums stay in registers.
    #[inline(never)]
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
        for (row, sums) in sums.into_iter().enumerate() {
            let at = (place.row + row) * self.columns + place.column;
            let of_column = |column: usize| sums[column.min(COLUMNS - 1)];
            let mut sum = Vector::sums(core::array::from_fn(of_column));
            // SAFETY: within the output, the bias and the residual.
            unsafe {
                if let Some(bias) = self.bias {
                    sum = sum.add(Vector::load_some(bias.as_ptr().add(place.column), COLUMNS));
                }
                if let Some(residual) = self.residual {
                    sum = sum.add(Vector::load_some(residual.as_ptr().add(at), COLUMNS));
                }
                sum.store_some(out.add(at), COLUMNS);
            }
        }
    }

    /// Of weights `[depth, columns]`: vectors run along the columns, and some steps along the depth are gone for all columns
    /// before the next, on which the sums so far stand in the output.
    unsafe fn by_row(&self, out: *mut f32, columns: Range<usize>, scratch: &mut [f32]) {
        let mut first = 0;
        loop {
            let steps = first..self.depth.min(first + STEPS);
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
                *sum = unsafe { Vector::load_some(out.add(at), count) };
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
                    *sum = sum.add(Vector::load_some(bias.as_ptr().add(column), count));
                }
                if let Some(residual) = self.residual.filter(|_| is_last) {
                    *sum = sum.add(Vector::load_some(residual.as_ptr().add(at), count));
                }
                sum.store_some(out.add(at), count);
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
