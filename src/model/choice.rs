//! Which of two devices a model is loaded on: the faster one, as both were measured to be on its shapes.
//!
//! What is timed is the smallest piece that jobs are made of: few tokens, up and back, with two answers read. There a GPU is
//! at its worst, since a dispatch and a readback take as long for one row as for a thousand; one that is faster here is
//! not slower in any job.

use super::device::{Compute, DeviceInfo};
use super::self_test::{LAYERS, Pair, TOKENS};
use super::{Config, ModelError};
use crate::job::Job;

/// The device for a model: `gpu`, or `cpu`, the processor, where that is faster or where the GPU cannot be used for it. Its message
/// says which and why. Decoders of two of the model's layers are made for it, and gone again.
///
/// # Errors
///
/// [`ModelError::DoesNotFit`] or [`ModelError::Unsupported`] where neither holds the model, [`ModelError::Cancelled`].
pub async fn for_model(
    config: &Config,
    cpu: &Compute,
    gpu: &Compute,
    job: Job<'_>,
) -> Result<Compute, ModelError> {
    let found = match (gpu.check_fits(config), cpu.check_fits(config)) {
        (Err(error), Ok(())) => Err(error),
        (Ok(()), Err(_)) => {
            gpu.check_shapes(config, job).await?;
            return Ok(saying(
                gpu,
                "The processor does not hold this model.".into(),
            ));
        }
        (Err(_), Err(error)) => return Err(error),
        (Ok(()), Ok(())) => measured(config, gpu, job).await,
    };
    match found {
        Ok([cpu_secs, gpu_secs]) => Ok(match is_faster(gpu_secs, cpu_secs) {
            true => saying(gpu, compared("the processor", gpu_secs, cpu_secs)),
            false => saying(cpu, compared(&called(&gpu.info), cpu_secs, gpu_secs)),
        }),
        Err(ModelError::Cancelled(cancelled)) => Err(cancelled.into()),
        Err(error) => Ok(saying(cpu, format!("WebGPU is not used: {error}."))),
    }
}

/// Seconds of the same work on the processor and on a GPU that computes what the processor does.
async fn measured(config: &Config, gpu: &Compute, job: Job<'_>) -> Result<[f64; 2], ModelError> {
    job.progress("comparing the devices", 0, 2);
    let pair = Pair::of_shapes(config, &gpu.device);
    gpu.believed(&pair, job).await?;
    job.progress("comparing the devices", 1, 2);
    let seconds = pair.seconds(job).await?;
    gpu.faults.check()?;
    job.progress("comparing the devices", 2, 2);
    Ok(seconds)
}

/// Whether a GPU is to be taken.
fn is_faster(gpu_secs: f64, cpu_secs: f64) -> bool {
    gpu_secs < cpu_secs
}

fn saying(compute: &Compute, message: String) -> Compute {
    let mut compute = compute.clone();
    compute.info.message = Some(message);
    compute
}

fn called(gpu: &DeviceInfo) -> String {
    format!("WebGPU ({})", gpu.adapter)
}

/// Why the faster device was taken.
fn compared(other: &str, secs: f64, other_secs: f64) -> String {
    let [own, others] = [secs, other_secs].map(milliseconds);
    format!(
        "Chosen because it is faster on this model's shapes: {own} ms, and {other} takes {others} ms, for {TOKENS} tokens \
         through {LAYERS} blocks and a gradient back."
    )
}

/// With two digits where it is short.
fn milliseconds(secs: f64) -> String {
    let milliseconds = secs * 1e3;
    let decimals = if milliseconds < 10.0 { 1 } else { 0 };
    format!("{milliseconds:.decimals$}")
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;
    use crate::job::Clock;
    use crate::model::device::DeviceKind;
    use crate::model::self_test::configs;

    /// What stands for a GPU computes as the processor does.
    fn chosen(cpu_secs: f64, gpu_secs: f64, change: impl Fn(&mut Compute)) -> DeviceInfo {
        let mut gpu = Compute::flex();
        gpu.info.kind = DeviceKind::Webgpu;
        gpu.info.adapter = "a graphics card".into();
        change(&mut gpu);
        let (asked, now) = (Cell::new(0u32), Cell::new(0.0));
        // A measurement asks when it begins, then before and after its run, which is the only one where it is long.
        let clock = Clock(|| {
            asked.set(asked.get() + 1);
            if asked.get().is_multiple_of(3) {
                let took = if asked.get() == 3 { cpu_secs } else { gpu_secs };
                now.set(now.get() + took);
            }
            now.get()
        });
        let [config, _] = configs();
        let cpu = Compute::flex();
        let chosen = for_model(&config, &cpu, &gpu, Job::new(&clock));
        pollster::block_on(chosen).unwrap().info
    }

    #[test]
    fn the_faster_device_is_taken_and_the_reason_names_both_times() {
        let gpu = chosen(0.850, 0.120, |_| ());
        assert_eq!(gpu.kind, DeviceKind::Webgpu);
        assert_eq!(
            gpu.message.unwrap(),
            "Chosen because it is faster on this model's shapes: 120 ms, and the processor takes 850 ms, for 32 tokens \
             through 2 blocks and a gradient back."
        );
        let cpu = chosen(0.120, 0.850, |_| ());
        assert_eq!(cpu.kind, DeviceKind::Flex);
        let reason = cpu.message.unwrap();
        assert!(
            reason.contains("120 ms, and WebGPU (a graphics card) takes 850 ms"),
            "{reason}"
        );
        assert_eq!(chosen(0.2, 0.2, |_| ()).kind, DeviceKind::Flex);
    }

    #[test]
    fn a_device_that_holds_the_model_is_taken_where_the_other_does_not() {
        let too_small = |gpu: &mut Compute| gpu.info.limits.binding_bytes = Some(16);
        let cpu = chosen(0.850, 0.120, too_small);
        assert_eq!(cpu.kind, DeviceKind::Flex);
        assert!(
            cpu.message
                .unwrap()
                .starts_with("WebGPU is not used: the model needs")
        );
    }

    #[test]
    fn short_times_have_two_digits() {
        assert_eq!(milliseconds(0.00414), "4.1");
        assert_eq!(milliseconds(0.0851), "85");
    }
}
