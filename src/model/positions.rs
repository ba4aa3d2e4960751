//! Where a run's tail stands: the rotary embedding of its positions, and which keys each of them sees.

use burn::tensor::{Device, Tensor};

use super::config::Rope;
use super::{Config, ModelError, upload};
use crate::kernels;

/// All that a block needs to know about the positions of a tail.
#[derive(Clone)]
pub struct TailPositions {
    /// How many there are.
    tail: usize,
    /// How many of the last ones are read above the last block, which does no more for the others than they need to be attended to.
    read: usize,
    global: LayerPositions,
    /// For local layers, where the model has any.
    local: Option<LayerPositions>,
}

/// The same for one kind of layer.
#[derive(Clone)]
pub struct LayerPositions {
    rotation: Option<Rotation>,
    /// Positions that a query looks back on, its own among them; `None` for all.
    pub(super) window: Option<usize>,
    /// Positions before the beginning of each prompt, `[batch]`, where there are any.
    pub(super) padding: Option<Tensor<1>>,
}

/// Prompts of unequal length that end together: the positions before the beginning of each are padding, which no other
/// position sees. Rotary embeddings go by distances, so they need not know of it.
#[derive(Clone, Debug)]
pub struct Padding {
    /// Number of those positions, one per prompt.
    pub counts: Vec<usize>,
    /// The same on the device, `[batch]`.
    on_device: Tensor<1>,
}

impl Padding {
    /// Of prompts that are not all of one length.
    pub fn of(prompts: &[&[u32]], device: &Device) -> Option<Self> {
        let longest = prompts.iter().map(|prompt| prompt.len()).max()?;
        let counts = prompts
            .iter()
            .map(|prompt| longest - prompt.len())
            .collect();
        Self::new(counts, device)
    }

    fn new(counts: Vec<usize>, device: &Device) -> Option<Self> {
        if counts.iter().all(|&count| count == 0) {
            return None;
        }
        let values: Vec<f32> = counts.iter().map(|&count| count as f32).collect();
        let on_device = upload::numbers(values, [counts.len()], device);
        Some(Self { counts, on_device })
    }

    /// Of some of the prompts.
    pub(super) fn select(&self, prompts: &[usize]) -> Option<Self> {
        let counts = prompts.iter().map(|&prompt| self.counts[prompt]).collect();
        Self::new(counts, &self.on_device.device())
    }

    /// 1 for those of the last `tail` of `length` positions that are a prompt's own, 0 for its padding, `[batch, tail, 1]`.
    pub fn own(&self, length: usize, tail: usize) -> Tensor<3> {
        let counts = self.counts.iter();
        let values: Vec<f32> = counts
            .flat_map(|&count| {
                (length - tail..length).map(move |position| f32::from(u8::from(position >= count)))
            })
            .collect();
        let shape = [self.counts.len(), tail, 1];
        upload::numbers(values, shape, &self.on_device.device())
    }

    /// The prompts with their padding, any token that the model knows.
    pub fn fill(&self, prompts: &[&[u32]]) -> Vec<Vec<u32>> {
        let prompts = prompts.iter().zip(&self.counts);
        prompts
            .map(|(prompt, &count)| {
                let first = prompt.iter().take(1).cycle().take(count);
                first.chain(prompt.iter()).copied().collect()
            })
            .collect()
    }
}

/// Cosines and sines of some positions, `[1, tail, 1, dimensions]`.
#[derive(Clone)]
struct Rotation {
    cos: Tensor<4>,
    sin: Tensor<4>,
}

impl TailPositions {
    /// For `tail` positions after a prefix of `first`, of prompts with some padding.
    pub fn new(
        config: &Config,
        first: usize,
        tail: usize,
        padding: Option<&Padding>,
        device: &Device,
    ) -> Self {
        let kind = |rope: Option<&Rope>, window: Option<usize>| LayerPositions {
            rotation: rope.map(|rope| Rotation::new(rope, first, tail, device)),
            window,
            padding: padding.map(|padding| padding.on_device.clone()),
        };
        Self {
            tail,
            read: tail,
            global: kind(config.rope.as_ref(), None),
            local: config
                .local
                .as_ref()
                .map(|local| kind(Some(&local.rope), Some(local.window))),
        }
    }

    /// The same, of which only the last `positions` are read above the last block.
    #[must_use]
    pub fn reading(self, positions: usize) -> Self {
        Self {
            read: positions.min(self.tail),
            ..self
        }
    }

    /// How many of the last positions leave a layer of `config`.
    pub fn leaving(&self, config: &Config, layer: usize) -> usize {
        match layer + 1 == config.n_layers {
            true => self.read,
            false => self.tail,
        }
    }

    /// Those that a layer of `config` goes by.
    pub(super) fn of_layer(&self, config: &Config, layer: usize) -> &LayerPositions {
        match &self.local {
            Some(local) if config.is_local(layer) => local,
            _ => &self.global,
        }
    }
}

impl LayerPositions {
    /// Rotates the first `rotated` heads, queries and keys, of `[batch · rows, tail, heads, d_head]`.
    pub(super) fn rotate(&self, x: Tensor<4>, rotated: usize) -> Tensor<4> {
        match &self.rotation {
            Some(Rotation { cos, sin }) => kernels::rotate(x, cos, sin, rotated),
            None => x,
        }
    }
}

impl Rotation {
    fn new(rope: &Rope, first: usize, tail: usize, device: &Device) -> Self {
        let frequencies = rope.frequencies();
        let dimensions = rope.dimensions;
        let mut cos = Vec::with_capacity(tail * dimensions);
        let mut sin = Vec::with_capacity(tail * dimensions);
        for position in first..first + tail {
            for frequency in frequencies.iter().chain(&frequencies) {
                let angle = position as f64 * frequency;
                cos.push(angle.cos() as f32);
                sin.push(angle.sin() as f32);
            }
        }
        let table = |values| upload::numbers(values, [1, tail, 1, dimensions], device);
        Self {
            cos: table(cos),
            sin: table(sin),
        }
    }
}

/// Ids of the positions of `rows` sequences, for a learned position embedding: `[rows · tail]`, or `[tail]` where they are
/// the same for all rows.
///
/// # Errors
///
/// [`ModelError::TooLong`] past the embedding's end.
pub(super) fn position_ids(
    config: &Config,
    first: usize,
    tail: usize,
    rows: usize,
    padding: Option<&Padding>,
) -> Result<Vec<u32>, ModelError> {
    let tokens = first + tail;
    if tokens > config.context_length {
        return Err(ModelError::TooLong {
            tokens,
            context_length: config.context_length,
        });
    }
    let after = |count: usize| {
        let positions = first..tokens;
        positions.map(move |position| position.saturating_sub(count) as u32)
    };
    Ok(match padding {
        None => after(0).collect(),
        Some(Padding { counts, .. }) => {
            let rows_of_prompt = rows / counts.len();
            let prompts = counts.iter();
            let rows = prompts.flat_map(|&count| std::iter::repeat_n(count, rows_of_prompt));
            rows.flat_map(after).collect()
        }
    })
}
