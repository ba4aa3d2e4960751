//! A configuration as files have it: every field optional, under the names of transformers' `config.json`.
//! GGUF metadata is read into the same form (`gguf`).

use serde::Deserialize;
use serde_json::Value as Json;

use super::{Config, ModelError, Rope, RopeScaling};

/// What a file says of a model; a family makes a strict [`Config`] of it.
#[derive(Clone, Default, Deserialize)]
pub(in crate::model) struct RawConfig {
    pub(in crate::model) model_type: Option<String>,
    pub(in crate::model) hidden_size: Option<usize>,
    pub(in crate::model) intermediate_size: Option<usize>,
    pub(in crate::model) num_hidden_layers: Option<usize>,
    pub(in crate::model) num_attention_heads: Option<usize>,
    pub(super) num_key_value_heads: Option<usize>,
    pub(in crate::model) head_dim: Option<usize>,
    pub(super) vocab_size: Option<usize>,
    pub(in crate::model) max_position_embeddings: Option<usize>,
    /// GPT-2's spelling of `hidden_size`, and so on.
    pub(in crate::model) n_embd: Option<usize>,
    pub(in crate::model) n_inner: Option<usize>,
    pub(in crate::model) n_layer: Option<usize>,
    pub(in crate::model) n_head: Option<usize>,
    pub(in crate::model) n_positions: Option<usize>,
    pub(in crate::model) rms_norm_eps: Option<f64>,
    pub(in crate::model) layer_norm_eps: Option<f64>,
    pub(in crate::model) layer_norm_epsilon: Option<f64>,
    pub(in crate::model) rope_theta: Option<f64>,
    pub(in crate::model) rotary_emb_base: Option<f64>,
    pub(in crate::model) rotary_pct: Option<f64>,
    pub(super) rope_parameters: Option<Json>,
    pub(in crate::model) rope_scaling: Option<Json>,
    pub(super) original_max_position_embeddings: Option<f64>,
    pub(in crate::model) rope_local_base_freq: Option<f64>,
    pub(in crate::model) tie_word_embeddings: Option<bool>,
    pub(in crate::model) hidden_act: Option<String>,
    pub(in crate::model) hidden_activation: Option<String>,
    pub(in crate::model) activation_function: Option<String>,
    pub(in crate::model) attention_bias: Option<bool>,
    pub(in crate::model) mlp_bias: Option<bool>,
    pub(in crate::model) use_parallel_residual: Option<bool>,
    pub(in crate::model) use_sliding_window: Option<bool>,
    /// What Qwen and Gemma 3 have where the file does not say; null is none.
    #[serde(default = "usual_window")]
    pub(in crate::model) sliding_window: Option<usize>,
    pub(in crate::model) max_window_layers: Option<usize>,
    pub(in crate::model) sliding_window_pattern: Option<usize>,
    pub(in crate::model) layer_types: Option<Vec<String>>,
    pub(in crate::model) query_pre_attn_scalar: Option<f64>,
    pub(in crate::model) final_logit_softcapping: Option<f64>,
    pub(super) attn_logit_softcapping: Option<f64>,
    pub(super) use_bidirectional_attention: Option<bool>,
    pub(super) is_causal: Option<bool>,
    /// transformers' and MLX's names of how weights are quantised.
    pub(super) quantization_config: Option<Quantization>,
    pub(super) quantization: Option<Quantization>,
    pub(super) scale_attn_weights: Option<bool>,
    pub(super) scale_attn_by_inverse_layer_idx: Option<bool>,
    /// Set by a family: the share of a head that is rotated.
    #[serde(skip)]
    pub(in crate::model) rotary_share: Option<f64>,
    /// Set from a GGUF file: how many of a head's first dimensions are rotated.
    #[serde(skip)]
    pub(super) rotary_dimensions: Option<usize>,
    /// Set from a GGUF file: factors that divide the rotary frequencies.
    #[serde(skip)]
    pub(in crate::model) rope_factors: Option<Vec<f32>>,
    /// Set from a GGUF file: factor on the products of queries and keys.
    #[serde(skip)]
    pub(in crate::model) attention_scale: Option<f64>,
    /// Set from a GGUF file: no layer sees only a window.
    #[serde(skip)]
    pub(in crate::model) has_no_window: bool,
}

fn usual_window() -> Option<usize> {
    Some(4096)
}

/// How the weights of a safetensors file are quantised, of which this engine reads none.
#[derive(Clone, Default, Deserialize)]
pub(super) struct Quantization {
    quant_method: Option<String>,
    bits: Option<Json>,
}

impl Quantization {
    /// What the weights were quantised by. bitsandbytes is asked for of files with floats as well, and stays in the configuration of what
    /// was trained so: what such a file lacks is told later.
    fn method(&self) -> Option<&str> {
        let method = self.quant_method.as_deref();
        method.filter(|method| *method != "bitsandbytes")
    }
}

/// The value of a field with two names; either may be absent or null.
pub(in crate::model) fn either<T: PartialEq>(
    (name, value): (&str, Option<T>),
    (other_name, other): (&str, Option<T>),
) -> Result<Option<T>, ModelError> {
    match (value, other) {
        (Some(value), Some(other)) if value != other => Err(ModelError::Config(format!(
            "`{name}` and `{other_name}` of config.json are one field and differ; leave one of them out"
        ))),
        (value, other) => Ok(value.or(other)),
    }
}

/// Largest `config.json` accepted, in bytes: a value takes many times as much memory.
const MAX_BYTES: usize = 1 << 20;

impl RawConfig {
    pub(super) fn from_json(bytes: &[u8]) -> Result<Self, ModelError> {
        if bytes.len() > MAX_BYTES {
            return Err(ModelError::Config(format!(
                "config.json: {} bytes, at most {MAX_BYTES} are read",
                bytes.len()
            )));
        }
        serde_json::from_slice(bytes)
            .map_err(|error| ModelError::Config(format!("config.json: {error}")))
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
            context_length: self.context_length(),
            norm_eps: self.rms_norm_eps.unwrap_or(1e-6),
            rope: Some(self.rope("full_attention", d_head)?),
            attention_scale: self
                .attention_scale
                .unwrap_or(1.0 / (d_head.max(1) as f64).sqrt()),
            tied: self.tie_word_embeddings.unwrap_or(false),
            ..Config::default()
        })
    }

    fn context_length(&self) -> usize {
        self.max_position_embeddings.unwrap_or(2048)
    }

    fn refuse_what_no_family_does(&self) -> Result<(), ModelError> {
        let of_mlx = self.quantization.as_ref().filter(|of| of.bits.is_some());
        let quantised = self.quantization_config.as_ref();
        let method = quantised.and_then(Quantization::method);
        if let Some(method) = method.or(of_mlx.map(|_| "MLX")) {
            return Err(ModelError::Unsupported(format!(
                "a model that is quantised by {method}: take the original, or its GGUF file"
            )));
        }
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
            (self.is_causal == Some(false), "is_causal: false"),
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

    /// Whether `rope_parameters` has fields, and not by the kinds of layers.
    pub(in crate::model) fn has_rope_of_no_kind(&self) -> bool {
        let parameters = self.rope_parameters.as_ref().and_then(Json::as_object);
        let kinds = ["full_attention", "sliding_attention"];
        parameters.is_some_and(|fields| {
            !fields.is_empty() && !kinds.iter().any(|kind| fields.contains_key(*kind))
        })
    }

    /// Files of either version may hold what the other reads, as long as it is the same.
    fn check_rope(&self) -> Result<(), ModelError> {
        let (Some(new), Some(old)) = (&self.rope_parameters, &self.rope_scaling) else {
            return Ok(());
        };
        let new = new.get("full_attention").unwrap_or(new);
        // 8 and 8.0 are one number.
        let is_same =
            |a: &Json, b: &Json| a == b || a.as_f64().is_some_and(|a| Some(a) == b.as_f64());
        let is_other = |(name, value): (&String, &Json)| {
            name != "type" && !new.get(name).is_some_and(|new| is_same(new, value))
        };
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

    /// A field of the rotary embedding of one kind of layer: of `rope_parameters`, for all layers or by their kind, or
    /// else of `rope_scaling`.
    fn rope_field(&self, layers: &str, name: &str) -> Option<&Json> {
        let new = self.rope_parameters.as_ref();
        let nested = new.map(|parameters| parameters.get(layers).unwrap_or(parameters));
        [nested, self.rope_scaling.as_ref()]
            .into_iter()
            .flatten()
            .find_map(|parameters| parameters.get(name))
    }

    /// How many of a head's first dimensions are rotated.
    pub(in crate::model) fn rotated(&self, d_head: usize) -> usize {
        let share = self.rotary_share.unwrap_or(1.0);
        self.rotary_dimensions
            .unwrap_or((d_head as f64 * share) as usize)
    }

    pub(in crate::model) fn rope_number(
        &self,
        layers: &str,
        name: &str,
    ) -> Result<Option<f64>, ModelError> {
        match self.rope_field(layers, name) {
            None | Some(Json::Null) => Ok(None),
            Some(value) => value.as_f64().map(Some).ok_or_else(|| {
                ModelError::Config(format!("`{name}` of the rotary embedding is no number"))
            }),
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
        let field = |name: &str| self.rope_field(layers, name);
        let number = |name: &str| self.rope_number(layers, name);
        let kind = match field("rope_type").or(field("type")) {
            None | Some(Json::Null) => None,
            Some(kind) => Some(kind.as_str().ok_or_else(|| {
                ModelError::Config("`rope_type` of the rotary embedding is no text".into())
            })?),
        };
        let positive = |name: &str, value: Option<f64>| {
            value
                .filter(|value| value.is_finite() && *value > 0.0)
                .ok_or_else(|| ModelError::Config(format!("rope scaling has no `{name}`")))
        };
        let need = |name: &str| positive(name, number(name)?);
        let plain = match &self.rope_factors {
            Some(factors) => RopeScaling::Factors(factors.clone()),
            None => RopeScaling::None,
        };
        let scaling = match (kind, plain) {
            (None | Some("default"), plain) => plain,
            (Some("linear"), RopeScaling::Factors(factors)) => {
                let factor = need("factor")? as f32;
                RopeScaling::Factors(factors.iter().map(|other| other * factor).collect())
            }
            (Some("linear"), _) => RopeScaling::Linear(need("factor")?),
            (Some("llama3"), _) => {
                const ORIGINAL: &str = "original_max_position_embeddings";
                // What it was first trained with is beside the parameters, among them, or all that it sees.
                let original = match self.original_max_position_embeddings {
                    Some(original) => Some(original),
                    None => number(ORIGINAL)?,
                };
                let context = self.context_length() as f64;
                RopeScaling::Llama3 {
                    factor: need("factor")?,
                    low_freq_factor: need("low_freq_factor")?,
                    high_freq_factor: need("high_freq_factor")?,
                    original_context: positive(ORIGINAL, original.or(Some(context)))?,
                }
            }
            (Some(other), _) => {
                return Err(ModelError::Unsupported(format!("rope scaling `{other}`")));
            }
        };
        Ok(Rope {
            dimensions: self.rotated(d_head),
            theta: number("rope_theta")?
                .or(self.rope_theta)
                .unwrap_or(10_000.0),
            scaling,
        })
    }
}
