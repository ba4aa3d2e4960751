//! Four numbers that are worked on together.

/// Numbers of a vector.
pub const LANES: usize = 4;

#[cfg(target_arch = "wasm32")]
mod arch {
    use core::arch::wasm32::{
        f32x4_add, f32x4_extract_lane, f32x4_splat, v128, v128_load, v128_load32_splat, v128_store,
    };

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
    }
}

pub use arch::Vector;

impl Vector {
    /// The first `count` of four numbers, and zeros.
    ///
    /// # Safety
    ///
    /// `count` numbers, at most four, can be read at `from`.
    #[inline(always)]
    pub unsafe fn load_some(from: *const f32, count: usize) -> Self {
        let mut numbers = [0.0; LANES];
        for (i, number) in numbers.iter_mut().enumerate().take(count) {
            // SAFETY: the caller's.
            *number = unsafe { *from.add(i) };
        }
        // SAFETY: there are four.
        unsafe { Self::load(numbers.as_ptr()) }
    }

    /// Stores the first `count` of them.
    ///
    /// # Safety
    ///
    /// `count` numbers, at most four, can be written at `to`.
    #[inline(always)]
    pub unsafe fn store_some(self, to: *mut f32, count: usize) {
        let mut numbers = [0.0; LANES];
        // SAFETY: there are four.
        unsafe { self.store(numbers.as_mut_ptr()) };
        for (i, number) in numbers.iter().enumerate().take(count) {
            // SAFETY: the caller's.
            unsafe { *to.add(i) = *number };
        }
    }
}
