//! A Python snippet that applies a mask in Hugging Face transformers.

use crate::model::Family;
use crate::pruning::Mask;

/// The snippet with `{repo}`, `{layers}`, `{blocks}`, `{projection}` and `{index}` to fill in;
/// `tests/fixtures/apply_mask.py` runs it.
const TEMPLATE: &str = include_str!("snippet.py.txt");

/// The snippet for a mask. `repo` is the repository on the hub, or a local folder, of a model of `family`.
pub fn python_snippet(mask: &Mask, family: Family, repo: &str) -> String {
    let layers: Vec<String> = mask
        .layers
        .iter()
        .map(|layer| {
            let neurons: Vec<String> = layer.neurons.iter().map(usize::to_string).collect();
            format!("    {}: [{}],", layer.layer, neurons.join(", "))
        })
        .collect();
    let repo = repo.replace('\\', "\\\\").replace('"', "\\\"");
    let (blocks, projection) = family.output_projection();
    let index = match family.is_output_projection_in_out() {
        true => "neurons",
        false => ":, neurons",
    };
    TEMPLATE
        .replace("{blocks}", blocks)
        .replace("{projection}", projection)
        .replace("{index}", index)
        .replace("{repo}", &repo)
        .replace("{layers}", &layers.join("\n"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Site;

    #[test]
    fn the_snippet_names_the_model_and_every_neuron() {
        let mask = Mask::of_layer(Site::Post, 3, [7, 2]);
        let snippet = python_snippet(&mask, Family::Llama, "owner/name");
        assert!(snippet.contains("\"owner/name\"") && snippet.contains("3: [2, 7],"));
        assert!(snippet.contains("model.model.layers[layer].mlp.down_proj.weight[:, neurons] = 0"));
        let left = ["{layers}", "{repo}", "{blocks}", "{projection}", "{index}"];
        assert!(!left.iter().any(|place| snippet.contains(place)));
    }

    #[test]
    fn a_neuron_of_gpt_2_is_a_row_of_its_output_projection() {
        let mask = Mask::of_layer(Site::Post, 0, [1]);
        let snippet = python_snippet(&mask, Family::Gpt2, "gpt2");
        assert!(snippet.contains("model.transformer.h[layer].mlp.c_proj.weight[neurons] = 0"));
    }
}
