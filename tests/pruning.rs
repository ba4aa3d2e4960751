//! Masks: what they do to the reference items, the random control, the search, one neuron's card.

#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "in a test a panic is the report"
)]

mod common;
#[path = "pruning/searching.rs"]
mod searching;

use burn::tensor::{Tensor, TensorData};
use common::{assert_close, golden_items, host, items, job, mask, model, plain, scored, wait};
use secateur::attribution::{Attribution, Settings, attribute};
use secateur::items::{Item, Prompts};
use secateur::model::{Capture, Edit, Model, Neuron, Site};
use secateur::pruning::effect::{control, neuron_card, prune};
use secateur::pruning::general::general_ability;
use secateur::pruning::mask::LayerMask;
use secateur::pruning::selection::{TopPercent, random_like, ranked};
use secateur::pruning::{Change, Mask, Means, Trial};
use secateur::scoring::metrics::log_sum_exp;
use secateur::scoring::{Rule, RunError, SetScores, encode};

/// Of a summed log-likelihood in nats, as in the tests of scoring.
const TOLERANCE: f64 = 5e-5;

/// A model with the reference items and their scores.
struct Bench {
    model: Model,
    items: Vec<Item>,
    prompts: Prompts,
    scores: SetScores,
}

impl Bench {
    fn new(folder: &str) -> Self {
        let (model, items, prompts) = (model(folder), items(folder), plain());
        let scores = scored(&model, &items, &prompts, &Edit::none()).unwrap();
        Self {
            model,
            items,
            prompts,
            scores,
        }
    }

    fn trial(&self) -> Trial<'_> {
        Trial {
            model: &self.model,
            set: "set",
            items: &self.items,
            prompts: &self.prompts,
            rule: Rule::Sum,
        }
    }

    /// Scores under factors, without any fork.
    fn under(&self, mask: &Mask) -> SetScores {
        let config = self.model.config();
        let mut gains = Edit::none();
        for layer in &mask.layers {
            let mut factors = vec![1f32; config.d_mlp];
            for &neuron in &layer.neurons {
                factors[neuron] = 0.0;
            }
            let factors = TensorData::new(factors, [config.d_mlp]);
            let device = self.model.decoder.device();
            gains = gains.scale(layer.layer, Tensor::from_data(factors, device));
        }
        scored(&self.model, &self.items, &self.prompts, &gains).unwrap()
    }

    /// A layer's mean activations over all positions of the items' prompts.
    fn means(&self, layer: usize) -> Vec<f32> {
        let d_mlp = self.model.config().d_mlp;
        let mut sums = vec![0f64; d_mlp];
        let mut positions = 0;
        for encoded in encode(&self.model, &self.items, &self.prompts).unwrap() {
            let prompts = [encoded.prompt.as_slice()];
            let decoder = &self.model.decoder;
            let run = wait(decoder.base_run(&prompts, &Edit::none(), Capture::All, job())).unwrap();
            let activations = host(run.state(layer).unwrap().pre.activation());
            for of_position in activations.chunks(d_mlp) {
                positions += 1;
                let pairs = sums.iter_mut().zip(of_position);
                pairs.for_each(|(sum, &value)| *sum += f64::from(value));
            }
        }
        let mean = |sum: f64| (sum / f64::from(positions)) as f32;
        sums.into_iter().map(mean).collect()
    }

    /// Scores where one layer's activations at `neurons` are multiplied by a factor, and the offsets there are added.
    fn edited(&self, layer: usize, neurons: &[usize], factor: f32, offsets: &[f32]) -> SetScores {
        let neurons: Vec<Neuron> = neurons
            .iter()
            .map(|&index| Neuron { layer, index })
            .collect();
        let offset = |neuron: Neuron| offsets[neuron.index];
        self.changed(&neurons, factor, offset)
    }

    /// The same of neurons of any layers, without any mask or fork.
    fn changed(
        &self,
        neurons: &[Neuron],
        factor: f32,
        offset: impl Fn(Neuron) -> f32,
    ) -> SetScores {
        let (config, device) = (self.model.config(), self.model.decoder.device());
        let d_mlp = config.d_mlp;
        let tensor = |values| Tensor::from_data(TensorData::new(values, [d_mlp]), device);
        let mut edit = Edit::none();
        for layer in 0..config.n_layers {
            let (mut factors, mut added) = (vec![1f32; d_mlp], vec![0f32; d_mlp]);
            for &neuron in neurons.iter().filter(|neuron| neuron.layer == layer) {
                factors[neuron.index] = factor;
                added[neuron.index] = offset(neuron);
            }
            edit = edit
                .scale(layer, tensor(factors))
                .offset(layer, tensor(added));
        }
        scored(&self.model, &self.items, &self.prompts, &edit).unwrap()
    }

    fn attribution(&self) -> Attribution {
        let settings = Settings {
            confidence_threshold: 0.0,
            ..Settings::preset("fast").unwrap()
        };
        let named = ("set", self.items.as_slice());
        let scores = &self.scores.items;
        wait(attribute(
            &self.model,
            named,
            &self.prompts,
            scores,
            &settings,
            job(),
        ))
        .unwrap()
    }
}

fn sums(scores: &SetScores) -> Vec<f64> {
    let choices = scores.items.iter().flat_map(|item| &item.choices);
    choices.map(|choice| choice.log_likelihood).collect()
}

fn arg_max(values: &[f64]) -> usize {
    (0..values.len())
        .max_by(|&a, &b| values[a].total_cmp(&values[b]))
        .unwrap()
}

#[test]
fn a_prune_report_has_the_masked_sums_of_transformers() {
    for folder in common::SCORED {
        let bench = Bench::new(folder);
        let golden = golden_items(folder);
        let report = wait(prune(
            &[(bench.trial(), &bench.scores)],
            mask(folder),
            job(),
        ))
        .unwrap();
        assert_eq!((report.neurons, &report.mask), (6, &mask(folder)));
        let [set] = report.sets.as_slice() else {
            panic!("{} sets", report.sets.len());
        };
        assert_eq!(set.set, "set");
        let expected: Vec<f64> = golden
            .iter()
            .flat_map(|item| item.masked_sums.clone())
            .collect();
        assert_close(&sums(&set.after), &expected, TOLERANCE, folder);
        let correct = |sums: fn(&common::GoldenItem) -> &Vec<f64>| {
            golden
                .iter()
                .filter(|item| arg_max(sums(item)) == item.item.gold)
                .count()
        };
        assert_eq!(set.before.correct, correct(|item| &item.sums));
        assert_eq!(
            set.after.accuracy.correct,
            correct(|item| &item.masked_sums)
        );
        let flips: Vec<(&str, usize, usize)> = golden
            .iter()
            .map(|item| (item, arg_max(&item.sums), arg_max(&item.masked_sums)))
            .filter(|(_, before, after)| before != after)
            .map(|(item, before, after)| (item.item.id.as_str(), before, after))
            .collect();
        let found: Vec<(&str, usize, usize)> = set
            .flipped
            .iter()
            .map(|flip| (flip.id.as_str(), flip.before, flip.after))
            .collect();
        assert_eq!(found, flips, "{folder}");
    }
}

#[test]
fn a_mask_of_several_layers_is_the_full_run_without_those_neurons() {
    let bench = Bench::new("tiny-llama-tied");
    let mask = Mask {
        layers: vec![
            LayerMask::new(2, vec![23, 0, 5]),
            LayerMask::new(1, vec![]),
            LayerMask::new(0, vec![1, 9]),
        ],
        ..Mask::empty(Site::Post)
    };
    let expected = bench.under(&mask);
    let report = wait(prune(&[(bench.trial(), &bench.scores)], mask, job())).unwrap();
    assert_close(
        &sums(&report.sets[0].after),
        &sums(&expected),
        TOLERANCE,
        "masked",
    );
    let layers: Vec<(usize, &[usize])> = report
        .mask
        .layers
        .iter()
        .map(|layer| (layer.layer, layer.neurons.as_slice()))
        .collect();
    assert_eq!(layers, [(0, &[1, 9][..]), (2, &[0, 5, 23])]);
    assert_eq!(report.neurons, 5);
}

#[test]
fn the_empty_mask_changes_nothing() {
    let bench = Bench::new("tiny-llama-untied");
    let mask = Mask::empty(Site::Post);
    let report = wait(prune(&[(bench.trial(), &bench.scores)], mask, job())).unwrap();
    assert_close(
        &sums(&report.sets[0].after),
        &sums(&bench.scores),
        TOLERANCE,
        "empty",
    );
    assert!(report.sets[0].flipped.is_empty());
}

#[test]
fn a_mask_that_does_not_fit_the_model_or_itself_is_refused() {
    let model = model("tiny-llama-tied");
    let layer = |layer, neurons: &[usize]| LayerMask::new(layer, neurons.to_vec());
    let check = |layers: Vec<LayerMask>| {
        let mask = Mask {
            layers,
            ..Mask::empty(Site::Post)
        };
        mask.checked(model.config())
    };
    for (layers, named) in [
        (vec![layer(3, &[0])], "layer 3 is outside"),
        (vec![layer(1, &[24])], "neuron 24 of layer 1 is outside"),
        (vec![layer(1, &[4, 2, 4])], "layer 1 names a neuron twice"),
        (
            vec![layer(1, &[4]), layer(0, &[1]), layer(1, &[5])],
            "layer 1 is given twice",
        ),
    ] {
        match check(layers).unwrap_err() {
            RunError::Mask(message) => assert!(message.contains(named), "{message}"),
            other => panic!("{other}"),
        }
    }
    assert!(check(vec![layer(2, &[23]), layer(0, &[0])]).is_ok());
    let bench = Bench::new("tiny-llama-tied");
    let outside = Mask::of_layer(Site::Post, 1, [24]);
    let result = wait(prune(&[(bench.trial(), &bench.scores)], outside, job()));
    assert!(matches!(result, Err(RunError::Mask(_))));
}

#[test]
fn control_masks_depend_on_their_seed_and_not_on_how_many_there_are() {
    let bench = Bench::new("tiny-llama-tied");
    let mask = mask("tiny-llama-tied");
    let run = |masks, seed| {
        wait(control(
            &[bench.trial()],
            mask.clone(),
            (masks, seed),
            None,
            job(),
        ))
        .unwrap()
    };
    let (few, many) = (run(3, 7), run(12, 7));
    assert_eq!(few.sets[0].accuracies, many.sets[0].accuracies[..3]);
    // Every accuracy is that of a full run under the mask drawn for it.
    let d_mlp = bench.model.config().d_mlp;
    let accuracies: Vec<f64> = (0..12)
        .map(|index| {
            bench
                .under(&random_like(&mask, d_mlp, 7, index))
                .accuracy
                .value
        })
        .collect();
    let set = &many.sets[0];
    assert_eq!(set.accuracies, accuracies);
    let of_mask = bench.under(&mask).accuracy.value;
    assert_eq!(set.mask, of_mask);
    let at_least = accuracies
        .iter()
        .filter(|accuracy| **accuracy >= of_mask)
        .count();
    assert_eq!(set.at_least_as_good, at_least);
    assert_close(
        &[set.mean],
        &[accuracies.iter().sum::<f64>() / 12.0],
        1e-12,
        "mean",
    );
    assert!(accuracies.contains(&set.min) && accuracies.contains(&set.max));
    assert!(accuracies.iter().all(|a| (set.min..=set.max).contains(a)));
    assert_eq!((many.masks, many.seed), (12, 7));
    assert_eq!((many.layers[0].layer, many.layers[0].neurons), (1, 6));
    assert!(
        run(12, 8).sets[0].accuracies != accuracies,
        "another seed draws other masks"
    );
}

const NEURONS: [usize; 5] = [0, 3, 8, 15, 22];

/// Without a fork and with the edit made by hand.
#[test]
fn a_scaled_neuron_s_activation_is_multiplied() {
    for folder in common::SCORED {
        let bench = Bench::new(folder);
        let zeros = vec![0.0; bench.model.config().d_mlp];
        for factor in [0.5, -2.0] {
            let mask = Mask::of_layer(Site::Post, 1, NEURONS);
            let mask = mask.by(Change::Scale(factor)).unwrap();
            let expected = bench.edited(1, &NEURONS, factor as f32, &zeros);
            let report = wait(prune(&[(bench.trial(), &bench.scores)], mask, job())).unwrap();
            let after = sums(&report.sets[0].after);
            assert_close(&after, &sums(&expected), TOLERANCE, folder);
            assert_ne!(after, sums(&bench.scores));
        }
    }
}

#[test]
fn a_neuron_s_activation_becomes_its_mean_over_all_positions_of_the_prompts() {
    for folder in common::SCORED {
        let bench = Bench::new(folder);
        let by_hand = bench.means(1);
        let means = wait(Means::measure(bench.trial(), job())).unwrap();
        let mask = Mask::of_layer(Site::Post, 1, NEURONS);
        let mask = mask.by(Change::Mean(&means)).unwrap();
        assert_eq!(mask.means_of.as_deref(), Some("set"));
        let of_neurons = NEURONS.map(|neuron| by_hand[neuron]);
        let stated = mask.layers[0].means.clone().unwrap();
        assert_close(&stated, &of_neurons, 1e-6, folder);
        let expected = bench.edited(1, &NEURONS, 0.0, &by_hand);
        // As a document of another order gives it.
        let mut written = mask.clone();
        written.layers[0].neurons.reverse();
        written.layers[0].means.as_mut().unwrap().reverse();
        let report = wait(prune(&[(bench.trial(), &bench.scores)], written, job())).unwrap();
        assert_eq!(report.mask, mask);
        let after = sums(&report.sets[0].after);
        assert_close(&after, &sums(&expected), TOLERANCE, folder);
    }
}

#[test]
fn random_masks_change_their_neurons_as_the_mask_does() {
    let bench = Bench::new("tiny-llama-tied");
    let by_hand = bench.means(1);
    let means = wait(Means::measure(bench.trial(), job())).unwrap();
    let plain = Mask::of_layer(Site::Post, 1, NEURONS);
    let d_mlp = bench.model.config().d_mlp;
    for (change, factor, offsets) in [
        (Change::Scale(-3.0), -3.0, vec![0.0; d_mlp]),
        (Change::Mean(&means), 0.0, by_hand),
    ] {
        let mask = plain.clone().by(change).unwrap();
        let trials = [bench.trial()];
        let found = wait(control(&trials, mask, (8, 5), Some(&means), job()))
            .unwrap()
            .sets
            .remove(0);
        let expected: Vec<f64> = (0..8)
            .map(|index| random_like(&plain, d_mlp, 5, index).layers.remove(0))
            .map(|drawn| bench.edited(1, &drawn.neurons, factor, &offsets))
            .map(|scores| scores.accuracy.value)
            .collect();
        assert_eq!(found.accuracies, expected, "{factor}");
    }
    let mask = plain.by(Change::Mean(&means)).unwrap();
    let without = wait(control(&[bench.trial()], mask, (8, 5), None, job()));
    assert!(matches!(without, Err(RunError::Mask(_))));
}

#[test]
fn a_control_of_no_masks_or_too_many_is_refused() {
    let bench = Bench::new("tiny-llama-tied");
    for masks in [0, 1001] {
        let result = wait(control(
            &[bench.trial()],
            mask("tiny-llama-tied"),
            (masks, 0),
            None,
            job(),
        ));
        assert!(matches!(result, Err(RunError::Settings(_))), "{masks}");
    }
}

#[test]
fn the_top_of_a_layer_are_its_neurons_of_largest_score() {
    let bench = Bench::new("tiny-llama-tied");
    let attribution = bench.attribution();
    let selection = TopPercent {
        layer: 2,
        percent: 25.0,
    };
    let mask = selection.mask(&attribution).unwrap();
    assert_eq!(mask.n_neurons(), 6);
    let score = |neuron: usize| attribution.scores[2][neuron].abs();
    let (inside, outside): (Vec<usize>, Vec<usize>) =
        (0..24).partition(|&index| mask.contains(Neuron { layer: 2, index }));
    let weakest = inside
        .iter()
        .map(|&n| score(n))
        .fold(f32::INFINITY, f32::min);
    let strongest = outside.iter().map(|&n| score(n)).fold(0.0, f32::max);
    assert!(weakest >= strongest);
    // The ranking says the same.
    let mut first: Vec<usize> = ranked(&attribution, Some(2), 6, Some(&mask))
        .iter()
        .inspect(|ranked| assert!(ranked.pruned && ranked.neuron.layer == 2))
        .map(|ranked| ranked.neuron.index)
        .collect();
    first.sort_unstable();
    assert_eq!(first, inside);
}

#[test]
fn a_neuron_s_effect_is_the_difference_of_the_margins_with_and_without_it() {
    let bench = Bench::new("tiny-llama-tied");
    let attribution = bench.attribution();
    let place = |score: f32| {
        let all = attribution.scores.iter().flatten();
        all.filter(|other| other.abs() > score.abs()).count() + 1
    };
    for (layer, index) in [(0, 3), (1, 16), (2, 23)] {
        let neuron = Neuron { layer, index };
        let card = neuron_card(
            bench.trial(),
            &bench.scores,
            Some(&attribution),
            neuron,
            job(),
        );
        let card = wait(card).unwrap();
        let without = bench.under(&Mask::of_layer(Site::Post, layer, [index]));
        let mut changes = Vec::new();
        for (index, (before, after)) in bench.scores.items.iter().zip(&without.items).enumerate() {
            let change = after.gold_margin() - before.gold_margin();
            let item = &card.effect.items[index];
            assert_eq!(item.id, before.id);
            assert_close(&[item.margin_change], &[change], TOLERANCE, &card.address);
            assert_eq!(
                (item.predicted_before, item.predicted_after),
                (before.predicted, after.predicted)
            );
            changes.push(change);
        }
        let mean = changes.iter().sum::<f64>() / changes.len() as f64;
        assert_close(
            &[card.effect.margin_change],
            &[mean],
            TOLERANCE,
            &card.address,
        );
        assert_eq!(card.effect.before, bench.scores.accuracy);
        assert_eq!(card.effect.after, without.accuracy);
        assert_eq!(
            card.address,
            format!("blocks.{layer}.mlp.hook_post[{index}]")
        );
        let score = attribution.scores[layer][index];
        assert_eq!((card.score, card.rank), (Some(score), Some(place(score))));
        let scores: Vec<f32> = card.items.iter().map(|item| item.score).collect();
        assert_eq!(scores, attribution.item_scores(neuron));
    }
    let outside = Neuron {
        layer: 0,
        index: 24,
    };
    let outside = neuron_card(bench.trial(), &bench.scores, None, outside, job());
    assert!(matches!(wait(outside), Err(RunError::Mask(_))));
}

/// The perplexity of a text under a mask, against a run of the whole text under the mask's gains.
#[test]
fn general_ability_is_a_text_before_and_after_a_mask() {
    let folder = "tiny-llama-tied";
    let (model, mask) = (model(folder), mask(folder));
    let text = "the cat sees a fish and the dog eats the old house";
    // This tokenizer has no token that begins a text: the first one is read and not scored.
    let ids = model.tokenizer.encode(text).unwrap();
    let by_hand = |edit: &Edit| {
        let after = |length: usize| {
            let decoder = &model.decoder;
            let prompts = [&ids[..length]];
            let run = wait(decoder.base_run(&prompts, edit, Capture::KeyValues, job()));
            let logits = host(decoder.last_logits(&run.unwrap()));
            let values: Vec<f64> = logits.iter().map(|&value| value.into()).collect();
            values[ids[length] as usize] - log_sum_exp(&values)
        };
        (1..ids.len()).map(after).sum::<f64>()
    };
    let edit = mask.edit(model.config(), model.decoder.device());
    let found = wait(general_ability(&model, text, mask.clone(), job())).unwrap();
    for (score, edit) in [(found.before, Edit::none()), (found.after, edit)] {
        let expected = by_hand(&edit);
        let bytes = text.len() - "the".len();
        assert_eq!((score.tokens, score.bytes), (ids.len() - 1, bytes));
        assert_close(&[score.log_likelihood], &[expected], 1e-4, "the text");
        let perplexity = (-expected / (ids.len() - 1) as f64).exp();
        assert!((score.perplexity / perplexity - 1.0).abs() < 1e-4);
        let bits = -expected / std::f64::consts::LN_2 / bytes as f64;
        assert!((score.bits_per_byte / bits - 1.0).abs() < 1e-4);
    }
    assert_ne!(found.before, found.after);
    let refused = wait(general_ability(&model, "", mask, job())).unwrap_err();
    assert!(matches!(refused, RunError::Settings(_)), "{refused}");
}
