//! A Python snippet that applies a mask in Hugging Face transformers.

use std::fmt::Display;

use crate::model::Family;
use crate::pruning::{Mask, Operation};

/// The snippet with `{repo}`, `{layers}`, `{change}` and `{keeping}` to fill in; `tests/fixtures/apply_mask.py` runs it.
const TEMPLATE: &str = include_str!("snippet.py.txt");
/// What changes the output projection's weights: `{why}` and to what they are set, or by what multiplied (`{becomes}`).
const OF_WEIGHTS: &str = include_str!("snippet_weights.py.txt");
/// What puts `{means}` in the place of activations.
const OF_MEANS: &str = include_str!("snippet_means.py.txt");

/// The snippet for a mask. `repo` is the repository on the hub, or a local folder, of a model of `family`.
pub fn python_snippet(mask: &Mask, family: Family, repo: &str) -> String {
    let lists = mask.layers.iter();
    let layers = by_layer(lists.map(|layer| (layer.layer, layer.neurons.as_slice())));
    let repo = repo.replace('\\', "\\\\").replace('"', "\\\"");
    let (blocks, projection) = family.output_projection();
    let index = match family.is_output_projection_in_out() {
        true => "neurons",
        false => ":, neurons",
    };
    TEMPLATE
        .replace("{change}", change(mask).trim_end())
        .replace("{keeping}", keeping(mask.operation))
        .replace("{blocks}", blocks)
        .replace("{projection}", projection)
        .replace("{index}", index)
        .replace("{repo}", &repo)
        .replace("{layers}", &layers)
}

/// The part that changes what the neurons do.
fn change(mask: &Mask) -> String {
    match mask.operation {
        Operation::Zero => OF_WEIGHTS
            .replace(
                "{why}",
                "Nothing that these neurons compute reaches the residual stream: the same as activations of 0.",
            )
            .replace("{becomes}", "= 0"),
        Operation::Scale => {
            let factor = mask.factor.unwrap_or(1.0);
            let why = "What these neurons add to the residual stream is scaled: the same as scaled activations.";
            OF_WEIGHTS
                .replace("{why}", why)
                .replace("{becomes}", &format!("*= {factor}"))
        }
        Operation::Mean => {
            let layers = mask.layers.iter();
            let means = layers.filter_map(|layer| Some((layer.layer, layer.means.as_deref()?)));
            OF_MEANS.replace("{means}", &by_layer(means))
        }
    }
}

/// How the changed model is kept.
fn keeping(operation: Operation) -> &'static str {
    match operation {
        Operation::Zero | Operation::Scale => {
            r#"# model.save_pretrained("pruned")  keeps the pruned model."#
        }
        Operation::Mean => {
            "# model.save_pretrained would leave the hooks out: run this snippet again instead."
        }
    }
}

/// Lines `layer: [values],` of a Python dictionary.
fn by_layer<'a, T: Display + 'a>(layers: impl Iterator<Item = (usize, &'a [T])>) -> String {
    let line = |(layer, values): (usize, &[T])| {
        let values: Vec<String> = values.iter().map(T::to_string).collect();
        format!("    {layer}: [{}],", values.join(", "))
    };
    layers.map(line).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Site;
    use crate::pruning::Change;

    #[test]
    fn the_snippet_names_the_model_and_every_neuron() {
        let mask = Mask::of_layer(Site::Post, 3, [7, 2]);
        let snippet = python_snippet(&mask, Family::Llama, "owner/name");
        assert!(snippet.contains("\"owner/name\"") && snippet.contains("3: [2, 7],"));
        assert!(snippet.contains("model.model.layers[layer].mlp.down_proj.weight[:, neurons] = 0"));
        assert_filled(&snippet);
    }

    /// Nothing is left to fill in.
    fn assert_filled(snippet: &str) {
        for name in [
            "repo",
            "layers",
            "change",
            "keeping",
            "blocks",
            "projection",
            "index",
            "why",
            "becomes",
            "means",
        ] {
            assert!(!snippet.contains(&format!("{{{name}}}")), "{name}");
        }
    }

    #[test]
    fn a_scaled_neurons_weights_are_scaled() {
        let mask = Mask::of_layer(Site::Post, 3, [7, 2]);
        let mask = mask.by(Change::Scale(-0.25)).unwrap();
        let snippet = python_snippet(&mask, Family::Llama, "owner/name");
        assert!(
            snippet.contains("model.model.layers[layer].mlp.down_proj.weight[:, neurons] *= -0.25")
        );
        assert_filled(&snippet);
    }

    #[test]
    fn means_take_the_place_of_activations_in_the_order_of_their_neurons() {
        let text = r#"{"operation":"mean","site":"post","layers":[{"layer":3,"neurons":[2,7],"means":[0.5,-1.25e-8]}]}"#;
        let mask: Mask = serde_json::from_str(text).unwrap();
        let snippet = python_snippet(&mask, Family::GptNeox, "owner/name");
        assert!(
            snippet.contains("    3: [2, 7],") && snippet.contains("    3: [0.5, -0.0000000125],")
        );
        let hooked = "model.gpt_neox.layers[layer].mlp.dense_4h_to_h.register_forward_pre_hook(";
        assert!(snippet.contains(hooked), "{snippet}");
        assert!(!snippet.contains("weight["));
        assert_filled(&snippet);
    }

    #[test]
    fn a_neuron_of_gpt_2_is_a_row_of_its_output_projection() {
        let mask = Mask::of_layer(Site::Post, 0, [1]);
        let snippet = python_snippet(&mask, Family::Gpt2, "gpt2");
        assert!(snippet.contains("model.transformer.h[layer].mlp.c_proj.weight[neurons] = 0"));
    }
}
