//! A device compared with the CPU on small random decoders.

use burn::tensor::{Device, Tensor};

#[cfg(any(feature = "gpu", test))]
use super::config::{Activation, LocalAttention, NormKind, Rope, RopeScaling};
#[cfg(any(feature = "gpu", test))]
use super::family::list::{Slot, Weights, Width, matrix, norm};
use super::run::read;
use super::{Capture, Config, Decoder, Edit, Link, ModelError, Run};
use crate::job::Job;

/// Of the decoders' weights: every start tests the same ones.
const SEED: u64 = 0;

/// Every norm that a family has, and no gate. It is in no file, so nothing has a name.
#[cfg(any(feature = "gpu", test))]
const EVERY_PART: Weights = Weights {
    base: "",
    blocks: "",
    embedding: matrix(Slot::Embedding, [Width::Vocabulary, Width::Model], "", ""),
    position_embedding: None,
    block: &[
        norm(Slot::AttentionNorm, Width::Model, "", ""),
        matrix(Slot::Qkv, [Width::QueriesKeysValues, Width::Model], "", ""),
        norm(Slot::QNorm, Width::Head, "", ""),
        norm(Slot::KNorm, Width::Head, "", ""),
        matrix(Slot::Output, [Width::Model, Width::Queries], "", ""),
        norm(Slot::AttentionPostNorm, Width::Model, "", ""),
        norm(Slot::FeedForwardNorm, Width::Model, "", ""),
        matrix(Slot::Gate, [Width::Neurons, Width::Model], "", ""),
        matrix(Slot::Down, [Width::Model, Width::Neurons], "", ""),
        norm(Slot::FeedForwardPostNorm, Width::Model, "", ""),
    ],
    final_norm: norm(Slot::FinalNorm, Width::Model, "", ""),
    lm_head: matrix(Slot::LmHead, [Width::Vocabulary, Width::Model], "", ""),
};

/// Two shapes that have between them every part that the families have: grouped heads and a gated feed-forward
/// layer in the first, all the rest in the second.
#[cfg(any(feature = "gpu", test))]
pub(super) fn configs() -> [Config; 2] {
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
        weights: &EVERY_PART,
        norm: NormKind::Layer,
        rope: Some(rope(4)),
        local: Some(LocalAttention {
            window: 3,
            layers: vec![true, false],
            rope: rope(8),
        }),
        qkv_bias: true,
        attention_output_bias: true,
        parallel_residual: true,
        activation: Activation::Gelu,
        mlp_bias: true,
        embedding_scale: 2.0,
        tied: false,
        logit_softcap: Some(4.0),
        ..first.clone()
    };
    [first, second]
}

/// Layers of a decoder that stands for a loaded model.
pub(super) const LAYERS: usize = 2;
/// Its context.
const CONTEXT: usize = 32;
/// Its vocabulary: the output projection is the one part that is not as wide as the model's.
const VOCABULARY: usize = 1024;

/// The largest difference between a device and the CPU of a log-probability or gradient, relative to the largest of
/// them where that is above 1. For small decoders that have every part between them.
#[cfg(feature = "gpu")]
pub(super) async fn self_test(device: &Device, job: Job<'_>) -> Result<f64, ModelError> {
    let mut largest: f64 = 0.0;
    for config in configs() {
        largest = larger(largest, Pair::new(config, device).difference(job).await?);
    }
    Ok(largest)
}

/// The larger one; what is no number is larger than any.
fn larger(a: f64, b: f64) -> f64 {
    if b > a || b.is_nan() { b } else { a }
}

/// A decoder of random weights on the CPU and on another device.
pub(super) struct Pair {
    reference: Decoder,
    candidate: Decoder,
}

impl Pair {
    fn new(config: Config, device: &Device) -> Self {
        let cpu = Device::flex();
        cpu.seed(SEED);
        // Sums of wider products stay of the same size.
        let deviation = 1.7 / (config.d_model as f64).sqrt();
        let reference = Decoder::random(config, deviation, &cpu);
        let candidate = reference.to_device(device);
        Self {
            reference,
            candidate,
        }
    }

    /// Of two layers of a loaded model's shapes.
    pub(super) fn of_shapes(config: &Config, device: &Device) -> Self {
        let config = Config {
            n_layers: config.n_layers.min(LAYERS),
            vocabulary: config.vocabulary.clamp(50, VOCABULARY),
            context_length: CONTEXT,
            ..config.clone()
        };
        Self::new(config, device)
    }

    /// The largest difference of a log-probability or gradient, relative to the largest of them where that is above 1.
    pub(super) async fn difference(&self, job: Job<'_>) -> Result<f64, ModelError> {
        let expected = probe(&self.reference, job).await?;
        let found = probe(&self.candidate, job).await?;
        let mut largest: f64 = 0.0;
        for (expected, found) in expected.iter().zip(&found) {
            let scale = expected.iter().fold(1.0, |most: f32, x| most.max(x.abs()));
            for (a, b) in expected.iter().zip(found) {
                largest = larger(largest, f64::from((a - b).abs() / scale));
            }
        }
        Ok(largest)
    }

    /// Seconds of the same work on the CPU and on the device, where it was done before: what is compiled is compiled.
    pub(super) async fn seconds(&self, job: Job<'_>) -> Result<[f64; 2], ModelError> {
        Ok([
            seconds_of(&self.reference, job).await?,
            seconds_of(&self.candidate, job).await?,
        ])
    }
}

/// The shortest of a few runs, or of one where that takes long.
async fn seconds_of(decoder: &Decoder, job: Job<'_>) -> Result<f64, ModelError> {
    let mut shortest = f64::INFINITY;
    let begin = job.now_secs();
    for _ in 0..TIMES {
        let start = job.now_secs();
        probe(decoder, job).await?;
        let end = job.now_secs();
        shortest = shortest.min(end - start);
        if end - begin > LONG_ENOUGH_SECS {
            break;
        }
    }
    Ok(shortest)
}

/// Runs of a measurement, and how long it goes on with another one.
const TIMES: usize = 4;
const LONG_ENOUGH_SECS: f64 = 0.1;

/// Tokens that [`probe`] takes through the decoder, its choices among them.
pub(super) const TOKENS: usize = 32;

/// Log-probabilities of a continuation and a gradient through a fork: what jobs are made of, in its smallest piece.
async fn probe(decoder: &Decoder, job: Job<'_>) -> Result<[Vec<f32>; 2], ModelError> {
    let prompt: [&[u32]; 2] = [
        &[3, 1, 4, 1, 5, 9, 2, 6, 5, 3, 5, 8],
        &[2, 7, 1, 8, 2, 8, 1, 8, 2, 8, 4, 5],
    ];
    let base = decoder
        .base_run(&prompt, &Edit::none(), Capture::All, job)
        .await?;
    let tails = vec![vec![vec![6, 5], vec![3, 5]], vec![vec![8, 9], vec![7, 9]]];
    let rows = decoder
        .continue_run(&base, &tails, &Edit::none(), Capture::KeyValues, job)
        .await?;
    let values = read(log_probabilities(decoder, &rows, &[1, 2, 3, 4])?).await?;
    let gains = Tensor::<1>::full([decoder.config.d_mlp], 0.5, decoder.device())
        .autodiff()
        .require_grad();
    let of_layer = [Edit::scaling(0, gains.clone())];
    let forks = decoder.fork(&[Link::first(&base)], &of_layer, job).await?;
    let fork = forks.first().ok_or(ModelError::NotFinite)?;
    let target = log_probabilities(decoder, fork, &[1, 2])?.sum();
    let mut gradients = target.backward();
    let gradient = gains
        .grad_remove(&mut gradients)
        .ok_or_else(|| ModelError::Device("no gradient in the self-test".into()))?;
    Ok([values, read(gradient).await?])
}

/// Of tokens after the last position of every row, `[batch, rows, tokens]`.
fn log_probabilities(decoder: &Decoder, run: &Run, ids: &[u32]) -> Result<Tensor<3>, ModelError> {
    decoder.log_probabilities(decoder.final_norm(run.last_resid()), ids)
}
