//! A device compared with the CPU on small random decoders.

use burn::tensor::{Device, Tensor};

use super::config::{Activation, LocalAttention, NormKind, Rope, RopeScaling};
use super::run::{log_probabilities_of, read};
use super::{Capture, Config, Decoder, Gains, Link, ModelError};
use crate::job::Job;

/// Of the decoders' weights: every start tests the same ones.
const SEED: u64 = 0;

/// Two shapes that have between them every part that the families have: grouped heads and a gated feed-forward
/// layer in the first, all the rest in the second.
fn configs() -> [Config; 2] {
    let rope = |dimensions| Rope {
        dimensions,
        theta: 10_000.0,
        scaling: RopeScaling::None,
    };
    let first = Config {
        d_model: 32,
        d_mlp: 48,
        n_layers: 2,
        n_heads: 4,
        n_kv_heads: 2,
        d_head: 8,
        vocabulary: 50,
        context_length: 32,
        norm_eps: 1e-5,
        rope: Some(rope(8)),
        attention_scale: 0.35,
        tied: true,
        ..Config::default()
    };
    let second = Config {
        norm: NormKind::Layer,
        rope: Some(rope(4)),
        local: Some(LocalAttention {
            window: 3,
            layers: vec![true, false],
            rope: rope(8),
        }),
        qkv_bias: true,
        attention_output_bias: true,
        qk_norm: true,
        sandwich_norms: true,
        parallel_residual: true,
        activation: Activation::Gelu,
        gated: false,
        mlp_bias: true,
        embedding_scale: 2.0,
        tied: false,
        logit_softcap: Some(4.0),
        ..first.clone()
    };
    [first, second]
}

/// Vocabulary of a decoder that stands for a loaded model: its output projection is the one part that is not as wide.
const VOCABULARY: usize = 1024;

/// The largest difference between a device and the CPU of a log-probability or gradient, relative to the largest of
/// them where that is above 1. For small decoders that have every part between them.
pub(super) async fn self_test(device: &Device, job: Job<'_>) -> Result<f64, ModelError> {
    compare(configs().into(), device, job).await
}

/// The same for two layers of the shapes of a loaded model, forward and back. It compiles most of what the model's first
/// run needs.
pub(super) async fn self_test_of(
    config: &Config,
    device: &Device,
    job: Job<'_>,
) -> Result<f64, ModelError> {
    let config = Config {
        n_layers: config.n_layers.min(2),
        vocabulary: config.vocabulary.clamp(50, VOCABULARY),
        ..config.clone()
    };
    compare(vec![config], device, job).await
}

async fn compare(configs: Vec<Config>, device: &Device, job: Job<'_>) -> Result<f64, ModelError> {
    let mut largest: f64 = 0.0;
    for config in configs {
        let cpu = Device::flex();
        cpu.seed(SEED);
        // Sums of wider products stay of the same size.
        let deviation = 1.7 / (config.d_model as f64).sqrt();
        let reference = Decoder::random(config, deviation, &cpu);
        let candidate = reference.to_device(device);
        let expected = probe(&reference, job).await?;
        let found = probe(&candidate, job).await?;
        for (expected, found) in expected.iter().zip(&found) {
            let scale = expected.iter().fold(1.0, |most: f32, x| most.max(x.abs()));
            for (a, b) in expected.iter().zip(found) {
                let error = f64::from((a - b).abs() / scale);
                if error > largest || error.is_nan() {
                    largest = error;
                }
            }
        }
    }
    Ok(largest)
}

/// Log-probabilities of a continuation and a gradient through a fork.
async fn probe(decoder: &Decoder, job: Job<'_>) -> Result<[Vec<f32>; 2], ModelError> {
    let prompt: [&[u32]; 2] = [&[3, 1, 4, 1, 5, 9, 2], &[2, 7, 1, 8, 2, 8, 1]];
    let base = decoder
        .base_run(&prompt, &Gains::none(), Capture::All, job)
        .await?;
    let tails = vec![vec![vec![6, 5], vec![3, 5]], vec![vec![8, 9], vec![7, 9]]];
    let rows = decoder
        .continue_run(&base, &tails, &Gains::none(), Capture::KeyValues, job)
        .await?;
    let ids = [1, 2, 3, 4];
    let values = read(log_probabilities_of(decoder.last_logits(&rows), &ids)?).await?;
    let gains = Tensor::<1>::full([decoder.config.d_mlp], 0.5, decoder.device())
        .autodiff()
        .require_grad();
    let of_layer = [Gains::of_layer(0, gains.clone())];
    let forks = decoder.fork(&[Link::first(&base)], &of_layer, job).await?;
    let fork = forks.first().ok_or(ModelError::NotFinite)?;
    let target = log_probabilities_of(decoder.last_logits(fork), &[1, 2])?.sum();
    let mut gradients = target.backward();
    let gradient = gains
        .grad_remove(&mut gradients)
        .ok_or_else(|| ModelError::Device("no gradient in the self-test".into()))?;
    Ok([values, read(gradient).await?])
}
