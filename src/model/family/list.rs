//! The weights of a family, as one list: what is checked, counted, drawn, loaded and stored is what stands in it.

use crate::model::Config;
use crate::model::config::NormKind;
use crate::weights::WeightKind;

/// A weight's place in the decoder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::model) enum Slot {
    Embedding,
    /// Learned positions.
    PositionEmbedding,
    /// Before attention.
    AttentionNorm,
    Q,
    K,
    V,
    /// Queries, keys and values in one.
    Qkv,
    QNorm,
    KNorm,
    /// Attention's output projection.
    Output,
    /// On what attention gives, before it joins the residual stream.
    AttentionPostNorm,
    /// Before the feed-forward layer.
    FeedForwardNorm,
    /// The gate, or the first projection of a feed-forward layer without one.
    Gate,
    Up,
    Down,
    /// On what the feed-forward layer gives, before it joins the residual stream.
    FeedForwardPostNorm,
    FinalNorm,
    LmHead,
}

impl Slot {
    /// Where the weight is held: projections of one input lie side by side.
    pub(in crate::model) fn held_in(self) -> Self {
        match self {
            Self::Q | Self::K | Self::V => Self::Qkv,
            Self::Up => Self::Gate,
            other => other,
        }
    }
}

/// A width by what it is the width of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::model) enum Width {
    Vocabulary,
    /// The longest sequence.
    Context,
    /// The residual stream.
    Model,
    /// The neurons of a feed-forward layer.
    Neurons,
    /// One head.
    Head,
    /// All heads' queries.
    Queries,
    /// All heads' keys, or values.
    Keys,
    QueriesKeysValues,
}

/// The shape of a weight.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::model) enum Shape {
    /// Of a norm.
    Vector(Width),
    /// A table as rows and their width, a projection as `[out, in]`.
    Matrix([Width; 2]),
}

/// How a file lays a weight out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::model) enum Layout {
    /// As its shape says.
    Plain,
    /// A projection as `[in, out]` (transformers' `Conv1D`).
    InOut,
    /// Rows of queries or keys in the order of an interleaved rotation.
    Interleaved,
    /// Rows head after head: its queries, its keys, its values.
    HeadByHead,
    /// A norm's weight less one.
    LessOne,
}

/// A weight in one kind of file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::model) struct InFile {
    /// The part between `{blocks}.{layer}.` and `.weight` or `.bias`, or, outside the blocks, all but that ending.
    pub(in crate::model) name: &'static str,
    pub(in crate::model) layout: Layout,
}

/// One weight of a family. Whether it has a bias is for the configuration to say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::model) struct Weight {
    pub(in crate::model) slot: Slot,
    pub(in crate::model) shape: Shape,
    transformers: InFile,
    llama_cpp: InFile,
}

/// A norm over a width, with its names in transformers' and in llama.cpp's files.
pub(in crate::model) const fn norm(
    slot: Slot,
    width: Width,
    transformers: &'static str,
    llama_cpp: &'static str,
) -> Weight {
    weight(slot, Shape::Vector(width), transformers, llama_cpp)
}

/// A projection `[out, in]` or a table, with its names in transformers' and in llama.cpp's files.
pub(in crate::model) const fn matrix(
    slot: Slot,
    shape: [Width; 2],
    transformers: &'static str,
    llama_cpp: &'static str,
) -> Weight {
    weight(slot, Shape::Matrix(shape), transformers, llama_cpp)
}

const fn weight(
    slot: Slot,
    shape: Shape,
    transformers: &'static str,
    llama_cpp: &'static str,
) -> Weight {
    let layout = Layout::Plain;
    Weight {
        slot,
        shape,
        transformers: InFile {
            name: transformers,
            layout,
        },
        llama_cpp: InFile {
            name: llama_cpp,
            layout,
        },
    }
}

impl Weight {
    /// The same, laid out so in transformers' files.
    pub(super) const fn in_transformers(mut self, layout: Layout) -> Self {
        self.transformers.layout = layout;
        self
    }

    /// The same, laid out so in llama.cpp's files.
    pub(super) const fn in_llama_cpp(mut self, layout: Layout) -> Self {
        self.llama_cpp.layout = layout;
        self
    }

    pub(in crate::model) fn in_file(&self, kind: WeightKind) -> InFile {
        match kind {
            WeightKind::Safetensors => self.transformers,
            WeightKind::Gguf => self.llama_cpp,
        }
    }

    /// Its shape in numbers, `[out, in]`, `[rows, width]` or `[width]`.
    pub(in crate::model) fn dims(&self, config: &Config) -> Vec<usize> {
        match self.shape {
            Shape::Vector(width) => vec![config.width(width)],
            Shape::Matrix(shape) => shape.map(|width| config.width(width)).into(),
        }
    }
}

/// All weights of a family, in the order of the forward pass.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::model) struct Weights {
    /// First part of transformers' names, which a file of the bare decoder lacks.
    pub(in crate::model) base: &'static str,
    /// What transformers calls the list of blocks; llama.cpp calls it `blk`.
    pub(in crate::model) blocks: &'static str,
    pub(in crate::model) embedding: Weight,
    pub(in crate::model) position_embedding: Option<Weight>,
    /// Of each block; what is held side by side stands together.
    pub(in crate::model) block: &'static [Weight],
    pub(in crate::model) final_norm: Weight,
    /// In the files of models whose output matrix is not their embedding.
    pub(in crate::model) lm_head: Weight,
}

impl Weights {
    pub(in crate::model) fn in_block(&self, slot: Slot) -> Option<&Weight> {
        self.block.iter().find(|weight| weight.slot == slot)
    }

    /// The weights of a block, those together that are held side by side.
    pub(in crate::model) fn groups(&self) -> impl Iterator<Item = &'static [Weight]> {
        let is_beside = |a: &Weight, b: &Weight| a.slot.held_in() == b.slot.held_in();
        self.block.chunk_by(is_beside)
    }

    /// Those outside the blocks, whether a model has them or not.
    pub(in crate::model) fn outside(&self) -> impl Iterator<Item = &Weight> {
        let below = [&self.embedding]
            .into_iter()
            .chain(&self.position_embedding);
        below.chain([&self.final_norm, &self.lm_head])
    }

    /// What a kind of file calls the list of blocks.
    pub(in crate::model) fn blocks_in(&self, kind: WeightKind) -> &'static str {
        match kind {
            WeightKind::Safetensors => self.blocks,
            WeightKind::Gguf => "blk",
        }
    }

    /// A weight's whole name in a kind of file, without `.weight` or `.bias`.
    pub(in crate::model) fn name_in(
        &self,
        kind: WeightKind,
        layer: Option<usize>,
        weight: &Weight,
    ) -> String {
        let name = weight.in_file(kind).name;
        match layer {
            Some(layer) => format!("{}.{layer}.{name}", self.blocks_in(kind)),
            None => name.to_owned(),
        }
    }
}

impl Config {
    /// Every weight of a model of this configuration, those of a block with its layer.
    pub(in crate::model) fn every_weight(
        &self,
    ) -> impl Iterator<Item = (Option<usize>, &'static Weight)> {
        let weights = self.weights;
        let below = [&weights.embedding]
            .into_iter()
            .chain(&weights.position_embedding);
        let in_blocks = (0..self.n_layers).flat_map(|layer| {
            weights
                .block
                .iter()
                .map(move |weight| (Some(layer), weight))
        });
        let lm_head = (!self.tied).then_some(&weights.lm_head);
        let above = [&weights.final_norm].into_iter().chain(lm_head);
        let outside = |weight| (None, weight);
        (below.map(outside))
            .chain(in_blocks)
            .chain(above.map(outside))
    }

    pub(in crate::model) fn width(&self, width: Width) -> usize {
        let (queries, keys) = (self.n_heads * self.d_head, self.n_kv_heads * self.d_head);
        match width {
            Width::Vocabulary => self.vocabulary,
            Width::Context => self.context_length,
            Width::Model => self.d_model,
            Width::Neurons => self.d_mlp,
            Width::Head => self.d_head,
            Width::Queries => queries,
            Width::Keys => keys,
            Width::QueriesKeysValues => queries + 2 * keys,
        }
    }

    /// Whether a weight has a bias beside it.
    pub(in crate::model) fn has_bias(&self, weight: &Weight) -> bool {
        match (weight.slot, weight.shape) {
            (slot, Shape::Vector(_)) => self.norm_of(slot) == NormKind::Layer,
            (Slot::Q | Slot::K | Slot::V | Slot::Qkv, _) => self.qkv_bias,
            (Slot::Output, _) => self.attention_output_bias,
            (Slot::Gate | Slot::Up | Slot::Down, _) => self.mlp_bias,
            _ => false,
        }
    }

    /// The kind of norm: queries and keys are never centred.
    pub(in crate::model) fn norm_of(&self, slot: Slot) -> NormKind {
        match slot {
            Slot::QNorm | Slot::KNorm => NormKind::Rms,
            _ => self.norm,
        }
    }

    /// Whether the feed-forward layer multiplies two projections.
    pub fn is_gated(&self) -> bool {
        self.weights.in_block(Slot::Up).is_some()
    }
}
