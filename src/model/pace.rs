//! How much a device does in one pass, as it was measured: a pass is as large as memory allows, and not longer than one
//! may wait for a cancel, since nothing is cancelled within it.
//!
//! How forks are grouped into passes follows from it, and a product adds in another order for another number of rows, on
//! every device: so the last digits of a result follow too. Therefore the speed is measured once for a device, and taken
//! to a power of four, which one machine comes to nearly every time.

use burn::tensor::{Device, Distribution, Tensor};

use super::device::Limits;
use super::family::list::Slot;
use super::run::read;
use super::{Config, Decoder, ModelError};
use crate::job::Job;
use crate::kernels::{self, Layout, is_gpu};

/// What one pass may take, in floating point, as what all rows of a pass take is: a browser's integers of 32 bits would begin again at four
/// billion.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Pace {
    /// Floating-point operations.
    pub flops: f64,
    /// Bytes that are kept for the way back.
    pub bytes: f64,
    /// Bytes of the largest tensor.
    pub tensor_bytes: f64,
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
/// How often each time is taken. The shortest counts: what disturbs a measurement makes it longer.
const SAMPLES: usize = 3;

/// What WebAssembly's 32-bit addresses leave beside a model's weights.
const WASM_BYTES: f64 = (256 << 20) as f64;
/// What every machine has that holds a model elsewhere.
const BYTES: f64 = (1 << 30) as f64;

/// Logits that a processor makes in one piece, in bytes; in a browser a piece takes a fraction of a second, since it is not
/// cancelled half-way.
const LOGITS_BYTES: usize = if cfg!(target_family = "wasm") {
    16 << 20
} else {
    64 << 20
};
/// Tokens of forks that climb together on a processor: more of them make no product faster.
const CPU_TOKENS: usize = if cfg!(target_family = "wasm") {
    1024
} else {
    4096
};

impl Default for Pace {
    /// Of a device that nobody has measured: a slow one.
    fn default() -> Self {
        Self {
            flops: 4e8,
            bytes: WASM_BYTES,
            tensor_bytes: WASM_BYTES,
        }
    }
}

impl Pace {
    /// Measures matrix products of growing size, until one takes long enough to tell, in powers of four.
    ///
    /// # Errors
    ///
    /// [`ModelError::Device`] when the device fails, [`ModelError::Cancelled`].
    pub async fn measure(
        device: &Device,
        limits: &Limits,
        job: Job<'_>,
    ) -> Result<Self, ModelError> {
        let weight =
            Tensor::<2>::random([WIDTH, WIDTH], Distribution::Uniform(-0.05, 0.05), device);
        let mut flops_per_sec: f64 = 0.0;
        let (mut rows, most) = ROWS;
        while rows <= most {
            let x = Tensor::<3>::ones([1, rows, WIDTH], device);
            let (x, weight) = (&x, &weight);
            let seconds = |count: usize| async move {
                job.checkpoint().await?;
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
            let (mut one, mut several) = (f64::INFINITY, f64::INFINITY);
            for _ in 0..SAMPLES {
                one = one.min(seconds(1).await?);
                several = several.min(seconds(1 + REPEATS).await?);
            }
            let more = (several - one).max(1e-6);
            // Of a larger product it says more.
            flops_per_sec = flops_of(rows) / more;
            if more > LONG_ENOUGH_SECS {
                break;
            }
            rows *= 4;
        }
        let is_gpu = is_gpu(device);
        let in_tab = cfg!(target_family = "wasm") && !is_gpu;
        let seconds = if is_gpu { GPU_PASS_SECS } else { CPU_PASS_SECS };
        Ok(Self {
            flops: coarse(flops_per_sec) * seconds,
            bytes: if in_tab { WASM_BYTES } else { BYTES },
            tensor_bytes: limits
                .binding_bytes
                .map_or(f64::INFINITY, |bytes| bytes as f64),
        })
    }
}

/// Operations of the products that are measured together.
fn flops_of(rows: usize) -> f64 {
    2.0 * [REPEATS, rows, WIDTH, WIDTH]
        .map(|size| size as f64)
        .iter()
        .product::<f64>()
}

/// Multiplications of one token in the matrix products of a block.
pub fn products_per_token(config: &Config) -> f64 {
    let attention = 2 * config.d_head * (config.n_heads + config.n_kv_heads);
    let projections = if config.is_gated() { 3 } else { 2 };
    config.d_model as f64 * (attention + projections * config.d_mlp) as f64
}

/// Numbers that a block keeps of one token for the way back: what goes into its norms, attention's inputs and output, gate and up.
pub fn kept_per_token(config: &Config) -> usize {
    let heads = (config.n_heads + config.n_kv_heads) * config.d_head;
    let of_norm = |(slot, numbers)| match config.weights.in_block(slot) {
        Some(_) => numbers,
        None => 0,
    };
    let more_norms = [
        (Slot::QNorm, heads),
        (Slot::AttentionPostNorm, config.d_model),
        (Slot::FeedForwardPostNorm, config.d_model),
    ];
    let more_norms: usize = more_norms.into_iter().map(of_norm).sum();
    2 * (config.d_model + heads + config.d_mlp) + more_norms
}

/// Bytes of one token in the largest tensor of a block.
pub fn widest_bytes(config: &Config) -> f64 {
    4.0 * config.widest_projection().max(config.d_model as u64) as f64
}

impl Decoder {
    /// Rows of the residual stream whose log-probabilities are computed in one piece: on a processor as many as there is
    /// memory for the logits of, on a GPU, which makes none, as many as fill a pass.
    pub fn logits_at_once(&self) -> usize {
        let Config {
            d_model,
            vocabulary,
            ..
        } = self.config;
        let rows = match is_gpu(self.device()) {
            true => (self.pace.flops / (2.0 * d_model as f64 * vocabulary as f64)) as usize,
            false => LOGITS_BYTES / (4 * vocabulary),
        };
        rows.max(1)
    }

    /// Tokens that are run together at most. A GPU takes as many as it runs in one pass and memory holds the states of; a
    /// processor is no faster for more than the logits of one piece.
    pub fn tokens_at_once(&self) -> usize {
        match is_gpu(self.device()) {
            true => self.states_at_once().min(self.tokens_of_a_pass()),
            false => self.logits_at_once(),
        }
    }

    /// Tokens of base runs whose states are in memory together: half of it is for the forks.
    pub fn states_at_once(&self) -> usize {
        let config = &self.config;
        let heads = 2 * config.n_kv_heads * config.d_head;
        let state = 4 * config.n_layers * (config.d_model + 2 * config.d_mlp + heads);
        let most = self.pace.tensor_bytes / widest_bytes(config);
        (self.pace.bytes / 2.0 / state as f64).min(most) as usize
    }

    /// How many forks of runs with `tokens` tokens in all go up together.
    pub fn forks_at_once(&self, tokens: usize) -> usize {
        let config = &self.config;
        let heads = (config.n_heads + config.n_kv_heads) * config.d_head;
        let bytes = 4 * (4 * config.d_mlp + 6 * config.d_model + 4 * heads);
        let by_time = match is_gpu(self.device()) {
            true => self.tokens_of_a_pass(),
            false => CPU_TOKENS,
        };
        let by_memory = self.pace.bytes / bytes as f64;
        let by_tensor = self.pace.tensor_bytes / widest_bytes(config);
        (by_time.min(by_memory.min(by_tensor) as usize) / tokens.max(1)).max(1)
    }

    /// Whether prompts of similar length are padded and run together: a GPU takes as long for one of them as for several.
    pub fn pads(&self) -> bool {
        is_gpu(self.device())
    }

    /// Tokens that go through all blocks in one pass.
    fn tokens_of_a_pass(&self) -> usize {
        let flops = 2.0 * self.config.n_layers as f64 * products_per_token(&self.config);
        (self.pace.flops / flops) as usize
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

    use super::*;
    use crate::job::Clock;
    use crate::model::Compute;

    #[test]
    fn a_device_is_measured_once_whatever_it_is_asked_for_later() {
        // How often the time is asked for, which is also what has passed.
        let count = Cell::new(0);
        let clock = Clock(|| {
            count.set(count.get() + 1);
            f64::from(count.get())
        });
        let compute = Compute::flex();
        let first = pollster::block_on(compute.pace(Job::new(&clock))).unwrap();
        let asked = count.get();
        assert!(asked > 0);
        // For another model the device is the same.
        let again = pollster::block_on(compute.clone().pace(Job::new(&clock))).unwrap();
        assert_eq!((first, asked), (again, count.get()));
    }

    /// In 32 bits the operations of 4,096 rows would be none.
    #[test]
    fn operations_are_counted_beyond_four_billion() {
        assert_eq!(flops_of(4096), 2f64.powi(33));
        let (mut rows, most) = ROWS;
        while rows < most {
            assert_eq!(flops_of(4 * rows), 4.0 * flops_of(rows));
            rows *= 4;
        }
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
