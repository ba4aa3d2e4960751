//! A computation as a value, which an engine hands to the module.

use core::ops::Range;

use crate::{
    Activated, ActivationBackward, Attention, AttentionBackward, GainsBackward, Kernel, LogSumExp,
    LogSumExpBackward, Norm, NormBackward, Product, Rotation,
};

macro_rules! calls {
    ($($kernel:ident),*) => {
        /// A computation and what it is computed from. It lies in memory as both sides expect it, since they are compiled from one source.
        #[derive(Clone, Copy, Debug)]
        #[repr(C)]
        pub enum Call<'a> {
            /// Its parts are columns.
            Product(Product<'a>),
            $(
                /// Its parts are chunks.
                $kernel($kernel<'a>),
            )*
        }

        $(
            impl<'a> From<$kernel<'a>> for Call<'a> {
                fn from(kernel: $kernel<'a>) -> Self {
                    Self::$kernel(kernel)
                }
            }
        )*

        impl Call<'_> {
            /// Numbers of memory to work in.
            #[must_use]
            pub fn scratch(&self) -> usize {
                match self {
                    Self::Product(product) => product.scratch(),
                    $(Self::$kernel(kernel) => kernel.scratch(),)*
                }
            }

            /// Fills some parts of the output.
            ///
            /// # Safety
            ///
            /// There are these parts; `out` has room for all, and nobody else uses these meanwhile; `scratch` has [`Call::scratch`]
            /// numbers.
            pub unsafe fn fill(&self, out: *mut f32, parts: Range<usize>, scratch: &mut [f32]) {
                // SAFETY: the caller's.
                unsafe {
                    match self {
                        Self::Product(product) => product.fill(out, parts, scratch),
                        $(Self::$kernel(kernel) => chunks(kernel, out, parts, scratch),)*
                    }
                }
            }
        }
    };
}

calls!(
    Activated,
    ActivationBackward,
    GainsBackward,
    Attention,
    AttentionBackward,
    LogSumExp,
    LogSumExpBackward,
    Norm,
    NormBackward,
    Rotation
);

impl<'a> From<Product<'a>> for Call<'a> {
    fn from(product: Product<'a>) -> Self {
        Self::Product(product)
    }
}

/// # Safety
///
/// As [`Call::fill`].
unsafe fn chunks(kernel: &impl Kernel, out: *mut f32, parts: Range<usize>, scratch: &mut [f32]) {
    let width = kernel.width();
    // SAFETY: the caller's.
    let out = unsafe {
        core::slice::from_raw_parts_mut(out.add(parts.start * width), parts.len() * width)
    };
    kernel.fill(parts.start, out, scratch);
}
