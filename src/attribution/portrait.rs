//! What a neuron is about: the tokens on which it fires, those that its output weights raise and lower, and the neurons of its layer
//! that are active together with it.

use burn::tensor::Tensor;
use serde::Serialize;

use crate::items::{Item, Prompts};
use crate::job::Job;
use crate::model::run::read;
use crate::model::{Capture, Edit, Model, Neuron};
use crate::scoring::{Encoded, RunError, encode};

/// How many tokens, places and neighbours are named.
const NAMED: usize = 10;
/// Tokens of the text on either side of a place.
const AROUND: usize = 8;

/// What a neuron is about, on the prompts of a set.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct Portrait {
    /// How it is shown.
    pub address: String,
    /// Which it is.
    #[serde(flatten)]
    pub neuron: Neuron,
    /// Name of the item set.
    pub set: String,
    /// Positions of the prompts in all.
    pub positions: usize,
    /// Its mean activation over them.
    pub mean: f32,
    /// The tokens whose logits its output weights raise most for a unit of activation, by what they add (the final norm's gains folded
    /// in, and its scale left out).
    pub raises: Vec<TokenWeight>,
    /// Those whose logits they lower most.
    pub lowers: Vec<TokenWeight>,
    /// Where its activation is largest in size.
    pub fires: Vec<Firing>,
    /// The neurons of its layer whose activations follow its own most, in either direction.
    pub neighbours: Vec<Neighbour>,
    /// Wall-clock time.
    pub seconds: f64,
}

/// A token and what is added to its logit.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct TokenWeight {
    /// Its text.
    pub token: String,
    /// What is added.
    pub weight: f32,
}

/// A place where a neuron fires.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct Firing {
    /// The item's id.
    pub id: String,
    /// The activation.
    pub activation: f32,
    /// The text before the token.
    pub before: String,
    /// The token.
    pub token: String,
    /// The text after it.
    pub after: String,
}

/// A neuron that is active together with another one.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct Neighbour {
    /// How it is shown.
    pub address: String,
    /// Which it is.
    #[serde(flatten)]
    pub neuron: Neuron,
    /// Pearson's correlation of the activations over the positions.
    pub correlation: f32,
}

/// Draws a neuron's portrait on the prompts of a set.
///
/// # Errors
///
/// [`RunError`] for a neuron outside the model, an item that this model cannot take, or a failing or cancelled run.
pub async fn portrait(
    model: &Model,
    (set, items): (&str, &[Item]),
    prompts: &Prompts,
    neuron: Neuron,
    job: Job<'_>,
) -> Result<Portrait, RunError> {
    let start = job.now_secs();
    let config = model.config();
    if neuron.layer >= config.n_layers || neuron.index >= config.d_mlp {
        return Err(RunError::Settings(format!(
            "there is no neuron {neuron} in this model"
        )));
    }
    if items.is_empty() {
        return Err(RunError::Empty(set.to_owned()));
    }
    let encoded = encode(model, items, prompts)?;
    let mut sums = Together::new(config.d_mlp);
    let mut places: Vec<(f32, usize, usize)> = Vec::new();
    for (item, Encoded { prompt, .. }) in encoded.iter().enumerate() {
        job.progress("portrait", item, items.len());
        let run = model
            .decoder
            .base_run(&[prompt], &Edit::none(), Capture::Layer(neuron.layer), job)
            .await?;
        let activations = read(run.state(neuron.layer)?.pre.activation()).await?;
        for (position, of_layer) in activations.chunks(config.d_mlp).enumerate() {
            sums.add(of_layer, neuron.index);
            places.push((of_layer[neuron.index], item, position));
        }
    }
    places.sort_by(|a, b| {
        b.0.abs()
            .total_cmp(&a.0.abs())
            .then((a.1, a.2).cmp(&(b.1, b.2)))
    });
    let firing = |&(activation, item, position): &(f32, usize, usize)| {
        let ids = &encoded[item].prompt;
        let from = position.saturating_sub(AROUND);
        let to = ids.len().min(position + 1 + AROUND);
        let [before, token, after] = texts(
            model,
            [
                &ids[from..position],
                &ids[position..=position],
                &ids[position + 1..to],
            ],
        );
        Firing {
            id: items[item].id.clone(),
            activation,
            before,
            token,
            after,
        }
    };
    let written = model.decoder.output_weights(neuron.layer);
    let written: Tensor<2> = written.narrow(0, neuron.index, 1);
    let logits = read(model.decoder.direct_logits(neuron.layer, written)).await?;
    let (raises, lowers) = extremes(&logits, |id| model.tokenizer.token_text(id));
    Ok(Portrait {
        address: neuron.to_string(),
        neuron,
        set: set.to_owned(),
        positions: places.len(),
        mean: sums.mean(neuron.index),
        raises,
        lowers,
        fires: places.iter().take(NAMED).map(firing).collect(),
        neighbours: sums.neighbours(neuron),
        seconds: job.now_secs() - start,
    })
}

/// The texts of tokens that follow each other, with the spaces that the tokenizer puts between them; a token that it leaves out, such as the
/// one that begins a text, is called by its name.
fn texts(model: &Model, parts: [&[u32]; 3]) -> [String; 3] {
    let tokenizer = &model.tokenizer;
    let mut ids: Vec<u32> = Vec::new();
    let mut told = String::new();
    parts.map(|part| {
        ids.extend(part);
        let whole = tokenizer.decode(&ids).unwrap_or_default();
        let text = match whole.strip_prefix(&told) {
            Some(text) if part.is_empty() || !text.is_empty() => text.to_owned(),
            _ => part.iter().map(|&id| tokenizer.token_text(id)).collect(),
        };
        told = whole;
        text
    })
}

/// The tokens of the largest and of the smallest logits.
fn extremes(logits: &[f32], text: impl Fn(u32) -> String) -> (Vec<TokenWeight>, Vec<TokenWeight>) {
    let mut order: Vec<usize> = (0..logits.len()).collect();
    order.sort_by(|&a, &b| logits[b].total_cmp(&logits[a]));
    let named = |&id: &usize| TokenWeight {
        token: text(id as u32),
        weight: logits[id],
    };
    (
        order.iter().take(NAMED).map(named).collect(),
        order.iter().rev().take(NAMED).map(named).collect(),
    )
}

/// Sums over positions from which the correlations of a layer's neurons with one of them follow.
struct Together {
    count: f64,
    sums: Vec<f64>,
    squares: Vec<f64>,
    products: Vec<f64>,
}

impl Together {
    fn new(d_mlp: usize) -> Self {
        let zeros = vec![0.0; d_mlp];
        Self {
            count: 0.0,
            sums: zeros.clone(),
            squares: zeros.clone(),
            products: zeros,
        }
    }

    fn add(&mut self, activations: &[f32], one: usize) {
        self.count += 1.0;
        let own = f64::from(activations[one]);
        let sums = self.sums.iter_mut().zip(&mut self.squares);
        for ((sums, products), &activation) in sums.zip(&mut self.products).zip(activations) {
            let activation = f64::from(activation);
            *sums.0 += activation;
            *sums.1 += activation * activation;
            *products += activation * own;
        }
    }

    fn mean(&self, neuron: usize) -> f32 {
        (self.sums[neuron] / self.count) as f32
    }

    fn correlation(&self, a: usize, b: usize) -> f32 {
        let n = self.count;
        let spread = |neuron: usize| self.squares[neuron] - self.sums[neuron].powi(2) / n;
        let scale = (spread(a) * spread(b)).sqrt();
        let together = self.products[a] - self.sums[a] * self.sums[b] / n;
        if scale > 0.0 {
            (together / scale) as f32
        } else {
            0.0
        }
    }

    fn neighbours(&self, neuron: Neuron) -> Vec<Neighbour> {
        let others = Neuron::of_layer(neuron.layer, self.sums.len());
        let mut all: Vec<Neighbour> = others
            .filter(|other| *other != neuron)
            .map(|other| Neighbour {
                address: other.to_string(),
                neuron: other,
                correlation: self.correlation(other.index, neuron.index),
            })
            .collect();
        all.sort_by(|a, b| b.correlation.abs().total_cmp(&a.correlation.abs()));
        all.truncate(NAMED);
        all
    }
}
