//! Where the engine computes, and whether to believe it.
//!
//! On the web a shader that fails validation can leave stale data behind without an error. So a device is
//! compared with the CPU when it starts: a small random decoder, a base run, a continuation and a gradient on
//! both. Faults that the driver reports later are kept and end the job that meets them.

use std::sync::{Arc, Mutex};

use burn::tensor::{Device, Distribution, Tensor};
use serde::{Deserialize, Serialize};

use super::decoder::Block;
use super::run::{log_probabilities_of, read};
use super::{Capture, Config, Decoder, Gains, ModelError};
use crate::job::Job;

/// Which device to use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeviceKind {
    /// burn's CPU backend: all cores natively.
    Flex,
    /// The same on WebAssembly: one core, SIMD.
    Wasm,
    /// A GPU through wgpu, natively.
    Wgpu,
    /// A GPU through the browser's WebGPU.
    Webgpu,
}

/// A device and what is known of it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct DeviceInfo {
    /// Which device.
    pub kind: DeviceKind,
    /// The adapter's name, or what the CPU backend is.
    pub adapter: String,
    /// Comparison with the CPU.
    pub self_test: SelfTest,
    /// What the user should know, such as why there is no WebGPU.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

/// The device compared with the CPU on a small random decoder.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct SelfTest {
    /// Largest difference of a log-probability or gradient.
    pub max_error: f64,
    /// Whether it is below [`TOLERANCE`].
    pub passed: bool,
}

/// Largest difference accepted by the self-test.
pub const TOLERANCE: f64 = 1e-3;

/// Errors that the device reported outside any call.
#[derive(Debug, Clone, Default)]
pub struct Faults(Arc<Mutex<Option<String>>>);

impl Faults {
    fn note(&self, message: String) {
        if let Ok(mut first) = self.0.lock() {
            first.get_or_insert(message);
        }
    }

    /// # Errors
    ///
    /// [`ModelError::Device`] with the first fault, once there was one.
    pub fn check(&self) -> Result<(), ModelError> {
        let fault = self.0.lock().ok().and_then(|fault| fault.clone());
        fault.map_or(Ok(()), |fault| Err(ModelError::Device(fault)))
    }
}

/// A device that passed its self-test.
#[derive(Debug, Clone)]
pub struct Compute {
    /// burn's handle.
    pub device: Device,
    /// What is known of it.
    pub info: DeviceInfo,
    /// Errors reported since.
    pub faults: Faults,
}

impl Compute {
    /// The CPU.
    pub fn flex() -> Self {
        let wasm = cfg!(target_family = "wasm");
        Self {
            device: Device::flex(),
            info: DeviceInfo {
                kind: if wasm {
                    DeviceKind::Wasm
                } else {
                    DeviceKind::Flex
                },
                adapter: if wasm {
                    "WebAssembly SIMD, one core".into()
                } else {
                    "CPU (burn-flex), all cores".into()
                },
                // The CPU is what others are compared with.
                self_test: SelfTest {
                    max_error: 0.0,
                    passed: true,
                },
                message: None,
            },
            faults: Faults::default(),
        }
    }

    /// A GPU, compared with the CPU before it is returned.
    ///
    /// # Errors
    ///
    /// [`ModelError::Device`] when there is no adapter, or when its results differ from the CPU's.
    pub async fn wgpu(job: Job<'_>) -> Result<Self, ModelError> {
        let (device, setup) = Device::wgpu_options()
            .init_with_setup_async()
            .await
            .map_err(|error| ModelError::Device(error.to_string()))?;
        let faults = Faults::default();
        let handler = faults.clone();
        // The default handler panics; a fault is the user's to know, not the process's to die of. The
        // device-lost handler of the runtime stays: it turns every later read into an error.
        setup
            .device
            .on_uncaptured_error(Arc::new(move |error: wgpu::Error| {
                handler.note(error.to_string());
            }));
        let adapter = setup.adapter.get_info();
        let max_error = self_test(&device, job).await?;
        faults.check()?;
        if max_error.is_nan() || max_error > TOLERANCE {
            return Err(ModelError::Device(format!(
                "the self-test differs from the CPU by {max_error:.2e} (at most {TOLERANCE:.0e})"
            )));
        }
        Ok(Self {
            device,
            info: DeviceInfo {
                kind: if cfg!(target_family = "wasm") {
                    DeviceKind::Webgpu
                } else {
                    DeviceKind::Wgpu
                },
                adapter: describe(&adapter),
                self_test: SelfTest {
                    max_error,
                    passed: true,
                },
                message: None,
            },
            faults,
        })
    }
}

fn describe(adapter: &wgpu::AdapterInfo) -> String {
    let parts = [adapter.name.as_str(), adapter.driver.as_str()];
    let named: Vec<&str> = parts.into_iter().filter(|part| !part.is_empty()).collect();
    if named.is_empty() {
        format!("{:?} adapter", adapter.backend)
    } else {
        named.join(", ")
    }
}

/// A shape with everything in it that the real models have: grouped heads, a prefix, several rows.
const TEST_CONFIG: Config = Config {
    d_model: 32,
    d_mlp: 48,
    n_layers: 2,
    n_heads: 4,
    n_kv_heads: 2,
    d_head: 8,
    vocabulary: 50,
    context_length: 32,
    rms_norm_eps: 1e-5,
    rope_theta: 10_000.0,
    tied: true,
};

async fn self_test(device: &Device, job: Job<'_>) -> Result<f64, ModelError> {
    let reference = Decoder::random(TEST_CONFIG, 0.3, &Device::flex());
    let candidate = reference.to_device(device);
    let expected = probe(&reference, job).await?;
    let found = probe(&candidate, job).await?;
    Ok(expected
        .iter()
        .zip(&found)
        .map(|(a, b)| f64::from((a - b).abs()))
        .fold(0.0, |max: f64, error| {
            if error > max || error.is_nan() {
                error
            } else {
                max
            }
        }))
}

/// Log-probabilities of a continuation and a gradient through a fork.
async fn probe(decoder: &Decoder, job: Job<'_>) -> Result<Vec<f32>, ModelError> {
    let prompt: [&[u32]; 2] = [&[3, 1, 4, 1, 5, 9, 2], &[2, 7, 1, 8, 2, 8, 1]];
    let base = decoder
        .base_run(&prompt, &Gains::none(), Capture::All, job)
        .await?;
    let tails = vec![vec![vec![6, 5], vec![3, 5]], vec![vec![8, 9], vec![7, 9]]];
    let rows = decoder
        .continue_run(&base, &tails, &Gains::none(), Capture::KeyValues, job)
        .await?;
    let ids = [1, 2, 3, 4];
    let mut values = read(log_probabilities_of(decoder.last_logits(&rows), &ids)).await?;
    let gains = Tensor::<1>::full([decoder.config.d_mlp], 0.5, decoder.device())
        .autodiff()
        .require_grad();
    let fork = decoder
        .fork_run(&base, None, &Gains::of_layer(0, gains.clone()), job)
        .await?;
    let target = log_probabilities_of(decoder.last_logits(&fork), &[1, 2]).sum();
    let mut gradients = target.backward();
    let gradient = gains
        .grad_remove(&mut gradients)
        .ok_or_else(|| ModelError::Device("no gradient in the self-test".into()))?;
    values.extend(read(gradient).await?);
    Ok(values)
}

impl Decoder {
    /// A decoder with normally distributed weights of the given deviation (norms: one), drawn from the
    /// device's generator. For tests, benches and as the start of a training.
    pub fn random(config: Config, deviation: f64, device: &Device) -> Self {
        let matrix = |rows: usize, columns: usize| {
            Tensor::<2>::random(
                [rows, columns],
                Distribution::Normal(0.0, deviation),
                device,
            )
        };
        let ones = || Tensor::<1>::ones([config.d_model], device);
        let (d_model, d_mlp) = (config.d_model, config.d_mlp);
        let (d_q, d_kv) = (
            config.n_heads * config.d_head,
            config.n_kv_heads * config.d_head,
        );
        let blocks = (0..config.n_layers)
            .map(|_| Block {
                input_layernorm: ones(),
                q_proj: matrix(d_model, d_q),
                k_proj: matrix(d_model, d_kv),
                v_proj: matrix(d_model, d_kv),
                o_proj: matrix(d_q, d_model),
                post_attention_layernorm: ones(),
                gate_proj: matrix(d_model, d_mlp),
                up_proj: matrix(d_model, d_mlp),
                down_proj: matrix(d_mlp, d_model),
            })
            .collect();
        let embed_tokens = matrix(config.vocabulary, d_model);
        let lm_head = if config.tied {
            embed_tokens.clone().transpose()
        } else {
            matrix(d_model, config.vocabulary)
        };
        Self {
            norm: ones(),
            device: device.clone(),
            embed_tokens,
            blocks,
            lm_head,
            config,
        }
    }

    /// A copy on another device.
    pub fn to_device(&self, device: &Device) -> Self {
        self.map(
            device,
            |_, weight| weight.to_device(device),
            |_, weight| weight.to_device(device),
        )
    }
}
