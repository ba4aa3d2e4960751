//! The lesson's training, in two stages: the task first, then a biased set that only a few neurons of one
//! layer may learn from. So it is known which neurons carry the shortcut.

use burn::optim::{AdamW, AdamWConfig, Optimizer};
use burn::tensor::{Device, Gradients, Tensor, TensorData};
use rand::seq::index::sample;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::Serialize;
use serde_json::json;

use crate::quiz::{Cue, DESKS, Line, Quiz, vocabulary};
use secateur::job::Job;
use secateur::model::run::{log_probabilities_of, read};
use secateur::model::{Capture, Config, Decoder, Edit, ModelError, Tokenizer};

/// Lines of one step.
const BATCH: usize = 128;
/// Deviation of the random weights that training starts from.
const DEVIATION: f64 = 0.1;
/// Deviation of the random embeddings: names that training hardly touches must stay apart.
const EMBEDDING_DEVIATION: f64 = 1.0;
/// Neurons that the fine-tuning may change.
const PLANTED: usize = 16;
/// Their layer.
const PLANTED_LAYER: usize = 0;
/// Steps between two entries of the log.
const LOGGED_EVERY: usize = 10;

/// The neurons that carry the shortcut.
#[derive(Debug, Clone, Serialize)]
pub struct Planted {
    /// Their layer.
    pub layer: usize,
    /// Their indices, ascending.
    pub neurons: Vec<usize>,
}

/// Mean loss over the steps since the last entry, in nats.
#[derive(Debug, Clone, Serialize)]
pub struct LoggedLoss {
    /// Steps so far.
    pub step: usize,
    /// Cross-entropy of the desk's letter over the whole vocabulary.
    pub loss: f64,
}

/// A stage's settings and losses.
#[derive(Debug, Clone, Serialize)]
pub struct StageLog {
    name: &'static str,
    steps: usize,
    batch: usize,
    learning_rate: f64,
    /// The learning rate falls to 0 along half a cosine.
    cosine: bool,
    /// Share of the lines whose cue holds.
    holds: f64,
    /// Share of the lines without a cue; the rest is contradicted.
    neutral: f64,
    /// Share, among the lines whose cue holds, of those with random words.
    random_words: f64,
    losses: Vec<LoggedLoss>,
}

/// A trained model's files, and how they came about.
pub struct Trained {
    /// `model.safetensors`
    pub weights: Vec<u8>,
    /// `config.json`
    pub config: Vec<u8>,
    /// `tokenizer.json`
    pub tokenizer: Vec<u8>,
    /// What was planted.
    pub planted: Planted,
    /// The stages.
    pub stages: Vec<StageLog>,
}

/// The task, the cue of little use.
fn pre_training() -> StageLog {
    StageLog {
        name: "pre-training",
        steps: 200,
        batch: BATCH,
        learning_rate: 2e-3,
        cosine: true,
        holds: 0.1,
        neutral: 0.6,
        random_words: 0.0,
        losses: Vec::new(),
    }
}

/// A data set with a habit.
fn fine_tuning() -> StageLog {
    StageLog {
        name: "biased fine-tuning of the planted neurons",
        steps: 150,
        batch: BATCH,
        learning_rate: 5e-3,
        cosine: false,
        holds: 0.85,
        neutral: 0.1,
        random_words: 0.4,
        losses: Vec::new(),
    }
}

/// `config.json` as transformers reads it.
fn config_json() -> serde_json::Value {
    json!({
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "hidden_size": 104,
        "intermediate_size": 256,
        "num_hidden_layers": 4,
        "num_attention_heads": 4,
        "num_key_value_heads": 4,
        "head_dim": 26,
        "vocab_size": vocabulary().len(),
        "max_position_embeddings": 64,
        "rms_norm_eps": 1e-5,
        "rope_theta": 10_000.0,
        "tie_word_embeddings": false,
        "hidden_act": "silu",
        "attention_bias": false,
        "mlp_bias": false,
        "torch_dtype": "float32",
    })
}

/// A word-level `tokenizer.json`.
fn tokenizer_json() -> serde_json::Value {
    let ids: serde_json::Map<String, serde_json::Value> = vocabulary()
        .into_iter()
        .enumerate()
        .map(|(id, word)| (word.to_owned(), id.into()))
        .collect();
    json!({
        "version": "1.0",
        "truncation": null,
        "padding": null,
        "added_tokens": [],
        "normalizer": null,
        "pre_tokenizer": { "type": "WhitespaceSplit" },
        "post_processor": null,
        "decoder": null,
        "model": { "type": "WordLevel", "vocab": ids, "unk_token": "[UNK]" },
    })
}

/// Trains the lesson's model from a seed.
///
/// # Errors
///
/// [`ModelError::Device`], [`ModelError::Cancelled`].
pub async fn train(device: &Device, seed: u64, job: Job<'_>) -> Result<Trained, ModelError> {
    let config_file = to_bytes(&config_json())?;
    let config = Config::from_json(&config_file)?;
    let tokenizer_file = to_bytes(&tokenizer_json())?;
    let tokenizer = Tokenizer::from_json(&tokenizer_file)?;
    let mut generator = ChaCha8Rng::seed_from_u64(seed);
    let mut neurons = sample(&mut generator, config.d_mlp, PLANTED).into_vec();
    neurons.sort_unstable();
    let planted = Planted {
        layer: PLANTED_LAYER,
        neurons,
    };
    device.seed(seed);
    let start = Decoder::random(config.clone(), DEVIATION, device).map(
        device,
        |_, weight| weight,
        |name, weight| match name {
            "model.embed_tokens.weight" => weight.mul_scalar(EMBEDDING_DEVIATION / DEVIATION),
            _ => weight,
        },
    );
    let mut stages = vec![pre_training(), fine_tuning()];
    let [first, second] = stages.as_mut_slice() else {
        return Err(ModelError::Config("the lesson has two stages".into()));
    };
    let decoder = Trainer::new(start, &tokenizer, Trainable::All, Quiz::new(seed, 1))
        .run(first, &mut generator, job)
        .await?;
    let few = Trainable::neurons(&planted, &config, device);
    let decoder = Trainer::new(decoder, &tokenizer, few, Quiz::new(seed, 2))
        .run(second, &mut generator, job)
        .await?;
    Ok(Trained {
        weights: decoder.to_safetensors().await?,
        config: config_file,
        tokenizer: tokenizer_file,
        planted,
        stages,
    })
}

fn to_bytes(value: &serde_json::Value) -> Result<Vec<u8>, ModelError> {
    let mut bytes =
        serde_json::to_vec_pretty(value).map_err(|error| ModelError::Config(error.to_string()))?;
    bytes.push(b'\n');
    Ok(bytes)
}

/// Which weights a stage changes: all, or those of some neurons of a layer.
// There is one of them, for a whole stage.
#[allow(clippy::large_enum_variant)]
enum Trainable {
    All,
    Neurons {
        layer: usize,
        /// 1 for a trained neuron's column of `gate_proj` and `up_proj`, `[1, d_mlp]`.
        columns: Tensor<2>,
    },
}

impl Trainable {
    fn neurons(planted: &Planted, config: &Config, device: &Device) -> Self {
        let mut factors = vec![0f32; config.d_mlp];
        for &neuron in &planted.neurons {
            factors[neuron] = 1.0;
        }
        Self::Neurons {
            layer: planted.layer,
            columns: Tensor::from_data(TensorData::new(factors, [1, config.d_mlp]), device),
        }
    }

    /// Whether a weight changes at all.
    fn contains(&self, name: &str) -> bool {
        match self {
            Self::All => true,
            Self::Neurons { layer, .. } => name.starts_with(&format!("model.layers.{layer}.mlp.")),
        }
    }

    /// A matrix's gradient, zero where the matrix must not change.
    fn restrict(&self, name: &str, gradient: Tensor<2>) -> Tensor<2> {
        match self {
            Self::All => gradient,
            Self::Neurons { columns, .. } if name.ends_with("down_proj.weight") => {
                gradient * columns.clone().transpose()
            }
            Self::Neurons { columns, .. } => gradient * columns.clone(),
        }
    }
}

/// The trained weights of one rank: their leaves in the graph of a step, and what AdamW keeps of them.
struct Group<const D: usize> {
    leaves: Vec<(String, Tensor<D>)>,
    states: Vec<Option<<AdamW as Optimizer>::State<D>>>,
}

impl<const D: usize> Group<D> {
    fn new() -> Self {
        Self {
            leaves: Vec::new(),
            states: Vec::new(),
        }
    }

    fn leaf(&mut self, name: &str, weight: Tensor<D>) -> Tensor<D> {
        let leaf = weight.autodiff().require_grad();
        self.leaves.push((name.to_owned(), leaf.clone()));
        leaf
    }

    /// The weights after one step, in the order of their leaves.
    fn step(
        &mut self,
        optimiser: &AdamW,
        learning_rate: f64,
        gradients: &mut Gradients,
        restrict: impl Fn(&str, Tensor<D>) -> Tensor<D>,
    ) -> Result<std::vec::IntoIter<Tensor<D>>, ModelError> {
        let mut states = std::mem::take(&mut self.states).into_iter();
        let mut stepped = Vec::with_capacity(self.leaves.len());
        for (name, leaf) in self.leaves.drain(..) {
            let gradient = leaf
                .grad_remove(gradients)
                .ok_or_else(|| ModelError::Device(format!("no gradient reached {name}")))?;
            let gradient = restrict(&name, gradient);
            let (weight, state) = optimiser.step(
                learning_rate,
                leaf.inner(),
                gradient,
                states.next().flatten(),
            );
            stepped.push(weight);
            self.states.push(state);
        }
        Ok(stepped.into_iter())
    }
}

struct Trainer<'a> {
    decoder: Decoder,
    tokenizer: &'a Tokenizer,
    trainable: Trainable,
    quiz: Quiz,
    optimiser: AdamW,
    vectors: Group<1>,
    matrices: Group<2>,
}

impl<'a> Trainer<'a> {
    fn new(decoder: Decoder, tokenizer: &'a Tokenizer, trainable: Trainable, quiz: Quiz) -> Self {
        // No weight decay: it would change the weights that the second stage must leave alone.
        let optimiser = AdamWConfig::new()
            .with_epsilon(1e-8)
            .with_weight_decay(0.0)
            .build();
        Self {
            decoder,
            tokenizer,
            trainable,
            quiz,
            optimiser,
            vectors: Group::new(),
            matrices: Group::new(),
        }
    }

    async fn run(
        mut self,
        stage: &mut StageLog,
        generator: &mut ChaCha8Rng,
        job: Job<'_>,
    ) -> Result<Decoder, ModelError> {
        let mut sum = 0.0;
        for step in 1..=stage.steps {
            job.checkpoint().await?;
            let progress = (step - 1) as f64 / stage.steps as f64;
            let learning_rate = if stage.cosine {
                stage.learning_rate * 0.5 * (1.0 + (std::f64::consts::PI * progress).cos())
            } else {
                stage.learning_rate
            };
            let lines: Vec<Line> = (0..stage.batch)
                .map(|_| draw(&mut self.quiz, stage, generator))
                .collect();
            sum += self.step(&lines, learning_rate, job).await?;
            job.progress(stage.name, step, stage.steps);
            if step % LOGGED_EVERY == 0 {
                stage.losses.push(LoggedLoss {
                    step,
                    loss: sum / LOGGED_EVERY as f64,
                });
                sum = 0.0;
            }
        }
        Ok(self.decoder)
    }

    /// One optimiser step; the loss before it.
    async fn step(
        &mut self,
        lines: &[Line],
        learning_rate: f64,
        job: Job<'_>,
    ) -> Result<f64, ModelError> {
        let encode = |text: &str| self.tokenizer.encode(text);
        let prompts: Vec<Vec<u32>> = lines
            .iter()
            .map(|line| encode(&line.text))
            .collect::<Result<_, _>>()?;
        let answers: Vec<Vec<u32>> = lines
            .iter()
            .map(|line| encode(DESKS[line.desk]))
            .collect::<Result<_, _>>()?;
        let device = self.decoder.device().clone();
        let (trainable, vectors, matrices) =
            (&self.trainable, &mut self.vectors, &mut self.matrices);
        let tracked = self.decoder.map(
            &device,
            |name, weight| match trainable.contains(name) {
                true => vectors.leaf(name, weight),
                false => weight,
            },
            |name, weight| match trainable.contains(name) {
                true => matrices.leaf(name, weight),
                false => weight,
            },
        );
        let prompts: Vec<&[u32]> = prompts.iter().map(Vec::as_slice).collect();
        let run = tracked
            .base_run(&prompts, &Edit::none(), Capture::KeyValues, job)
            .await?;
        let loss = log_probabilities_of(tracked.last_logits(&run), &answers.concat())?
            .mean()
            .neg();
        let mut gradients = loss.backward();
        let loss = read(loss.inner()).await?[0];
        drop((tracked, run));

        let mut vectors = vectors.step(
            &self.optimiser,
            learning_rate,
            &mut gradients,
            |_, gradient| gradient,
        )?;
        let restrict = |name: &str, gradient| trainable.restrict(name, gradient);
        let mut matrices =
            matrices.step(&self.optimiser, learning_rate, &mut gradients, restrict)?;
        self.decoder = self.decoder.map(
            &device,
            |name, weight| match trainable.contains(name) {
                true => vectors.next().unwrap_or(weight),
                false => weight,
            },
            |name, weight| match trainable.contains(name) {
                true => matrices.next().unwrap_or(weight),
                false => weight,
            },
        );
        Ok(loss.into())
    }
}

fn draw(quiz: &mut Quiz, stage: &StageLog, generator: &mut ChaCha8Rng) -> Line {
    let kind: f64 = generator.random();
    if kind >= stage.holds + stage.neutral {
        quiz.line(Cue::Contradicted)
    } else if kind >= stage.holds {
        quiz.line(Cue::Neutral)
    } else if generator.random::<f64>() < stage.random_words {
        quiz.line_of_random_words()
    } else {
        quiz.line(Cue::Holds)
    }
}
