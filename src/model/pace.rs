//! How much a device does in one pass, as it was measured: a pass is as large as memory allows, and not longer than one
//! may wait for a cancel, since nothing is cancelled within it.
//!
//! How forks are grouped into passes follows from it, and a product adds in another order for another number of rows, on
//! every device: so the last digits of a result follow too. Therefore the speed is measured once for a device, and taken
//! to a power of four, which one machine comes to nearly every time.

use burn::tensor::{Device, Distribution, Tensor};

use super::ModelError;
use super::run::read;
use crate::job::Job;
use crate::kernels::{self, Layout};

/// What one pass may take.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Pace {
    /// Floating-point operations.
    pub flops: f64,
    /// Bytes that are kept for the way back.
    pub bytes: usize,
}

/// Seconds of a pass on a GPU.
const GPU_PASS_SECS: f64 = 0.1;
/// Seconds of a pass on a processor. A shorter one would multiply so few rows that reading the weights takes longer; and
/// outside a tab a cancel ends the process, so it may be long.
const CPU_PASS_SECS: f64 = if cfg!(target_family = "wasm") {
    0.8
} else {
    4.0
};
/// Seconds of a measurement that tells.
const LONG_ENOUGH_SECS: f64 = 0.004;
/// Products that are measured together.
const REPEATS: usize = 4;
/// Width of the products that are measured.
const WIDTH: usize = 512;
/// Rows of the first and of the largest of them.
const ROWS: (usize, usize) = (64, 16_384);

/// What WebAssembly's 32-bit addresses leave beside a model's weights.
const WASM_BYTES: usize = 256 << 20;
/// What every machine has that holds a model elsewhere.
const BYTES: usize = 1 << 30;

impl Default for Pace {
    /// Of a device that nobody has measured: a slow one.
    fn default() -> Self {
        Self {
            flops: 4e8,
            bytes: WASM_BYTES,
        }
    }
}

impl Pace {
    /// Measures matrix products of growing size, until one takes long enough to tell, in powers of four.
    ///
    /// # Errors
    ///
    /// [`ModelError::Device`] when the device fails, [`ModelError::Cancelled`].
    pub async fn measure(device: &Device, job: Job<'_>) -> Result<Self, ModelError> {
        let weight =
            Tensor::<2>::random([WIDTH, WIDTH], Distribution::Uniform(-0.05, 0.05), device);
        let mut flops_per_sec: f64 = 0.0;
        let (mut rows, most) = ROWS;
        while rows <= most {
            job.checkpoint().await?;
            let x = Tensor::<3>::ones([1, rows, WIDTH], device);
            let (x, weight) = (&x, &weight);
            let seconds = |count: usize| async move {
                let start = job.now_secs();
                let mut out = x.clone();
                for _ in 0..count {
                    out = kernels::project(out, weight.clone(), Layout::InOut, None, None);
                }
                read(out.narrow(1, 0, 1).narrow(2, 0, 1)).await?;
                Ok::<_, ModelError>(job.now_secs() - start)
            };
            // The first one compiles its kernel; asking for a result takes as long for one product as for several.
            seconds(1).await?;
            let asking = seconds(1).await?;
            let more = (seconds(1 + REPEATS).await? - asking).max(1e-6);
            let flops = 2.0 * (REPEATS * rows * WIDTH * WIDTH) as f64;
            flops_per_sec = flops_per_sec.max(flops / more);
            if more > LONG_ENOUGH_SECS {
                break;
            }
            rows *= 4;
        }
        let is_gpu = kernels::is_gpu(device);
        let in_tab = cfg!(target_family = "wasm") && !is_gpu;
        let seconds = if is_gpu { GPU_PASS_SECS } else { CPU_PASS_SECS };
        Ok(Self {
            flops: coarse(flops_per_sec) * seconds,
            bytes: if in_tab { WASM_BYTES } else { BYTES },
        })
    }
}

/// The power of four that is nearest by ratio: a speed measured anew comes to the same one unless it lies about half-way
/// between two.
fn coarse(flops_per_sec: f64) -> f64 {
    4f64.powi((flops_per_sec.max(1.0).ln() / 4f64.ln()).round() as i32)
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::future::{Future, ready};
    use std::pin::Pin;

    use super::*;
    use crate::job::{Host, Progress};
    use crate::model::Compute;

    /// Counts how often it is asked for the time, and says that much has passed.
    #[derive(Default)]
    struct Clock(Cell<u32>);

    impl Host for Clock {
        fn progress(&self, _: &Progress) {}

        fn is_cancelled(&self) -> bool {
            false
        }

        fn pause(&self) -> Pin<Box<dyn Future<Output = ()> + '_>> {
            Box::pin(ready(()))
        }

        fn now_secs(&self) -> f64 {
            self.0.set(self.0.get() + 1);
            f64::from(self.0.get())
        }
    }

    #[test]
    fn a_device_is_measured_once_whatever_it_is_asked_for_later() {
        let (compute, clock) = (Compute::flex(), Clock::default());
        let first = pollster::block_on(compute.pace(Job::new(&clock))).unwrap();
        let asked = clock.0.get();
        assert!(asked > 0);
        // For another model the device is the same.
        let again = pollster::block_on(compute.clone().pace(Job::new(&clock))).unwrap();
        assert_eq!((first, asked), (again, clock.0.get()));
    }

    #[test]
    fn speeds_that_differ_by_noise_are_the_same() {
        let base = 4f64.powi(17);
        for noise in [0.6, 0.9, 1.0, 1.3, 1.9] {
            assert_eq!(coarse(base * noise), base, "{noise}");
        }
        assert_eq!(coarse(base * 2.1), 4.0 * base);
        assert_eq!(coarse(0.0), 1.0);
    }
}
