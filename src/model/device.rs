//! Where the engine computes, and whether to believe it.
//!
//! On the web a shader that fails validation can leave stale data behind without an error. So a device is
//! compared with the CPU when it starts: a small random decoder, a base run, a continuation and a gradient on
//! both. Faults that the driver reports later are kept and end the job that meets them.

use std::sync::{Arc, Mutex, OnceLock};

use burn::tensor::Device;
use serde::{Deserialize, Serialize};

use super::self_test::Pair;
use super::{Config, ModelError, Pace, Precision};
use crate::job::Job;
use crate::kernels::is_gpu;

/// What a device can hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct Limits {
    /// Largest tensor that a computation may read, in bytes, where there is a limit.
    pub binding_bytes: Option<u64>,
    /// Memory for a model and its runs, in bytes, where it is known.
    pub memory_bytes: Option<u64>,
    /// What of the machine's memory is free now, in bytes, where models lie in it and that is known. It is another at
    /// every start, and no part of a report.
    #[serde(skip)]
    pub free_bytes: Option<u64>,
}

/// What WebAssembly's 32-bit addresses leave for a model: 4 GiB less what the engine and its runs need.
const WASM_MEMORY_BYTES: u64 = 3 << 30;
/// Largest allocation on WebAssembly.
const WASM_BINDING_BYTES: u64 = (1 << 31) - (1 << 16);

/// Dispatches that go to a GPU together. A browser takes a tenth of a millisecond for each time that anything goes to it.
#[cfg(feature = "gpu")]
const TASKS_AT_ONCE: usize = 128;

/// Memory that this process can still get: what Linux says is available, and less where a control group grants less.
fn free_memory() -> Option<u64> {
    let read = |path: &str| std::fs::read_to_string(path).ok();
    let number = |path: &str| read(path)?.trim().parse::<u64>().ok();
    let available = read("/proc/meminfo")?.lines().find_map(|line| {
        let kibibytes = line
            .strip_prefix("MemAvailable:")?
            .trim()
            .strip_suffix("kB")?;
        kibibytes.trim().parse::<u64>().ok()?.checked_mul(1024)
    })?;
    // What is used of it is not taken off: most of that is what was read of files, and is given back when needed.
    let granted = number("/sys/fs/cgroup/memory.max").unwrap_or(u64::MAX);
    Some(available.min(granted))
}

impl Limits {
    fn of_the_cpu() -> Self {
        match cfg!(target_family = "wasm") {
            true => Self {
                binding_bytes: Some(WASM_BINDING_BYTES),
                memory_bytes: Some(WASM_MEMORY_BYTES),
                free_bytes: None,
            },
            false => Self {
                binding_bytes: None,
                memory_bytes: None,
                free_bytes: free_memory(),
            },
        }
    }

    /// Whether a model fits, before anything is allocated for it. Tables are split where they must be; every
    /// other tensor has to fit one binding.
    ///
    /// # Errors
    ///
    /// [`ModelError::DoesNotFit`] says what is too large, and what would fit.
    pub fn check(&self, config: &Config, precision: Precision) -> Result<(), ModelError> {
        let needed = config.load_bytes(precision);
        let limit = self.memory_bytes.or(self.free_bytes);
        if let Some(limit) = limit.filter(|limit| needed > *limit) {
            let room = limit.saturating_sub(config.largest_tensor_bytes());
            let parameters = room * 1024 / precision.bytes_of(1024);
            return Err(ModelError::DoesNotFit {
                needed,
                holder: "this device's memory".into(),
                limit,
                fits: Some(format!(
                    "in {} a model of up to {} million parameters fits",
                    precision.name(),
                    parameters / 1_000_000
                )),
            });
        }
        let needed = config.largest_projection_bytes();
        if let Some(limit) = self.binding_bytes.filter(|limit| needed > *limit) {
            return Err(ModelError::DoesNotFit {
                needed,
                holder: "one buffer of this device".into(),
                limit,
                fits: Some(format!(
                    "the CPU holds it; here a model with matrices of up to {} million weights fits",
                    limit / 4_000_000
                )),
            });
        }
        Ok(())
    }
}

/// Which device to use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
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
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct DeviceInfo {
    /// Which device.
    pub kind: DeviceKind,
    /// The adapter's name, or what the CPU backend is.
    pub adapter: String,
    /// What it holds.
    pub limits: Limits,
    /// Comparison with the CPU.
    pub self_test: SelfTest,
    /// What the user should know, such as why there is no WebGPU.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

/// The device compared with the CPU on a small random decoder.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct SelfTest {
    /// Largest difference of a log-probability or gradient, relative to the largest of them where that is above 1.
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
    #[cfg(feature = "gpu")]
    fn note(&self, message: String) {
        if let Ok(mut first) = self.0.lock() {
            first.get_or_insert(message);
        }
    }

    /// Forgets them: what was computed before them is not there any more.
    pub fn forget(&self) {
        if let Ok(mut first) = self.0.lock() {
            *first = None;
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
    /// How the weights of models loaded from now on are held.
    pub precision: Precision,
    /// How much it does in one pass, once that was measured.
    pub pace: Arc<OnceLock<Pace>>,
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
                adapter: cpu_name(),
                limits: Limits::of_the_cpu(),
                // The CPU is what others are compared with.
                self_test: SelfTest {
                    max_error: 0.0,
                    passed: true,
                },
                message: None,
            },
            faults: Faults::default(),
            precision: Precision::F32,
            pace: Arc::default(),
        }
    }

    /// This build of the engine has no GPU.
    ///
    /// # Errors
    ///
    /// [`ModelError::Device`] always.
    #[cfg(not(feature = "gpu"))]
    pub async fn wgpu(_: Job<'_>) -> Result<Self, ModelError> {
        let reason = "this build of the engine computes on the processor alone";
        Err(ModelError::Device(reason.into()))
    }

    /// A GPU, compared with the CPU before it is returned.
    ///
    /// # Errors
    ///
    /// [`ModelError::Device`] when there is no adapter, or when its results differ from the CPU's.
    #[cfg(feature = "gpu")]
    pub async fn wgpu(job: Job<'_>) -> Result<Self, ModelError> {
        let (device, setup) = Device::wgpu_options()
            .tasks_max(TASKS_AT_ONCE)
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
        let granted = setup.device.limits();
        let limits = Limits {
            binding_bytes: Some(
                granted
                    .max_storage_buffer_binding_size
                    .min(granted.max_buffer_size),
            ),
            memory_bytes: None,
            free_bytes: None,
        };
        let max_error = super::self_test::self_test(&device, job).await?;
        faults.check()?;
        check_error(max_error, "a small model")?;
        Ok(Self {
            device,
            info: DeviceInfo {
                kind: if cfg!(target_family = "wasm") {
                    DeviceKind::Webgpu
                } else {
                    DeviceKind::Wgpu
                },
                adapter: describe(&adapter),
                limits,
                self_test: SelfTest {
                    max_error,
                    passed: true,
                },
                message: None,
            },
            faults,
            precision: Precision::F32,
            pace: Arc::default(),
        })
    }

    /// How much the device does in one pass: measured when it is first asked for, and the same from then on.
    ///
    /// # Errors
    ///
    /// As [`Pace::measure`].
    pub async fn pace(&self, job: Job<'_>) -> Result<Pace, ModelError> {
        if let Some(known) = self.pace.get() {
            return Ok(*known);
        }
        let measured = Pace::measure(&self.device, &self.info.limits, job).await?;
        Ok(*self.pace.get_or_init(|| measured))
    }

    /// Whether the device holds a model, in the precision that was chosen.
    ///
    /// # Errors
    ///
    /// [`ModelError::DoesNotFit`], [`ModelError::Unsupported`].
    pub fn check_fits(&self, config: &Config) -> Result<(), ModelError> {
        self.precision.check(&self.device)?;
        self.info.limits.check(config, self.precision)
    }

    /// Compares a GPU with the CPU on two layers of a model's shapes. The CPU is what others are compared with.
    ///
    /// # Errors
    ///
    /// [`ModelError::Device`] when they differ, [`ModelError::Cancelled`].
    pub async fn check_shapes(&self, config: &Config, job: Job<'_>) -> Result<(), ModelError> {
        if !is_gpu(&self.device) {
            return Ok(());
        }
        self.believed(&Pair::of_shapes(config, &self.device), job)
            .await
    }

    /// The same for decoders that are there already.
    pub(super) async fn believed(&self, pair: &Pair, job: Job<'_>) -> Result<(), ModelError> {
        let max_error = pair.difference(job).await?;
        self.faults.check()?;
        check_error(max_error, "shapes of this model")
    }
}

#[cfg(target_family = "wasm")]
fn cpu_name() -> String {
    let threads = match crate::kernels::threads() {
        1 => "one core".to_owned(),
        threads => format!("{threads} threads"),
    };
    format!("WebAssembly {}, {threads}", crate::kernels::instructions())
}

#[cfg(not(target_family = "wasm"))]
fn cpu_name() -> String {
    "CPU (burn-flex), all cores".into()
}

/// Whether a device is to be believed whose results on something differ from the CPU's by `max_error`.
fn check_error(max_error: f64, what: &str) -> Result<(), ModelError> {
    if max_error.is_nan() || max_error > TOLERANCE {
        return Err(ModelError::Device(format!(
            "the self-test on {what} differs from the CPU by {max_error:.2e} (at most {TOLERANCE:.0e})"
        )));
    }
    Ok(())
}

#[cfg(feature = "gpu")]
fn describe(adapter: &wgpu::AdapterInfo) -> String {
    let parts = [adapter.name.as_str(), adapter.driver.as_str()];
    let named: Vec<&str> = parts.into_iter().filter(|part| !part.is_empty()).collect();
    if named.is_empty() {
        format!("{:?} adapter", adapter.backend)
    } else {
        named.join(", ")
    }
}
