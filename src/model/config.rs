//! What a decoder looks like, read from `config.json` or from GGUF metadata.
//!
//! The raw file is mirrored by a serde struct full of options; [`Config`] is the strict form the decoder
//! is built from. What this engine does not implement is refused here, by name.

use serde::Deserialize;

use super::ModelError;
use crate::weights::gguf::Metadata;

/// Shape and constants of a Llama-style decoder.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// Width of the residual stream.
    pub d_model: usize,
    /// Neurons of one feed-forward layer.
    pub d_mlp: usize,
    /// Decoder blocks.
    pub n_layers: usize,
    /// Query heads.
    pub n_heads: usize,
    /// Key/value heads; divides `n_heads`.
    pub n_kv_heads: usize,
    /// Width of one head.
    pub d_head: usize,
    /// Rows of the embedding.
    pub vocabulary: usize,
    /// Longest sequence the model was made for, in tokens.
    pub context_length: usize,
    /// Epsilon inside the RMS norms.
    pub rms_norm_eps: f64,
    /// Base of the rotary embedding's frequencies.
    pub rope_theta: f64,
    /// Whether the output projection is the embedding.
    pub tied: bool,
}

#[derive(Deserialize)]
struct RawConfig {
    model_type: Option<String>,
    hidden_size: Option<usize>,
    intermediate_size: Option<usize>,
    num_hidden_layers: Option<usize>,
    num_attention_heads: Option<usize>,
    num_key_value_heads: Option<usize>,
    head_dim: Option<usize>,
    vocab_size: Option<usize>,
    max_position_embeddings: Option<usize>,
    rms_norm_eps: Option<f64>,
    rope_theta: Option<f64>,
    rope_parameters: Option<RawRope>,
    rope_scaling: Option<RawRope>,
    tie_word_embeddings: Option<bool>,
    hidden_act: Option<String>,
    attention_bias: Option<bool>,
    mlp_bias: Option<bool>,
}

#[derive(Deserialize)]
struct RawRope {
    rope_theta: Option<f64>,
    #[serde(alias = "type")]
    rope_type: Option<String>,
}

impl RawRope {
    fn scaling(&self) -> Option<&str> {
        self.rope_type.as_deref().filter(|kind| *kind != "default")
    }
}

/// Largest value accepted for any dimension: far above every model this engine can hold, and small enough
/// that products of two dimensions cannot overflow.
const LARGEST_DIMENSION: usize = 1 << 24;

impl Config {
    /// Reads Hugging Face's `config.json`.
    ///
    /// # Errors
    ///
    /// [`ModelError::Config`] when the text is not JSON, a field is missing or inconsistent;
    /// [`ModelError::Unsupported`] when the model needs something this engine does not do.
    pub fn from_json(bytes: &[u8]) -> Result<Self, ModelError> {
        let raw: RawConfig = serde_json::from_slice(bytes)
            .map_err(|error| ModelError::Config(format!("config.json: {error}")))?;
        match raw.model_type.as_deref() {
            Some("llama") => {}
            Some(other) => {
                return Err(ModelError::Unsupported(format!("model_type `{other}`")));
            }
            None => {
                return Err(ModelError::Config("config.json has no `model_type`".into()));
            }
        }
        if let Some(act) = raw.hidden_act.as_deref().filter(|act| *act != "silu") {
            return Err(ModelError::Unsupported(format!("hidden_act `{act}`")));
        }
        if raw.attention_bias == Some(true) || raw.mlp_bias == Some(true) {
            return Err(ModelError::Unsupported(
                "biases in attention or feed-forward".into(),
            ));
        }
        let ropes = [raw.rope_parameters.as_ref(), raw.rope_scaling.as_ref()];
        if let Some(kind) = ropes.iter().flatten().find_map(|rope| rope.scaling()) {
            return Err(ModelError::Unsupported(format!("rope scaling `{kind}`")));
        }
        let need = |value: Option<usize>, name: &str| {
            value.ok_or_else(|| ModelError::Config(format!("config.json has no `{name}`")))
        };
        let d_model = need(raw.hidden_size, "hidden_size")?;
        let n_heads = need(raw.num_attention_heads, "num_attention_heads")?;
        Self {
            d_model,
            d_mlp: need(raw.intermediate_size, "intermediate_size")?,
            n_layers: need(raw.num_hidden_layers, "num_hidden_layers")?,
            n_heads,
            n_kv_heads: raw.num_key_value_heads.unwrap_or(n_heads),
            d_head: raw.head_dim.unwrap_or(d_model / n_heads.max(1)),
            vocabulary: need(raw.vocab_size, "vocab_size")?,
            context_length: raw.max_position_embeddings.unwrap_or(2048),
            rms_norm_eps: raw.rms_norm_eps.unwrap_or(1e-6),
            rope_theta: ropes
                .iter()
                .flatten()
                .find_map(|rope| rope.rope_theta)
                .or(raw.rope_theta)
                .unwrap_or(10_000.0),
            tied: raw.tie_word_embeddings.unwrap_or(false),
        }
        .checked()
    }

    /// Reads the metadata of a GGUF file; `tied` says that it has no `output.weight`.
    ///
    /// # Errors
    ///
    /// As [`Config::from_json`].
    pub fn from_gguf(metadata: &Metadata, tied: bool) -> Result<Self, ModelError> {
        let text = |key: &str| metadata.get(key).and_then(|value| value.as_str());
        match text("general.architecture") {
            Some("llama") => {}
            other => {
                return Err(ModelError::Unsupported(format!(
                    "GGUF architecture `{}`",
                    other.unwrap_or("(none)")
                )));
            }
        }
        if let Some(kind) = text("llama.rope.scaling.type").filter(|kind| *kind != "none") {
            return Err(ModelError::Unsupported(format!("rope scaling `{kind}`")));
        }
        let integer = |key: &str| {
            metadata
                .get(key)
                .and_then(|value| value.as_u64())
                .and_then(|value| usize::try_from(value).ok())
        };
        let need = |key: &str| {
            integer(key).ok_or_else(|| ModelError::Config(format!("GGUF metadata has no `{key}`")))
        };
        let float = |key: &str| metadata.get(key).and_then(|value| value.as_f64());
        let d_model = need("llama.embedding_length")?;
        let n_heads = need("llama.attention.head_count")?;
        let vocabulary = match integer("llama.vocab_size") {
            Some(size) => size,
            None => metadata
                .get("tokenizer.ggml.tokens")
                .and_then(|value| value.as_array())
                .map(|tokens| tokens.len())
                .ok_or_else(|| ModelError::Config("GGUF metadata has no vocabulary".into()))?,
        };
        let d_head = integer("llama.attention.key_length").unwrap_or(d_model / n_heads.max(1));
        if let Some(rotated) = integer("llama.rope.dimension_count").filter(|n| *n != d_head) {
            return Err(ModelError::Unsupported(format!(
                "rotary embedding over {rotated} of {d_head} dimensions"
            )));
        }
        Self {
            d_model,
            d_mlp: need("llama.feed_forward_length")?,
            n_layers: need("llama.block_count")?,
            n_heads,
            n_kv_heads: integer("llama.attention.head_count_kv").unwrap_or(n_heads),
            d_head,
            vocabulary,
            context_length: integer("llama.context_length").unwrap_or(2048),
            rms_norm_eps: float("llama.attention.layer_norm_rms_epsilon").unwrap_or(1e-5),
            rope_theta: float("llama.rope.freq_base").unwrap_or(10_000.0),
            tied,
        }
        .checked()
    }

    /// Parameters of the decoder, the tied embedding counted once.
    pub fn n_parameters(&self) -> usize {
        let attention = 2 * self.d_model * self.d_head * (self.n_heads + self.n_kv_heads);
        let feed_forward = 3 * self.d_model * self.d_mlp;
        let block = attention + feed_forward + 2 * self.d_model;
        let tables = if self.tied { 1 } else { 2 };
        self.n_layers * block + self.d_model + tables * self.vocabulary * self.d_model
    }

    fn checked(self) -> Result<Self, ModelError> {
        let dimensions = [
            ("d_model", self.d_model),
            ("d_mlp", self.d_mlp),
            ("n_layers", self.n_layers),
            ("n_heads", self.n_heads),
            ("n_kv_heads", self.n_kv_heads),
            ("d_head", self.d_head),
            ("vocabulary", self.vocabulary),
            ("context_length", self.context_length),
        ];
        for (name, value) in dimensions {
            if value == 0 || value > LARGEST_DIMENSION {
                return Err(ModelError::Config(format!("{name} is {value}")));
            }
        }
        if self.n_layers > 1024 {
            return Err(ModelError::Config(format!("n_layers is {}", self.n_layers)));
        }
        if !self.n_heads.is_multiple_of(self.n_kv_heads) {
            return Err(ModelError::Config(format!(
                "{} key/value heads do not divide {} heads",
                self.n_kv_heads, self.n_heads
            )));
        }
        if !self.d_head.is_multiple_of(2) {
            return Err(ModelError::Config(format!(
                "d_head is {}, and a rotary embedding needs an even one",
                self.d_head
            )));
        }
        for (name, value) in [
            ("rms_norm_eps", self.rms_norm_eps),
            ("rope_theta", self.rope_theta),
        ] {
            if !value.is_finite() || value <= 0.0 {
                return Err(ModelError::Config(format!("{name} is {value}")));
            }
        }
        Ok(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SMALL: &str = r#"{"model_type":"llama","hidden_size":8,"intermediate_size":12,
        "num_hidden_layers":2,"num_attention_heads":2,"vocab_size":10"#;

    #[test]
    fn reads_the_fields_and_fills_in_the_documented_defaults() {
        let config = Config::from_json(format!("{SMALL}}}").as_bytes()).unwrap();
        assert_eq!(
            (config.d_head, config.n_kv_heads, config.tied),
            (4, 2, false)
        );
        assert_eq!(config.rope_theta, 10_000.0);
    }

    #[test]
    fn the_newer_nested_rope_parameters_win() {
        let text = format!(
            r#"{SMALL},"rope_theta":1.0,"rope_parameters":{{"rope_theta":5e5,"rope_type":"default"}}}}"#
        );
        assert_eq!(Config::from_json(text.as_bytes()).unwrap().rope_theta, 5e5);
    }

    #[test]
    fn what_the_engine_does_not_do_is_refused_by_name() {
        for (extra, named) in [
            (r#""hidden_act":"gelu""#, "gelu"),
            (r#""mlp_bias":true"#, "biases"),
            (r#""rope_scaling":{"type":"yarn"}"#, "yarn"),
        ] {
            let error = Config::from_json(format!("{SMALL},{extra}}}").as_bytes()).unwrap_err();
            assert!(error.to_string().contains(named), "{error}");
        }
    }

    #[test]
    fn inconsistent_shapes_are_refused() {
        for extra in [
            r#""num_key_value_heads":0"#,
            r#""num_key_value_heads":3"#,
            r#""head_dim":3"#,
            r#""rms_norm_eps":-1.0"#,
            r#""max_position_embeddings":99999999999"#,
        ] {
            assert!(
                Config::from_json(format!("{SMALL},{extra}}}").as_bytes()).is_err(),
                "{extra}"
            );
        }
    }
}
