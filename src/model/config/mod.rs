//! What a decoder looks like, read from `config.json` or from GGUF metadata.
//!
//! `raw` mirrors `config.json`, full of options, and `gguf` reads metadata into the same form; a family makes of it a
//! [`Config`], the strict form that the decoder is built from. What this engine does not implement is refused, by name.
//! `size` says what a model takes.

mod gguf;
pub(super) mod raw;
mod size;

use super::ModelError;
use super::family::Family;
use super::family::list::Weights;
use crate::weights::gguf::{Metadata, Value};
pub use gguf::Stored;
use raw::RawConfig;

/// Shape and constants of a decoder.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// Its family.
    pub family: Family,
    /// Which weights there are: a decoder has the parts that are listed.
    pub(super) weights: &'static Weights,
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
    /// Which norm.
    pub norm: NormKind,
    /// Epsilon inside the norms.
    pub norm_eps: f64,
    /// The rotary embedding; without one, positions are learned and added to the embedding.
    pub rope: Option<Rope>,
    /// Layers that see only so far back.
    pub local: Option<LocalAttention>,
    /// Factor on the products of queries and keys.
    pub attention_scale: f64,
    /// Whether queries, keys and values have a bias.
    pub qkv_bias: bool,
    /// Whether attention's output projection has a bias.
    pub attention_output_bias: bool,
    /// Whether the feed-forward layer reads the same residual stream as attention.
    pub parallel_residual: bool,
    /// The feed-forward layer's activation function.
    pub activation: Activation,
    /// Whether the feed-forward layer's projections have a bias.
    pub mlp_bias: bool,
    /// Factor on the embeddings.
    pub embedding_scale: f64,
    /// Whether the output projection is the embedding.
    pub tied: bool,
    /// Bound `c` of the logits, which become `c · tanh(logit / c)`.
    pub logit_softcap: Option<f64>,
}

/// How a residual stream is normed before a projection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NormKind {
    /// `x / sqrt(mean(x²) + eps) · w` (Zhang and Sennrich, 2019).
    Rms,
    /// `(x − mean) / sqrt(var + eps) · w + b` (Ba et al., 2016).
    Layer,
}

pub use crate::kernels::Activation;

/// An activation function by its name in `config.json` (`ACT2FN` of transformers), or the family's `own` where that names
/// none.
pub(super) fn activation_named_or(
    name: Option<&str>,
    own: Activation,
) -> Result<Activation, ModelError> {
    match name {
        None => Ok(own),
        Some("silu" | "swish") => Ok(Activation::Silu),
        Some("gelu") => Ok(Activation::Gelu),
        Some("gelu_new" | "gelu_pytorch_tanh") => Ok(Activation::GeluTanh),
        Some(other) => Err(ModelError::Unsupported(format!(
            "activation function `{other}`"
        ))),
    }
}

/// Rotary position embedding (Su et al., 2021) in the half-split layout of transformers' `rotate_half`.
#[derive(Debug, Clone, PartialEq)]
pub struct Rope {
    /// How many of a head's first dimensions are rotated.
    pub dimensions: usize,
    /// Base of the frequencies.
    pub theta: f64,
    /// How the frequencies were changed for longer contexts.
    pub scaling: RopeScaling,
}

/// Changes to the frequencies of a rotary embedding (`modeling_rope_utils.py` of transformers).
#[derive(Debug, Clone, PartialEq)]
pub enum RopeScaling {
    /// None.
    None,
    /// All divided by a factor.
    Linear(f64),
    /// Llama 3.1's: long wavelengths divided by `factor`, short ones left, those between blended.
    Llama3 {
        /// Divisor of the lowest frequencies.
        factor: f64,
        /// Wavelengths above `original_context / low_freq_factor` are divided in full.
        low_freq_factor: f64,
        /// Wavelengths below `original_context / high_freq_factor` are left.
        high_freq_factor: f64,
        /// Context that the model was first trained with, in tokens.
        original_context: f64,
    },
    /// A divisor for each frequency, as llama.cpp stores it.
    Factors(Vec<f32>),
}

impl Rope {
    /// Angle per position of each rotated pair, `[dimensions / 2]`.
    pub fn frequencies(&self) -> Vec<f64> {
        use std::f64::consts::TAU;
        let plain = (0..self.dimensions / 2)
            .map(|i| self.theta.powf(-2.0 * i as f64 / self.dimensions as f64));
        match &self.scaling {
            RopeScaling::None => plain.collect(),
            RopeScaling::Linear(factor) => plain.map(|frequency| frequency / factor).collect(),
            RopeScaling::Factors(factors) => plain
                .zip(factors)
                .map(|(frequency, &factor)| frequency / f64::from(factor))
                .collect(),
            &RopeScaling::Llama3 {
                factor,
                low_freq_factor,
                high_freq_factor,
                original_context,
            } => plain
                .map(|frequency| {
                    let turns = original_context * frequency / TAU;
                    let kept = (turns - low_freq_factor) / (high_freq_factor - low_freq_factor);
                    let kept = kept.clamp(0.0, 1.0);
                    (1.0 - kept) * frequency / factor + kept * frequency
                })
                .collect(),
        }
    }
}

/// Sliding-window attention in some layers.
#[derive(Debug, Clone, PartialEq)]
pub struct LocalAttention {
    /// Positions that a query sees, its own among them.
    pub window: usize,
    /// Which layers have it.
    pub layers: Vec<bool>,
    /// Their rotary embedding.
    pub rope: Rope,
}

/// Largest value accepted for any dimension: far above every model this engine can hold, and small enough
/// that a model's parameters can be counted in 64 bits.
const LARGEST_DIMENSION: usize = 1 << 24;

/// Most layers of a model.
pub const MAX_LAYERS: usize = 1024;

impl Default for Config {
    /// What the families have in common, with every dimension zero.
    fn default() -> Self {
        Self {
            family: Family::Llama,
            weights: Family::Llama.weights(),
            d_model: 0,
            d_mlp: 0,
            n_layers: 0,
            n_heads: 0,
            n_kv_heads: 0,
            d_head: 0,
            vocabulary: 0,
            context_length: 0,
            norm: NormKind::Rms,
            norm_eps: 1e-6,
            rope: None,
            local: None,
            attention_scale: 1.0,
            qkv_bias: false,
            attention_output_bias: false,
            parallel_residual: false,
            activation: Activation::Silu,
            mlp_bias: false,
            embedding_scale: 1.0,
            tied: false,
            logit_softcap: None,
        }
    }
}

impl Config {
    /// Reads Hugging Face's `config.json`.
    ///
    /// # Errors
    ///
    /// [`ModelError::Config`] when the text is not JSON, a field is missing or inconsistent;
    /// [`ModelError::Unsupported`] when the model needs something this engine does not do.
    pub fn from_json(bytes: &[u8]) -> Result<Self, ModelError> {
        let raw = RawConfig::from_json(bytes)?;
        let model_type = raw
            .model_type
            .clone()
            .ok_or_else(|| ModelError::Config("config.json has no `model_type`".into()))?;
        let family = Family::of_model_type(&model_type)
            .ok_or_else(|| ModelError::Unsupported(format!("model_type `{model_type}`")))?;
        family.config(&raw)?.checked()
    }

    /// Reads the metadata of a GGUF file, and what its tensors say.
    ///
    /// # Errors
    ///
    /// As [`Config::from_json`].
    pub fn from_gguf(metadata: &Metadata, stored: &Stored) -> Result<Self, ModelError> {
        let architecture = metadata
            .get("general.architecture")
            .and_then(Value::as_str)
            .unwrap_or("(none)");
        let family = Family::of_architecture(architecture).ok_or_else(|| {
            ModelError::Unsupported(format!("GGUF architecture `{architecture}`"))
        })?;
        let raw = gguf::read(metadata, architecture, stored)?;
        let config = family.config(&raw)?;
        let windowed = raw
            .sliding_window
            .is_some_and(|window| window < config.context_length);
        if windowed && config.local.is_none() && family != Family::Gemma3 {
            return Err(ModelError::Unsupported(format!(
                "`{architecture}.attention.sliding_window`, which the GGUF file's metadata has"
            )));
        }
        Self {
            qkv_bias: config.qkv_bias || stored.qkv_bias,
            attention_output_bias: config.attention_output_bias || stored.attention_output_bias,
            mlp_bias: config.mlp_bias || stored.mlp_bias,
            ..config
        }
        .checked()
    }

    /// Whether a layer sees only [`LocalAttention::window`] positions.
    pub fn is_local(&self, layer: usize) -> bool {
        let local = self.local.as_ref();
        local.is_some_and(|local| local.layers.get(layer) == Some(&true))
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
        // On a machine of 32 bits the product of two dimensions is more than it counts to.
        let width = self.n_heads as u64 * self.d_head as u64;
        if width > LARGEST_DIMENSION as u64 {
            return Err(ModelError::Config(format!(
                "{} heads of width {}",
                self.n_heads, self.d_head
            )));
        }
        if self.n_layers > MAX_LAYERS {
            return Err(ModelError::Config(format!("n_layers is {}", self.n_layers)));
        }
        if !self.n_heads.is_multiple_of(self.n_kv_heads) {
            return Err(ModelError::Config(format!(
                "{} key/value heads do not divide {} heads",
                self.n_kv_heads, self.n_heads
            )));
        }
        for (name, value) in [
            ("the norms' epsilon", self.norm_eps),
            ("attention_scale", self.attention_scale),
            ("embedding_scale", self.embedding_scale),
        ] {
            if !value.is_finite() || value <= 0.0 {
                return Err(ModelError::Config(format!("{name} is {value}")));
            }
        }
        if let Some(cap) = self
            .logit_softcap
            .filter(|cap| !cap.is_finite() || *cap <= 0.0)
        {
            return Err(ModelError::Config(format!(
                "final_logit_softcapping is {cap}"
            )));
        }
        let local = self.local.as_ref();
        if local.is_some_and(|local| local.window == 0 || local.layers.len() != self.n_layers) {
            return Err(ModelError::Config(format!(
                "the kinds of attention are not given for {} layers",
                self.n_layers
            )));
        }
        for rope in self.rope.iter().chain(local.map(|local| &local.rope)) {
            rope.check(self.d_head)?;
        }
        Ok(self)
    }
}

impl Rope {
    fn check(&self, d_head: usize) -> Result<(), ModelError> {
        if !self.dimensions.is_multiple_of(2) || self.dimensions == 0 || self.dimensions > d_head {
            return Err(ModelError::Config(format!(
                "a rotary embedding over {} of {d_head} dimensions",
                self.dimensions
            )));
        }
        if !self.theta.is_finite() || self.theta <= 0.0 {
            return Err(ModelError::Config(format!("rope_theta is {}", self.theta)));
        }
        if let RopeScaling::Factors(factors) = &self.scaling
            && (factors.len() != self.dimensions / 2
                || !factors
                    .iter()
                    .all(|factor| factor.is_finite() && *factor > 0.0))
        {
            return Err(ModelError::Config(format!(
                "{} factors of the rotary frequencies, or one that is no number above zero",
                factors.len()
            )));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SMALL: &str = r#"{"model_type":"llama","hidden_size":8,"intermediate_size":12,
        "num_hidden_layers":2,"num_attention_heads":2,"vocab_size":10"#;

    fn small(extra: &str) -> Result<Config, ModelError> {
        Config::from_json(format!("{SMALL}{extra}}}").as_bytes())
    }

    fn rope_of(extra: &str) -> Rope {
        small(extra).unwrap().rope.unwrap()
    }

    #[test]
    fn reads_the_fields_and_fills_in_the_documented_defaults() {
        let config = small("").unwrap();
        assert_eq!(
            (config.d_head, config.n_kv_heads, config.tied),
            (4, 2, false)
        );
        let rope = config.rope.unwrap();
        assert_eq!((rope.dimensions, rope.theta), (4, 10_000.0));
    }

    #[test]
    fn the_newer_nested_rope_parameters_win() {
        let rope = rope_of(
            r#","rope_theta":1.0,"rope_parameters":{"rope_theta":5e5,"rope_type":"default"}"#,
        );
        assert_eq!(rope.theta, 5e5);
    }

    #[test]
    fn rotary_settings_of_both_versions_that_agree_are_read_and_others_refused() {
        let llama3 = |factor: &str| {
            format!(
                r#"{{"rope_type":"llama3","factor":{factor},"low_freq_factor":1,"high_freq_factor":4,
                "original_max_position_embeddings":64}}"#
            )
        };
        let both = |old: &str, new: &str| {
            format!(
                r#","rope_scaling":{},"rope_parameters":{}"#,
                llama3(old),
                llama3(new)
            )
        };
        let expected = rope_of(&format!(r#","rope_scaling":{}"#, llama3("8.0")));
        assert_eq!(rope_of(&both("8", "8.0")), expected);
        assert_eq!(rope_of(&both("8.0", "8")), expected);
        let error = small(&both("8", "9")).unwrap_err().to_string();
        assert!(error.contains("differ in `factor`"), "{error}");
    }

    /// `standardize_rope_params` of transformers 5.
    #[test]
    fn llama_3_without_its_original_length_takes_what_the_model_sees() {
        let scaling =
            r#""rope_type":"llama3","factor":8.0,"low_freq_factor":1.0,"high_freq_factor":4.0"#;
        let original = |extra: &str| match rope_of(extra).scaling {
            RopeScaling::Llama3 {
                original_context, ..
            } => original_context,
            other => panic!("{other:?}"),
        };
        let nested = format!(r#","max_position_embeddings":64,"rope_scaling":{{{scaling}}}"#);
        assert_eq!(original(&nested), 64.0);
        assert_eq!(
            original(&format!(r#","rope_scaling":{{{scaling}}}"#)),
            2048.0
        );
        let beside = format!(r#"{nested},"original_max_position_embeddings":32"#);
        assert_eq!(original(&beside), 32.0);
    }

    /// Of these families only GPT-NeoX rotates a part of a head, in transformers 5.
    #[test]
    fn only_a_family_that_rotates_a_share_of_a_head_asks_for_it() {
        let share =
            r#","partial_rotary_factor":0.5,"rope_parameters":{"partial_rotary_factor":0.5}"#;
        assert_eq!(rope_of(share).dimensions, 4);
        let neox = |extra: &str| {
            let config = SMALL.replace("llama", "gpt_neox").replace(":8,", ":32,");
            let config = Config::from_json(format!("{config}{extra}}}").as_bytes());
            config.map(|config| config.rope.unwrap().dimensions)
        };
        assert_eq!(neox("").unwrap(), 4);
        assert_eq!(neox(r#","rotary_pct":0.5"#).unwrap(), 8);
        assert_eq!(neox(share).unwrap(), 8);
        for wrong in ["1.5", "-1", "0"] {
            assert!(neox(&format!(r#","rotary_pct":{wrong}"#)).is_err());
        }
        let text = neox(r#","rope_parameters":{"partial_rotary_factor":"0.5"}"#);
        assert!(
            text.unwrap_err()
                .to_string()
                .contains("`partial_rotary_factor`")
        );
    }

    #[test]
    fn llama_3_divides_long_wavelengths_and_leaves_short_ones() {
        let rope = Rope {
            dimensions: 64,
            ..rope_of(
                r#","rope_scaling":{"rope_type":"llama3","factor":32.0,"low_freq_factor":1.0,
                "high_freq_factor":4.0,"original_max_position_embeddings":8192},"rope_theta":5e5"#,
            )
        };
        let plain = Rope {
            scaling: RopeScaling::None,
            ..rope.clone()
        };
        let (scaled, plain) = (rope.frequencies(), plain.frequencies());
        assert_eq!(scaled[0], plain[0]);
        assert_eq!(scaled[31], plain[31] / 32.0);
        assert!(
            scaled
                .iter()
                .zip(&plain)
                .all(|(a, b)| a <= b && *a >= b / 32.0)
        );
        let blended = |(a, b): (&f64, &f64)| a < b && *a > b / 32.0;
        assert!(scaled.iter().zip(&plain).any(blended));
    }

    #[test]
    fn what_the_engine_does_not_do_is_refused_by_name() {
        for (extra, named) in [
            (r#","hidden_act":"relu""#, "relu"),
            (
                r#","final_logit_softcapping":30.0"#,
                "final_logit_softcapping",
            ),
            (r#","is_causal":false"#, "is_causal: false"),
            (
                r#","quantization_config":{"quant_method":"gptq","bits":4}"#,
                "quantised by gptq",
            ),
            (
                r#","quantization":{"group_size":64,"bits":4}"#,
                "quantised by MLX",
            ),
            (r#","rope_scaling":{"type":"yarn"}"#, "yarn"),
            (r#","rope_scaling":"yarn""#, "`rope_scaling`"),
            (r#","rope_parameters":[5e5]"#, "`rope_parameters`"),
            (r#","rope_parameters":{"rope_type":5}"#, "`rope_type`"),
            (
                r#","rope_parameters":{"rope_theta":"500000"}"#,
                "`rope_theta`",
            ),
            (r#","layer_types":["linear_attention"]"#, "linear_attention"),
            (
                r#","layer_types":["full_attention","full_attention","full_attention","full_attention","full_attention"]"#,
                "`layer_types` names 5",
            ),
            (
                r#","rope_parameters":{"rope_type":"default"},"rope_scaling":{"rope_type":"linear","factor":4.0}"#,
                "`rope_scaling` and `rope_parameters`",
            ),
        ] {
            let error = small(extra).unwrap_err();
            assert!(error.to_string().contains(named), "{error}");
        }
        let other = br#"{"model_type":"mamba"}"#;
        assert!(
            Config::from_json(other)
                .unwrap_err()
                .to_string()
                .contains("mamba")
        );
    }

    #[test]
    fn a_configuration_of_many_megabytes_is_refused_before_it_is_read() {
        let zeros = "0,".repeat(1 << 20);
        let error = small(&format!(r#","rope_parameters":[{zeros}0]"#)).unwrap_err();
        assert!(
            error.to_string().contains("at most 1048576 are read"),
            "{error}"
        );
    }

    #[test]
    fn the_parameters_of_the_largest_configuration_are_counted() {
        let largest = r#"{"model_type":"llama","hidden_size":16777216,"intermediate_size":16777216,
            "num_hidden_layers":1024,"num_attention_heads":16777216,"head_dim":1,"vocab_size":16777216}"#;
        let mut largest: serde_json::Value = serde_json::from_str(largest).unwrap();
        let config = |value: &serde_json::Value| Config::from_json(value.to_string().as_bytes());
        assert!(
            config(&largest).is_err(),
            "a head of one dimension cannot be rotated"
        );
        largest["head_dim"] = 2.into();
        largest["num_attention_heads"] = 8_388_608.into();
        let parameters = config(&largest).unwrap().n_parameters();
        // Seven squares of 2^24 a layer: queries, keys, values and output, and the feed-forward layer's three.
        assert!(parameters > 1024 * 7 * (1 << 48));
    }

    #[test]
    fn inconsistent_shapes_are_refused() {
        for extra in [
            r#","num_key_value_heads":0"#,
            r#","num_key_value_heads":3"#,
            r#","head_dim":3"#,
            r#","rms_norm_eps":-1.0"#,
            r#","max_position_embeddings":99999999999"#,
            r#","head_dim":16777216"#,
        ] {
            assert!(small(extra).is_err(), "{extra}");
        }
    }
}
