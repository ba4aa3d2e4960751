//! A Python snippet that applies a mask in Hugging Face transformers.

use crate::pruning::Mask;

/// The snippet with `{repo}` and `{layers}` to fill in; `tests/fixtures/apply_mask.py` runs it.
const TEMPLATE: &str = include_str!("snippet.py.txt");

/// The snippet for a mask. `repo` is the model's repository on the hub, or a local folder.
pub fn python_snippet(mask: &Mask, repo: &str) -> String {
    let layers: Vec<String> = mask
        .layers
        .iter()
        .map(|layer| {
            let neurons: Vec<String> = layer.neurons.iter().map(usize::to_string).collect();
            format!("    {}: [{}],", layer.layer, neurons.join(", "))
        })
        .collect();
    let repo = repo.replace('\\', "\\\\").replace('"', "\\\"");
    TEMPLATE
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
        let snippet = python_snippet(&mask, "owner/name");
        assert!(snippet.contains("\"owner/name\"") && snippet.contains("3: [2, 7],"));
        assert!(!snippet.contains("{layers}") && !snippet.contains("{repo}"));
    }
}
