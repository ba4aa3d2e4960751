//! Four numbers that are worked on together.

/// Numbers of a vector.
pub const LANES: usize = 4;

#[cfg(target_arch = "wasm32")]
mod arch {
    use core::arch::wasm32::{
        f32x4_add, f32x4_extract_lane, f32x4_splat, i32x4_shuffle, v128, v128_load,
        v128_load32_lane, v128_load32_splat, v128_load32_zero, v128_load64_zero, v128_store,
        v128_store32_lane, v128_store64_lane,
    };

    use super::LANES;

    /// Four numbers.
    #[derive(Clone, Copy)]
    pub struct Vector(v128);

    impl Vector {
        #[inline(always)]
        pub fn splat(x: f32) -> Self {
            Self(f32x4_splat(x))
        }

        /// # Safety
        ///
        /// Four numbers can be read at `from`.
        #[inline(always)]
        pub unsafe fn load(from: *const f32) -> Self {
            // SAFETY: the caller's; WebAssembly asks for no alignment.
            Self(unsafe { v128_load(from.cast()) })
        }

        /// The first `count` of four numbers, and zeros.
        ///
        /// # Safety
        ///
        /// `count` numbers, at most four, can be read at `from`.
        #[inline(always)]
        pub unsafe fn load_some(from: *const f32, count: usize) -> Self {
            // SAFETY: the caller's.
            unsafe {
                match count {
                    0 => Self::splat(0.0),
                    1 => Self(v128_load32_zero(from.cast())),
                    2 => Self(v128_load64_zero(from.cast())),
                    3 => Self(v128_load32_lane::<2>(
                        v128_load64_zero(from.cast()),
                        from.add(2).cast(),
                    )),
                    _ => Self::load(from),
                }
            }
        }

        /// One number four times.
        ///
        /// # Safety
        ///
        /// It can be read at `from`.
        #[inline(always)]
        pub unsafe fn load_splat(from: *const f32) -> Self {
            // SAFETY: the caller's.
            Self(unsafe { v128_load32_splat(from.cast()) })
        }

        /// # Safety
        ///
        /// Four numbers can be written at `to`.
        #[inline(always)]
        pub unsafe fn store(self, to: *mut f32) {
            // SAFETY: the caller's.
            unsafe { v128_store(to.cast(), self.0) }
        }

        /// Stores the first `count` of them.
        ///
        /// # Safety
        ///
        /// `count` numbers, at most four, can be written at `to`.
        #[inline(always)]
        pub unsafe fn store_some(self, to: *mut f32, count: usize) {
            // SAFETY: the caller's.
            unsafe {
                match count {
                    0 => {}
                    1 => v128_store32_lane::<0>(self.0, to.cast()),
                    2 => v128_store64_lane::<0>(self.0, to.cast()),
                    3 => {
                        v128_store64_lane::<0>(self.0, to.cast());
                        v128_store32_lane::<2>(self.0, to.add(2).cast());
                    }
                    _ => self.store(to),
                }
            }
        }

        #[inline(always)]
        pub fn add(self, other: Self) -> Self {
            Self(f32x4_add(self.0, other.0))
        }

        /// `self + a · b`, rounded once.
        #[cfg(target_feature = "relaxed-simd")]
        #[inline(always)]
        pub fn add_product(self, a: Self, b: Self) -> Self {
            Self(core::arch::wasm32::f32x4_relaxed_madd(a.0, b.0, self.0))
        }

        /// `self + a · b`.
        #[cfg(not(target_feature = "relaxed-simd"))]
        #[inline(always)]
        pub fn add_product(self, a: Self, b: Self) -> Self {
            Self(f32x4_add(self.0, core::arch::wasm32::f32x4_mul(a.0, b.0)))
        }

        #[inline(always)]
        pub fn sum(self) -> f32 {
            let [a, b] = [
                f32x4_extract_lane::<0>(self.0),
                f32x4_extract_lane::<1>(self.0),
            ];
            let [c, d] = [
                f32x4_extract_lane::<2>(self.0),
                f32x4_extract_lane::<3>(self.0),
            ];
            (a + b) + (c + d)
        }

        /// The sums of four vectors, each as [`Self::sum`] adds it up.
        #[inline(always)]
        pub fn sums([a, b, c, d]: [Self; LANES]) -> Self {
            // Of two vectors what their neighbours add up to.
            let pairs = |x: Self, y: Self| {
                let even = i32x4_shuffle::<0, 2, 4, 6>(x.0, y.0);
                let odd = i32x4_shuffle::<1, 3, 5, 7>(x.0, y.0);
                Self(f32x4_add(even, odd))
            };
            pairs(pairs(a, b), pairs(c, d))
        }
    }
}

#[cfg(not(target_arch = "wasm32"))]
mod arch {
    use super::LANES;

    /// Four numbers.
    #[derive(Clone, Copy)]
    pub struct Vector([f32; LANES]);

    impl Vector {
        #[inline(always)]
        pub fn splat(x: f32) -> Self {
            Self([x; LANES])
        }

        /// # Safety
        ///
        /// Four numbers can be read at `from`.
        #[inline(always)]
        pub unsafe fn load(from: *const f32) -> Self {
            // SAFETY: the caller's; an array is aligned as its numbers are.
            Self(unsafe { *from.cast() })
        }

        /// The first `count` of four numbers, and zeros.
        ///
        /// # Safety
        ///
        /// `count` numbers, at most four, can be read at `from`.
        #[inline(always)]
        pub unsafe fn load_some(from: *const f32, count: usize) -> Self {
            // SAFETY: the caller's.
            let number = |lane: usize| (lane < count).then(|| unsafe { *from.add(lane) });
            Self(core::array::from_fn(|lane| number(lane).unwrap_or(0.0)))
        }

        /// One number four times.
        ///
        /// # Safety
        ///
        /// It can be read at `from`.
        #[inline(always)]
        pub unsafe fn load_splat(from: *const f32) -> Self {
            // SAFETY: the caller's.
            Self::splat(unsafe { *from })
        }

        /// # Safety
        ///
        /// Four numbers can be written at `to`.
        #[inline(always)]
        pub unsafe fn store(self, to: *mut f32) {
            // SAFETY: the caller's.
            unsafe { *to.cast() = self.0 }
        }

        /// Stores the first `count` of them.
        ///
        /// # Safety
        ///
        /// `count` numbers, at most four, can be written at `to`.
        #[inline(always)]
        pub unsafe fn store_some(self, to: *mut f32, count: usize) {
            for (lane, number) in self.0.iter().enumerate().take(count) {
                // SAFETY: the caller's.
                unsafe { *to.add(lane) = *number };
            }
        }

        #[inline(always)]
        pub fn add(self, other: Self) -> Self {
            Self(core::array::from_fn(|i| self.0[i] + other.0[i]))
        }

        /// `self + a · b`.
        #[inline(always)]
        pub fn add_product(self, a: Self, b: Self) -> Self {
            Self(core::array::from_fn(|i| self.0[i] + a.0[i] * b.0[i]))
        }

        #[inline(always)]
        pub fn sum(self) -> f32 {
            let [a, b, c, d] = self.0;
            (a + b) + (c + d)
        }

        /// The sums of four vectors, each as [`Self::sum`] adds it up.
        #[inline(always)]
        pub fn sums(vectors: [Self; LANES]) -> Self {
            Self(vectors.map(Self::sum))
        }
    }
}

pub use arch::Vector;
