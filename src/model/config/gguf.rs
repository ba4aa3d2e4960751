//! The metadata of a GGUF file as a configuration: llama.cpp's keys `{architecture}.…` (`gguf-py/gguf/constants.py`), with
//! the defaults of its loader (`llama-model.cpp`). Every key is read, known to change nothing, or refused by name.

use super::ModelError;
use super::raw::RawConfig;
use crate::weights::gguf::{Metadata, Value};

/// Keys that are read.
const READ: [&str; 28] = [
    "attention.head_count",
    "attention.head_count_kv",
    "attention.key_length",
    "attention.key_length_swa",
    "attention.layer_norm_epsilon",
    "attention.layer_norm_rms_epsilon",
    "attention.scale",
    "attention.sliding_window",
    "attention.sliding_window_pattern",
    "attention.value_length",
    "attention.value_length_swa",
    "block_count",
    "context_length",
    "embedding_length",
    "feed_forward_length",
    "final_logit_softcapping",
    "rope.dimension_count",
    "rope.dimension_count_swa",
    "rope.freq_base",
    "rope.freq_base_swa",
    "rope.global.freq_base",
    "rope.local.freq_base",
    "rope.scale_linear",
    "rope.scaling.factor",
    "rope.scaling.type",
    "sliding_window_pattern",
    "use_parallel_residual",
    "vocab_size",
];

/// Keys that change no number of a model whose other keys are read: where it came from, how long it was trained for,
/// what is done with a sequence's embedding, and settings of a scaling that its type refuses.
const IRRELEVANT: [&str; 10] = [
    "mm.tokens_per_image",
    "pooling_type",
    "rope.scaling.finetuned",
    "rope.scaling.original_context_length",
    "rope.scaling.yarn_attn_factor",
    "rope.scaling.yarn_beta_fast",
    "rope.scaling.yarn_beta_slow",
    "rope.scaling.yarn_ext_factor",
    "rope.scaling.yarn_log_multiplier",
    "tensor_data_layout",
];

/// Keys of what this engine does not do, with the values that say that a model does without it.
const OFF: [(&str, &[f64]); 11] = [
    ("attention.clamp_kqv", &[0.0]),
    ("attention.max_alibi_bias", &[0.0]),
    ("attention.shared_kv_layers", &[0.0]),
    ("attn_logit_softcapping", &[0.0]),
    ("embedding_scale", &[0.0, 1.0]),
    ("expert_count", &[0.0]),
    ("expert_shared_count", &[0.0]),
    ("expert_used_count", &[0.0]),
    ("logit_scale", &[0.0, 1.0]),
    ("residual_scale", &[0.0, 1.0]),
    ("rope.scaling.attn_factor", &[0.0, 1.0]),
];

/// What the tensors of a GGUF file say of its model.
#[derive(Debug, Default)]
pub struct Stored {
    /// There is an output matrix of its own.
    pub has_output: bool,
    /// There are biases of queries, keys or values.
    pub qkv_bias: bool,
    /// There are biases of attention's output projection.
    pub attention_output_bias: bool,
    /// There are biases of the feed-forward layer's projections.
    pub mlp_bias: bool,
    /// The values of `rope_freqs.weight`: divisors of the rotary frequencies.
    pub rope_factors: Option<Vec<f32>>,
}

/// The keys of one architecture.
struct Keys<'a> {
    metadata: &'a Metadata,
    architecture: &'a str,
}

/// The metadata in the form of `config.json`.
pub(super) fn read(
    metadata: &Metadata,
    architecture: &str,
    stored: &Stored,
) -> Result<RawConfig, ModelError> {
    let keys = Keys {
        metadata,
        architecture,
    };
    keys.refuse_unread()?;
    let head_dim = keys.integer("attention.key_length")?;
    let d_model = keys.integer("embedding_length")?;
    let heads = keys.integer("attention.head_count")?;
    let d_head = head_dim.or_else(|| d_model?.checked_div(heads?));
    let rotated = keys.integer("rope.dimension_count")?.or(d_head);
    for (key, expected) in [
        ("attention.value_length", d_head),
        ("attention.key_length_swa", d_head),
        ("attention.value_length_swa", d_head),
        ("rope.dimension_count_swa", rotated),
    ] {
        if keys
            .integer(key)?
            .is_some_and(|width| Some(width) != expected)
        {
            return Err(ModelError::Unsupported(format!(
                "`{}` of another width than that of keys",
                keys.name(key)
            )));
        }
    }
    let vocabulary = keys.integer("vocab_size")?.or_else(|| {
        let tokens = metadata.get("tokenizer.ggml.tokens")?;
        tokens.as_array().map(|tokens| tokens.len())
    });
    let d_mlp = keys.integer("feed_forward_length")?;
    let rms = keys.number("attention.layer_norm_rms_epsilon")?;
    let layer = keys.number("attention.layer_norm_epsilon")?;
    let context = keys.integer("context_length")?;
    let window = keys.integer("attention.sliding_window")?;
    let window = window.filter(|&window| window > 0);
    let (pattern, layer_types) = keys.pattern()?;
    // Ollama's converter calls the bases of Gemma 3 otherwise.
    let base = keys.number("rope.freq_base")?;
    let base = base.or(keys.number("rope.global.freq_base")?);
    let local_base = keys.number("rope.freq_base_swa")?;
    let local_base = local_base.or(keys.number("rope.local.freq_base")?);
    Ok(RawConfig {
        model_type: Some(architecture.to_owned()),
        hidden_size: d_model,
        intermediate_size: d_mlp,
        n_inner: d_mlp,
        num_hidden_layers: keys.integer("block_count")?,
        num_attention_heads: heads,
        num_key_value_heads: keys.integer("attention.head_count_kv")?,
        head_dim: d_head,
        vocab_size: vocabulary,
        max_position_embeddings: context,
        rms_norm_eps: rms.or(layer),
        layer_norm_eps: layer.or(rms),
        layer_norm_epsilon: layer.or(rms),
        rope_theta: base,
        rotary_emb_base: base,
        rope_local_base_freq: local_base,
        rope_scaling: keys.rope_scaling()?,
        rotary_dimensions: rotated,
        rope_factors: stored.rope_factors.clone(),
        tie_word_embeddings: Some(!stored.has_output),
        use_parallel_residual: keys.value("use_parallel_residual").and_then(Value::as_bool),
        sliding_window: window,
        has_no_window: window.is_none(),
        sliding_window_pattern: pattern,
        layer_types,
        query_pre_attn_scalar: d_head.map(|width| width as f64),
        attention_scale: keys
            .number("attention.scale")?
            .filter(|scale| *scale != 0.0),
        final_logit_softcapping: keys
            .number("final_logit_softcapping")?
            .filter(|cap| *cap != 0.0),
        ..RawConfig::default()
    })
}

impl<'a> Keys<'a> {
    fn name(&self, key: &str) -> String {
        format!("{}.{key}", self.architecture)
    }

    fn value(&self, key: &str) -> Option<&'a Value> {
        self.metadata.get(&self.name(key))
    }

    /// Refuses, by its name, what the file says and nothing here reads.
    fn refuse_unread(&self) -> Result<(), ModelError> {
        let prefix = self.name("");
        // In their order: which one is named does not depend on a hash.
        let mut own: Vec<&str> = self
            .metadata
            .keys()
            .filter_map(|key| key.strip_prefix(&prefix))
            .collect();
        own.sort_unstable();
        for key in own {
            let value = self.value(key);
            let is_off = |off: &[f64]| {
                let value = value.and_then(Value::as_f64);
                value.is_some_and(|value| off.contains(&value))
            };
            let is_known = READ.contains(&key)
                || IRRELEVANT.contains(&key)
                || (key == "attention.causal" && value.and_then(Value::as_bool) == Some(true))
                || OFF.iter().any(|(name, off)| *name == key && is_off(off));
            if !is_known {
                return Err(ModelError::Unsupported(format!(
                    "`{prefix}{key}`, which the GGUF file's metadata has"
                )));
            }
        }
        Ok(())
    }

    /// One value for all layers. A file may have it once for each layer, where all agree.
    fn uniform(&self, key: &str) -> Result<Option<Value>, ModelError> {
        let Some(value) = self.value(key) else {
            return Ok(None);
        };
        let Some(array) = value.as_array() else {
            return Ok(Some(value.clone()));
        };
        let mut values = array.scalars().into_iter().flatten();
        let first = values.next().ok_or_else(|| self.wrong(key, "a number"))?;
        match values.find(|other| *other != first) {
            Some(_) => Err(ModelError::Unsupported(format!(
                "`{}` that differs from layer to layer",
                self.name(key)
            ))),
            None => Ok(Some(first)),
        }
    }

    fn wrong(&self, key: &str, what: &str) -> ModelError {
        ModelError::Config(format!(
            "`{}` of the GGUF file is not {what}",
            self.name(key)
        ))
    }

    fn integer(&self, key: &str) -> Result<Option<usize>, ModelError> {
        let Some(value) = self.uniform(key)? else {
            return Ok(None);
        };
        let value = value.as_u64().and_then(|value| usize::try_from(value).ok());
        value
            .map(Some)
            .ok_or_else(|| self.wrong(key, "a whole number"))
    }

    fn number(&self, key: &str) -> Result<Option<f64>, ModelError> {
        let Some(value) = self.uniform(key)? else {
            return Ok(None);
        };
        let value = value.as_f64();
        value.map(Some).ok_or_else(|| self.wrong(key, "a number"))
    }

    /// In the form of `config.json`. A factor without a type is a linear one, and 0 is none.
    fn rope_scaling(&self) -> Result<Option<serde_json::Value>, ModelError> {
        let factor = match self.number("rope.scaling.factor")? {
            Some(factor) => Some(factor),
            None => self.number("rope.scale_linear")?,
        };
        let factor = factor.filter(|factor| *factor != 0.0);
        let kind = match self.value("rope.scaling.type") {
            Some(kind) => kind
                .as_str()
                .ok_or_else(|| self.wrong("rope.scaling.type", "text"))?,
            None => "linear",
        };
        Ok(match (kind, factor) {
            ("none", _) | ("linear", None) => None,
            _ => Some(serde_json::json!({ "rope_type": kind, "factor": factor })),
        })
    }

    /// Which layers see only a window: every so many-th does not, or a list that says so of each.
    fn pattern(&self) -> Result<(Option<usize>, Option<Vec<String>>), ModelError> {
        let key = match self.value("attention.sliding_window_pattern") {
            Some(_) => "attention.sliding_window_pattern",
            // As older converters write it.
            None => "sliding_window_pattern",
        };
        let Some(array) = self.value(key).and_then(Value::as_array) else {
            return Ok((self.integer(key)?, None));
        };
        let is_local = |value: Value| match value {
            Value::Bool(is_local) => Some(is_local),
            value => value.as_u64().map(|value| value != 0),
        };
        let kind = |value| {
            Some(match is_local(value)? {
                true => "sliding_attention".to_owned(),
                false => "full_attention".to_owned(),
            })
        };
        let kinds: Option<Vec<String>> = array
            .scalars()
            .and_then(|values| values.map(kind).collect());
        match kinds {
            Some(kinds) => Ok((None, Some(kinds))),
            None => Err(self.wrong(key, "a list of which layers see only a window")),
        }
    }
}
