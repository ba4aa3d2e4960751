//! The target `choice_logprob`, and what is reported of the paper's released code, against PyTorch in float64.

use secateur::attribution::settings::LayerScale;
use secateur::attribution::{IntegrationPath, quadrature::Quadrature};
use secateur::items::Item;

use super::*;

const FOLDERS: [&str; 3] = ["tiny-llama3", "tiny-qwen2", "tiny-gpt2"];
/// Of a value, in nats.
const CLOSE: f64 = 2e-5;
/// Of a score, relative to the layer's largest.
const RELATIVE: f64 = 1e-4;
/// Of an effect, in nats: it is a difference of two values.
const OF_DIFFERENCE: f64 = 5e-6;
/// Of a score that has no such difference in it.
const OF_SCORE: f64 = 1e-7;

#[derive(Deserialize)]
struct Reference {
    nodes: usize,
    items: Vec<ReferenceItem>,
}

#[derive(Deserialize)]
struct ReferenceItem {
    context: String,
    choices: Vec<String>,
    gold: usize,
    ids: Vec<u32>,
    predicted: usize,
    choice_logprob: f64,
}

/// A model of a family with the reference's items.
struct Bench {
    folder: &'static str,
    model: Model,
    nodes: usize,
    items: Vec<Item>,
    values: Vec<f64>,
}

impl Bench {
    fn new(folder: &'static str) -> Self {
        let Reference { nodes, items } = json(&format!("{folder}/targets.json"));
        let model = model(folder);
        let as_item = |(index, item): (usize, &ReferenceItem)| Item {
            id: index.to_string(),
            context: item.context.clone(),
            choices: item.choices.clone(),
            gold: item.gold,
        };
        let bench = Self {
            folder,
            model,
            nodes,
            values: items.iter().map(|item| item.choice_logprob).collect(),
            items: items.iter().enumerate().map(as_item).collect(),
        };
        let encoded = encode(&bench.model, &bench.items, &plain()).unwrap();
        let lengths = encoded[0].choices.iter().map(Vec::len);
        assert!(
            lengths.max() > Some(1),
            "{folder}: no choice of several tokens"
        );
        for ((encoded, item), scored) in encoded.iter().zip(&items).zip(&bench.scores().items) {
            assert_eq!(encoded.prompt, item.ids);
            assert_eq!(scored.predicted, item.predicted);
        }
        bench
    }

    fn scores(&self) -> scoring::SetScores {
        scored(&self.model, &self.items, &plain(), &Edit::none()).unwrap()
    }

    fn attributed(&self, settings: &Settings) -> Attribution {
        let (prompts, named) = (plain(), ("set", self.items.as_slice()));
        let scores = self.scores().items;
        let found = attribute(&self.model, named, &prompts, &scores, settings, job());
        wait(found).unwrap()
    }

    /// Every item's scores, layer by layer, relative to the layer's largest.
    fn compare(&self, found: &Attribution, name: impl Fn(usize) -> String) {
        let least = match found.settings.method {
            Method::Ablation => OF_DIFFERENCE,
            _ => OF_SCORE,
        };
        let golden = tensors(&format!("{}/targets.safetensors", self.folder));
        for (index, scores) in found.per_item.iter().enumerate() {
            let name = name(index);
            same(
                scores,
                &golden[&name],
                (found.d_mlp, least),
                &format!("{} {name}", self.folder),
            );
        }
    }
}

fn same(found: &[f32], expected: &[f32], (d_mlp, least): (usize, f64), what: &str) {
    for (found, expected) in found.chunks(d_mlp).zip(expected.chunks(d_mlp)) {
        let largest = expected.iter().fold(0f32, |max, x| max.max(x.abs()));
        assert_close(found, expected, RELATIVE * f64::from(largest) + least, what);
    }
}

fn of_choice(method: Method, positions: Positions, nodes: usize) -> Settings {
    let fast = Settings {
        steps: nodes,
        rule: Quadrature::Middle,
        target: TargetKind::ChoiceLogprob,
        ..Settings::preset("fast").unwrap()
    };
    Settings {
        positions,
        confidence_threshold: 0.0,
        ..fast.by(method)
    }
}

fn named(positions: Positions) -> &'static str {
    match positions {
        Positions::Last => "last",
        Positions::All => "all",
    }
}

#[test]
fn a_whole_choice_s_share_is_explained_as_pytorch_has_it() {
    for folder in FOLDERS {
        let bench = Bench::new(folder);
        for positions in [Positions::Last, Positions::All] {
            for method in [
                Method::IntegratedGradients,
                Method::GradientTimesActivation,
                Method::Relp,
                Method::Ablation,
            ] {
                let found = bench.attributed(&of_choice(method, positions, bench.nodes));
                let positions = named(positions);
                bench.compare(&found, |item| format!("item{item}.{positions}.{method}"));
                let texts: Vec<&str> = found.items_used.iter().map(|item| &*item.target).collect();
                let scored = bench.scores();
                for (text, item) in texts.iter().zip(&scored.items) {
                    assert_eq!(text.trim(), item.choices[item.predicted].text, "{folder}");
                }
            }
        }
    }
}

/// The value that is explained is the one that scoring gives, by the choices' log-likelihoods; and steps enough add up to it.
#[test]
fn a_whole_choice_s_share_is_complete_on_either_path() {
    for folder in FOLDERS {
        let bench = Bench::new(folder);
        let shares: Vec<f64> = bench
            .scores()
            .items
            .iter()
            .map(|item| item.confidence.ln())
            .collect();
        assert_close(&shares, &bench.values, CLOSE, folder);
        for path in [IntegrationPath::PerLayer, IntegrationPath::Joint] {
            let settings = Settings {
                path,
                steps: 64,
                rule: Quadrature::GaussLegendre,
                ..of_choice(Method::IntegratedGradients, Positions::Last, 64)
            };
            for gap in bench.attributed(&settings).gaps {
                assert!(
                    gap.gap < 1e-3 * gap.difference.max(0.01),
                    "{folder} {gap:?}"
                );
            }
        }
    }
}

/// Choices of one token each need no run of their own: what a neuron's loss does to the share is what scoring says.
#[test]
fn choices_of_one_token_are_read_off_the_prompt_alone() {
    let (model, prompts) = (model(FOLDER), plain());
    let words = |words: &[&str]| words.iter().map(|&word| word.to_owned()).collect();
    let item = |id: &str, context: &str, choices: &[&str], gold| Item {
        id: id.to_owned(),
        context: context.to_owned(),
        choices: words(choices),
        gold,
    };
    let items = [
        item("0", "the cat sees a", &["fish", "river", "tree"], 0),
        item("1", "what is the dog ?", &["big", "red"], 1),
    ];
    let scores = |items: &[Item], edit: &Edit| scored(&model, items, &prompts, edit).unwrap().items;
    let before = scores(&items, &Edit::none());
    let encoded = encode(&model, &items, &prompts).unwrap();
    let mut choices = encoded.iter().flat_map(|item| &item.choices);
    assert!(choices.all(|choice| choice.len() == 1));
    let settings = of_choice(Method::Ablation, Positions::All, 1);
    let named = ("set", items.as_slice());
    let found = wait(attribute(
        &model,
        named,
        &prompts,
        &before,
        &settings,
        job(),
    ))
    .unwrap();
    for (item, before) in before.iter().enumerate() {
        for (layer, neuron) in [(0, 3), (1, 7), (2, 20)] {
            let mut factors = vec![1f32; found.d_mlp];
            factors[neuron] = 0.0;
            let device = model.decoder.device();
            let factors = Tensor::from_data(TensorData::new(factors, [found.d_mlp]), device);
            let after = &scores(&items[item..=item], &Edit::scaling(layer, factors))[0];
            let share = |of: &scoring::ItemScore| {
                let sums: Vec<f64> = of.choices.iter().map(|c| c.log_likelihood).collect();
                sums[before.predicted] - scoring::metrics::log_sum_exp(&sums)
            };
            let expected = share(before) - share(after);
            let effect = f64::from(found.per_item[item][layer * found.d_mlp + neuron]);
            assert!((effect - expected).abs() < 1e-5, "{effect}, {expected}");
        }
    }
}

/// Prompts of one length run together, whatever their choices: what one of them lacks is nobody's.
#[test]
fn items_with_other_choices_are_explained_together_as_alone() {
    let (model, prompts) = (model(FOLDER), plain());
    let choices = [
        vec!["fish", "the old river", "a tree"],
        vec!["a very small garden", "not"],
    ];
    let items: Vec<Item> = choices
        .iter()
        .enumerate()
        .map(|(index, choices)| Item {
            id: index.to_string(),
            context: "the cat sees a".to_owned(),
            choices: choices.iter().map(|&choice| choice.to_owned()).collect(),
            gold: 0,
        })
        .collect();
    let per_item = |items: &[Item], settings: &Settings| {
        let named = ("set", items);
        let scores = scored(&model, items, &prompts, &Edit::none());
        let scores = scores.unwrap().items;
        let found = attribute(&model, named, &prompts, &scores, settings, job());
        wait(found).unwrap().per_item
    };
    for method in [
        Method::IntegratedGradients,
        Method::ClampedGradients,
        Method::Relp,
    ] {
        let settings = of_choice(method, Positions::All, 4);
        let together = per_item(&items, &settings);
        for (item, found) in together.iter().enumerate() {
            let alone = per_item(&items[item..=item], &settings);
            assert_close(found, &alone[0], 1e-5, &format!("{method}, item {item}"));
        }
    }
}

/// A word of the prompt is one word, however many choices are put behind it.
#[test]
fn salience_is_the_change_of_a_whole_choice_s_share_along_each_token_s_embedding() {
    let bench = Bench::new("tiny-qwen2");
    let decoder = &bench.model.decoder;
    let settings = of_choice(Method::IntegratedGradients, Positions::All, 1);
    let scores = bench.scores().items;
    let (item, score) = (&bench.items[0], &scores[0]);
    let found = wait(salience(
        &bench.model,
        item,
        &plain(),
        score,
        &settings,
        job(),
    ))
    .unwrap();
    let encoded = encode(&bench.model, &bench.items[..1], &plain())
        .unwrap()
        .remove(0);
    let share = |scales: &[f32]| {
        let sums = encoded.choices.iter().map(|choice| {
            let (last, before) = choice.split_last().unwrap();
            let ids = [&encoded.prompt[..], before].concat();
            let embedded = decoder.embed(&[&ids], 0, None).unwrap();
            let mut scales = scales.to_vec();
            scales.resize(ids.len(), 1.0);
            let scales = TensorData::new(scales, [1, ids.len(), 1]);
            let scaled = embedded * Tensor::<3>::from_data(scales, decoder.device());
            let run = wait(decoder.run_embedded(scaled, job())).unwrap();
            let read = decoder.final_norm(run.last_resids(choice.len()));
            let predicted = [before, &[*last]].concat();
            let tokens = host(decoder.log_probabilities(read, &predicted).unwrap());
            tokens.into_iter().map(f64::from).sum::<f64>()
        });
        let sums: Vec<f64> = sums.collect();
        sums[score.predicted] - scoring::metrics::log_sum_exp(&sums)
    };
    let ones = vec![1.0; encoded.prompt.len()];
    assert_eq!(found.scores.len(), ones.len());
    assert!((f64::from(found.value) - share(&ones)).abs() < 1e-5);
    along_each_token(&found, share, 5e-4);
}

#[test]
fn gradients_that_are_clamped_at_zero_are_pytorch_s() {
    for folder in FOLDERS {
        let bench = Bench::new(folder);
        for positions in [Positions::Last, Positions::All] {
            let settings = Settings {
                target: TargetKind::GoldMargin,
                ..of_choice(Method::ClampedGradients, positions, bench.nodes)
            };
            let found = bench.attributed(&settings);
            assert!(found.gaps.is_empty(), "there is nothing to add up to");
            let positions = named(positions);
            bench.compare(&found, |item| format!("item{item}.{positions}.clamped"));
        }
    }
}

#[test]
fn the_preset_of_the_released_code_is_what_is_reported_of_it() {
    for folder in FOLDERS {
        let bench = Bench::new(folder);
        let settings = Settings {
            confidence_threshold: 0.0,
            ..Settings::preset("paper-code").unwrap()
        };
        let found = bench.attributed(&settings);
        let golden = tensors(&format!("{folder}/targets.safetensors"));
        same(
            &found.scores.concat(),
            &golden["paper_code"],
            (found.d_mlp, OF_SCORE),
            folder,
        );
        for layer in &found.scores {
            assert_eq!(layer.iter().copied().fold(0f32, f32::max), 1.0);
        }
    }
}

#[test]
fn what_the_released_code_cannot_have_is_refused_by_name() {
    let preset = Settings::preset("paper-code").unwrap();
    let adaptive = Settings {
        rule: Quadrature::Adaptive,
        steps: 500,
        ..preset.clone()
    };
    let shares = Settings {
        aggregate: secateur::attribution::settings::Aggregate::ConsensusShare,
        layer_scale: LayerScale::Maximum,
        ..preset.clone()
    };
    for (settings, wanted) in [(adaptive.clone(), "do not add up"), (shares, "layer_scale")] {
        let error = settings.check().unwrap_err().to_string();
        assert!(error.contains(wanted), "{error}");
    }
    preset.check().unwrap();
    // A race takes it beside settings to a tolerance.
    let beside = Settings::preset("fast").unwrap();
    let beside = Settings {
        rule: Quadrature::Adaptive,
        steps: 500,
        ..beside
    };
    beside.by(Method::ClampedGradients).check().unwrap();
}
