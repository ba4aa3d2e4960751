//! A configuration as files have it: every field optional, under the names of transformers' `config.json`.
//! GGUF metadata is read into the same form.

use serde::Deserialize;
use serde_json::Value as Json;

use super::{Activation, Config, ModelError, Rope, RopeScaling};
use crate::weights::gguf::Metadata;

/// What a file says of a model; a family makes a strict [`Config`] of it.
#[derive(Clone, Default, Deserialize)]
pub(in crate::model) struct RawConfig {
    pub(in crate::model) model_type: Option<String>,
    #[serde(alias = "n_embd")]
    pub(in crate::model) hidden_size: Option<usize>,
    #[serde(alias = "n_inner")]
    pub(in crate::model) intermediate_size: Option<usize>,
    #[serde(alias = "n_layer")]
    num_hidden_layers: Option<usize>,
    #[serde(alias = "n_head")]
    num_attention_heads: Option<usize>,
    num_key_value_heads: Option<usize>,
    pub(in crate::model) head_dim: Option<usize>,
    vocab_size: Option<usize>,
    #[serde(alias = "n_positions")]
    max_position_embeddings: Option<usize>,
    #[serde(alias = "layer_norm_eps", alias = "layer_norm_epsilon")]
    pub(in crate::model) rms_norm_eps: Option<f64>,
    pub(in crate::model) rope_theta: Option<f64>,
    rotary_emb_base: Option<f64>,
    partial_rotary_factor: Option<f64>,
    pub(in crate::model) rotary_pct: Option<f64>,
    rope_parameters: Option<Json>,
    rope_scaling: Option<Json>,
    pub(in crate::model) rope_local_base_freq: Option<f64>,
    pub(in crate::model) tie_word_embeddings: Option<bool>,
    hidden_act: Option<String>,
    hidden_activation: Option<String>,
    activation_function: Option<String>,
    pub(in crate::model) attention_bias: Option<bool>,
    pub(in crate::model) mlp_bias: Option<bool>,
    pub(in crate::model) use_parallel_residual: Option<bool>,
    pub(in crate::model) use_sliding_window: Option<bool>,
    pub(in crate::model) sliding_window: Option<usize>,
    pub(in crate::model) sliding_window_pattern: Option<usize>,
    pub(in crate::model) layer_types: Option<Vec<String>>,
    pub(in crate::model) query_pre_attn_scalar: Option<f64>,
    final_logit_softcapping: Option<f64>,
    attn_logit_softcapping: Option<f64>,
    use_bidirectional_attention: Option<bool>,
    scale_attn_weights: Option<bool>,
    scale_attn_by_inverse_layer_idx: Option<bool>,
    /// Set from the weight file: factors that divide the rotary frequencies (llama.cpp's `rope_freqs`).
    #[serde(skip)]
    pub(in crate::model) rope_factors: Option<Vec<f32>>,
}

impl RawConfig {
    pub(super) fn from_json(bytes: &[u8]) -> Result<Self, ModelError> {
        serde_json::from_slice(bytes)
            .map_err(|error| ModelError::Config(format!("config.json: {error}")))
    }

    /// The keys `{architecture}.…` of llama.cpp (`gguf-py/gguf/constants.py`).
    pub(super) fn from_gguf(metadata: &Metadata, tied: bool) -> Result<Self, ModelError> {
        let architecture = metadata
            .get("general.architecture")
            .and_then(|value| value.as_str())
            .ok_or_else(|| ModelError::Unsupported("GGUF architecture `(none)`".into()))?;
        let value = |key: &str| metadata.get(&format!("{architecture}.{key}"));
        let integer = |key: &str| {
            value(key)
                .and_then(|value| value.as_u64())
                .and_then(|value| usize::try_from(value).ok())
        };
        let float = |key: &str| value(key).and_then(|value| value.as_f64());
        let text = |key: &str| value(key).and_then(|value| value.as_str());
        let head_dim = integer("attention.key_length");
        let d_model = integer("embedding_length");
        let heads = integer("attention.head_count");
        let d_head = head_dim.or_else(|| d_model?.checked_div(heads?));
        if integer("attention.value_length").is_some_and(|width| Some(width) != d_head) {
            return Err(ModelError::Unsupported(
                "values of another width than keys".into(),
            ));
        }
        let rotated = integer("rope.dimension_count");
        let vocabulary = integer("vocab_size").or_else(|| {
            let tokens = metadata.get("tokenizer.ggml.tokens")?;
            tokens.as_array().map(|tokens| tokens.len())
        });
        let scaling = match text("rope.scaling.type") {
            None | Some("none") => None,
            Some(kind) => Some(serde_json::json!({
                "rope_type": kind,
                "factor": float("rope.scaling.factor"),
            })),
        };
        Ok(Self {
            model_type: Some(architecture.to_owned()),
            hidden_size: d_model,
            intermediate_size: integer("feed_forward_length"),
            num_hidden_layers: integer("block_count"),
            num_attention_heads: heads,
            num_key_value_heads: integer("attention.head_count_kv"),
            head_dim,
            vocab_size: vocabulary,
            max_position_embeddings: integer("context_length"),
            rms_norm_eps: float("attention.layer_norm_rms_epsilon")
                .or(float("attention.layer_norm_epsilon")),
            rope_theta: float("rope.freq_base"),
            partial_rotary_factor: rotated
                .zip(d_head)
                .map(|(rotated, d_head)| rotated as f64 / d_head.max(1) as f64),
            rope_scaling: scaling,
            tie_word_embeddings: Some(tied),
            use_parallel_residual: value("use_parallel_residual").and_then(|value| value.as_bool()),
            sliding_window: integer("attention.sliding_window"),
            ..Self::default()
        })
    }

    /// The activation function, or the family's own where the file says nothing.
    pub(in crate::model) fn activation_or(
        &self,
        own: Activation,
    ) -> Result<Activation, ModelError> {
        self.activation().map_or(Ok(own), Activation::named)
    }

    /// The layers of `layer_types` that are local, where any is.
    pub(in crate::model) fn local_layers(&self) -> Option<Vec<bool>> {
        let kinds = self.layer_types.as_ref()?;
        let local: Vec<bool> = kinds
            .iter()
            .map(|kind| kind == "sliding_attention")
            .collect();
        local.contains(&true).then_some(local)
    }

    /// The activation function's name.
    fn activation(&self) -> Option<&str> {
        [
            &self.hidden_activation,
            &self.hidden_act,
            &self.activation_function,
        ]
        .into_iter()
        .find_map(Option::as_deref)
    }

    /// The configuration without anything a family adds: RMS norms, rotary positions over the whole head,
    /// a gated feed-forward layer with SiLU, no bias, pre-norm residual connections.
    pub(in crate::model) fn config(&self) -> Result<Config, ModelError> {
        self.refuse_what_no_family_does()?;
        let need = |value: Option<usize>, name: &str| {
            value.ok_or_else(|| ModelError::Config(format!("there is no `{name}`")))
        };
        let d_model = need(self.hidden_size, "hidden_size")?;
        let n_heads = need(self.num_attention_heads, "num_attention_heads")?;
        let d_head = self.head_dim.unwrap_or(d_model / n_heads.max(1));
        Ok(Config {
            d_model,
            d_mlp: need(self.intermediate_size, "intermediate_size")?,
            n_layers: need(self.num_hidden_layers, "num_hidden_layers")?,
            n_heads,
            n_kv_heads: self.num_key_value_heads.unwrap_or(n_heads),
            d_head,
            vocabulary: need(self.vocab_size, "vocab_size")?,
            context_length: self.max_position_embeddings.unwrap_or(2048),
            norm_eps: self.rms_norm_eps.unwrap_or(1e-6),
            rope: Some(self.rope("full_attention", d_head)?),
            attention_scale: 1.0 / (d_head.max(1) as f64).sqrt(),
            tied: self.tie_word_embeddings.unwrap_or(false),
            ..Config::default()
        })
    }

    fn refuse_what_no_family_does(&self) -> Result<(), ModelError> {
        let asked = [
            (
                self.final_logit_softcapping.is_some(),
                "final_logit_softcapping",
            ),
            (
                self.attn_logit_softcapping.is_some(),
                "attn_logit_softcapping",
            ),
            (
                self.use_bidirectional_attention == Some(true),
                "use_bidirectional_attention",
            ),
            (
                self.scale_attn_weights == Some(false),
                "scale_attn_weights: false",
            ),
            (
                self.scale_attn_by_inverse_layer_idx == Some(true),
                "scale_attn_by_inverse_layer_idx",
            ),
        ];
        if let Some((_, name)) = asked.into_iter().find(|(is_asked, _)| *is_asked) {
            return Err(ModelError::Unsupported(name.to_owned()));
        }
        let kinds = self.layer_types.as_deref().unwrap_or_default();
        let is_known =
            |kind: &String| ["full_attention", "sliding_attention"].contains(&kind.as_str());
        if let Some(kind) = kinds.iter().find(|kind| !is_known(kind)) {
            return Err(ModelError::Unsupported(format!("layers of `{kind}`")));
        }
        match (&self.layer_types, self.num_hidden_layers) {
            (Some(kinds), Some(layers)) if kinds.len() != layers => Err(ModelError::Config(
                format!("`layer_types` names {} layers of {layers}", kinds.len()),
            )),
            _ => Ok(()),
        }
    }

    /// Whether `rope_parameters` tells the kinds of layers apart.
    pub(in crate::model) fn has_rope_by_kind(&self) -> bool {
        let parameters = self.rope_parameters.as_ref();
        parameters.is_some_and(|parameters| parameters.get("sliding_attention").is_some())
    }

    /// Files of either version may hold what the other reads, as long as it is the same.
    fn check_rope(&self) -> Result<(), ModelError> {
        let (Some(new), Some(old)) = (&self.rope_parameters, &self.rope_scaling) else {
            return Ok(());
        };
        let new = new.get("full_attention").unwrap_or(new);
        let is_other =
            |(name, value): (&String, &Json)| name != "type" && new.get(name) != Some(value);
        match old
            .as_object()
            .and_then(|old| old.iter().find(|&field| is_other(field)))
        {
            Some((name, _)) => Err(ModelError::Config(format!(
                "`rope_scaling` and `rope_parameters` differ in `{name}`; leave one of them out"
            ))),
            None => Ok(()),
        }
    }

    /// The rotary embedding of one kind of layer. transformers 5 has `rope_parameters`, for all layers or by
    /// their kind; before it there were `rope_theta` and `rope_scaling`.
    pub(in crate::model) fn rope(&self, layers: &str, d_head: usize) -> Result<Rope, ModelError> {
        for (name, value) in [
            ("rope_parameters", &self.rope_parameters),
            ("rope_scaling", &self.rope_scaling),
        ] {
            if value.as_ref().is_some_and(|value| !value.is_object()) {
                return Err(ModelError::Config(format!("`{name}` is no object")));
            }
        }
        self.check_rope()?;
        let nested = self
            .rope_parameters
            .as_ref()
            .map(|parameters| parameters.get(layers).unwrap_or(parameters));
        let field = |name: &str| {
            [nested, self.rope_scaling.as_ref()]
                .into_iter()
                .flatten()
                .find_map(|parameters| parameters.get(name))
        };
        let number = |name: &str| match field(name) {
            None | Some(Json::Null) => Ok(None),
            Some(value) => value.as_f64().map(Some).ok_or_else(|| {
                ModelError::Config(format!("`{name}` of the rotary embedding is no number"))
            }),
        };
        let share = number("partial_rotary_factor")?
            .or(self.partial_rotary_factor)
            .or(self.rotary_pct)
            .unwrap_or(1.0);
        if !(0.0..=1.0).contains(&share) {
            return Err(ModelError::Config(format!(
                "partial_rotary_factor is {share}"
            )));
        }
        let kind = match field("rope_type").or(field("type")) {
            None | Some(Json::Null) => None,
            Some(kind) => Some(kind.as_str().ok_or_else(|| {
                ModelError::Config("`rope_type` of the rotary embedding is no text".into())
            })?),
        };
        let need = |name: &str| {
            number(name)?
                .filter(|value| value.is_finite() && *value > 0.0)
                .ok_or_else(|| ModelError::Config(format!("rope scaling has no `{name}`")))
        };
        let scaling = match kind {
            None | Some("default") => match &self.rope_factors {
                Some(factors) => RopeScaling::Factors(factors.clone()),
                None => RopeScaling::None,
            },
            Some("linear") => RopeScaling::Linear(need("factor")?),
            Some("llama3") => RopeScaling::Llama3 {
                factor: need("factor")?,
                low_freq_factor: need("low_freq_factor")?,
                high_freq_factor: need("high_freq_factor")?,
                original_context: need("original_max_position_embeddings")?,
            },
            Some(other) => {
                return Err(ModelError::Unsupported(format!("rope scaling `{other}`")));
            }
        };
        Ok(Rope {
            dimensions: (d_head as f64 * share) as usize,
            theta: number("rope_theta")?
                .or(self.rope_theta)
                .or(self.rotary_emb_base)
                .unwrap_or(10_000.0),
            scaling,
        })
    }
}
