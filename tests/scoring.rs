//! Log-likelihoods of choices against transformers, and what follows from them.

mod common;

use common::{assert_close, golden_items, items, job, mask, model, plain, wait};
use secateur::items::Item;
use secateur::model::{Gains, Model};
use secateur::scoring::metrics::softmax;
use secateur::scoring::{Rule, ScoringError, SetScores, batches, encode, score};

/// Of a summed log-likelihood in nats: f32 on both sides, sums of up to five terms of magnitude 10.
const TOLERANCE: f64 = 5e-5;

fn scored(model: &Model, items: &[Item], rule: Rule, gains: &Gains) -> SetScores {
    wait(score(model, ("set", items), &plain(), rule, gains, job())).unwrap()
}

fn sums(scores: &SetScores) -> Vec<Vec<f64>> {
    let of_item = |choices: &Vec<secateur::scoring::ChoiceScore>| {
        choices.iter().map(|choice| choice.log_likelihood).collect()
    };
    scores
        .items
        .iter()
        .map(|item| of_item(&item.choices))
        .collect()
}

#[test]
fn prompts_and_choices_have_the_reference_tokens() {
    for folder in common::SCORED {
        let encoded = encode(&model(folder), &items(folder), &plain()).unwrap();
        for (golden, encoded) in golden_items(folder).iter().zip(encoded) {
            assert_eq!(encoded.prompt, golden.prompt_ids);
            assert_eq!(encoded.choices, golden.choice_ids);
        }
    }
}

#[test]
fn sums_and_masked_sums_are_those_of_transformers() {
    for folder in common::SCORED {
        let model = model(folder);
        let items = items(folder);
        let mask = mask(folder).checked(model.config()).unwrap();
        let masked = mask.gains(model.config(), model.decoder.device());
        let plain = scored(&model, &items, Rule::Sum, &Gains::none());
        let masked = scored(&model, &items, Rule::Sum, &masked);
        let golden = golden_items(folder);
        for (index, golden) in golden.iter().enumerate() {
            let what = format!("{folder} {}", golden.item.id);
            assert_close(&sums(&plain)[index], &golden.sums, TOLERANCE, &what);
            let what = format!("{what}, masked");
            assert_close(&sums(&masked)[index], &golden.masked_sums, TOLERANCE, &what);
        }
    }
}

/// An item whose choices are the beginnings of one choice: their sums are the cumulated log-probabilities of its
/// tokens, one token a word.
#[test]
fn every_token_has_the_log_probability_of_transformers() {
    for folder in common::SCORED {
        let model = model(folder);
        for golden in golden_items(folder) {
            let choices = golden.item.choices.iter().zip(&golden.token_log_probs);
            for (choice, log_probabilities) in choices {
                let words: Vec<&str> = choice.split(' ').collect();
                let beginnings = (1..=words.len()).map(|n| words[..n].join(" "));
                let item = Item {
                    choices: beginnings.collect(),
                    gold: 0,
                    ..golden.item.clone()
                };
                let found = sums(&scored(&model, &[item], Rule::Sum, &Gains::none()));
                let cumulated: Vec<f64> = log_probabilities
                    .iter()
                    .scan(0.0, |sum, value| {
                        *sum += value;
                        Some(*sum)
                    })
                    .collect();
                assert_close(&found[0], &cumulated, TOLERANCE, choice);
            }
        }
    }
}

#[test]
fn characters_tokens_and_predictions_follow_from_the_items_and_the_reference_sums() {
    for folder in common::SCORED {
        let model = model(folder);
        let golden = golden_items(folder);
        for rule in [Rule::Sum, Rule::PerCharacter] {
            let scores = scored(&model, &items(folder), rule, &Gains::none());
            assert_eq!(scores.set, "set");
            let mut correct = 0;
            for (golden, found) in golden.iter().zip(&scores.items) {
                let characters: Vec<usize> = found.choices.iter().map(|c| c.characters).collect();
                assert_eq!(characters, golden.characters);
                let tokens: Vec<usize> = found.choices.iter().map(|c| c.tokens).collect();
                let expected: Vec<usize> = golden.choice_ids.iter().map(Vec::len).collect();
                assert_eq!(tokens, expected);
                let deciding: Vec<f64> = golden
                    .sums
                    .iter()
                    .zip(&golden.characters)
                    .map(|(sum, &characters)| match rule {
                        Rule::Sum => *sum,
                        Rule::PerCharacter => sum / characters as f64,
                    })
                    .collect();
                let best = (0..deciding.len())
                    .max_by(|&a, &b| deciding[a].total_cmp(&deciding[b]))
                    .unwrap();
                assert_eq!(found.predicted, best, "{folder} {rule:?} {}", found.id);
                assert_eq!(found.correct, best == golden.item.gold);
                let exps: Vec<f64> = golden.sums.iter().map(|sum| sum.exp()).collect();
                let confidence = exps[best] / exps.iter().sum::<f64>();
                assert_close(&[found.confidence], &[confidence], TOLERANCE, &found.id);
                correct += usize::from(best == golden.item.gold);
            }
            let accuracy = scores.accuracy_by(rule);
            assert_eq!((accuracy.correct, accuracy.total), (correct, golden.len()));
        }
    }
}

/// The gold margin is a difference of reference sums.
#[test]
fn the_gold_margin_is_the_distance_to_the_best_wrong_choice() {
    let folder = "tiny-llama-tied";
    let scores = scored(&model(folder), &items(folder), Rule::Sum, &Gains::none());
    for (golden, found) in golden_items(folder).iter().zip(&scores.items) {
        let wrong = golden
            .sums
            .iter()
            .enumerate()
            .filter(|(i, _)| *i != golden.item.gold);
        let best_wrong = wrong.map(|(_, sum)| *sum).fold(f64::NEG_INFINITY, f64::max);
        let expected = golden.sums[golden.item.gold] - best_wrong;
        assert_close(&[found.gold_margin()], &[expected], TOLERANCE, &found.id);
    }
}

fn item(id: &str, context: &str, choices: &[&str]) -> Item {
    Item {
        id: id.into(),
        context: context.into(),
        choices: choices.iter().map(|&choice| choice.into()).collect(),
        gold: 0,
    }
}

/// Prompts of one length with two to five choices of one to six tokens, and one of another length.
fn uneven() -> Vec<Item> {
    vec![
        item("two", "the cat sees a", &["fish", "small bird in the tree"]),
        item(
            "longer",
            "who likes the old house ?",
            &["the cat", "a dog", "it"],
        ),
        item(
            "five",
            "what is in it",
            &["a", "a red", "a red house", "the", "not"],
        ),
        item("short", "the dog is a", &["cat", "bird", "fish"]),
        item(
            "three",
            "it eats the fish",
            &["and", "and the cat", "because it is near the river"],
        ),
    ]
}

#[test]
fn items_with_unequal_choices_score_the_same_together_and_alone() {
    let model = model("tiny-llama-tied");
    let items = uneven();
    let encoded = encode(&model, &items, &plain()).unwrap();
    let batches = batches(&encoded, model.config());
    assert_eq!(batches.len(), 2, "prompts of two lengths");
    let together = scored(&model, &items, Rule::Sum, &Gains::none());
    let ids: Vec<&str> = together.items.iter().map(|item| item.id.as_str()).collect();
    assert_eq!(ids, ["two", "longer", "five", "short", "three"]);
    for (index, item) in items.iter().enumerate() {
        let alone = scored(
            &model,
            std::slice::from_ref(item),
            Rule::Sum,
            &Gains::none(),
        );
        let (together, alone) = (&sums(&together)[index], &sums(&alone)[0]);
        assert_eq!(together.len(), item.choices.len());
        assert_close(together, alone, TOLERANCE, &item.id);
    }
}

#[test]
fn a_choice_scores_the_same_whatever_stands_beside_it() {
    let model = model("tiny-llama-tied");
    let full = item(
        "x",
        "the cat sees a",
        &["fish", "small bird", "red house in the garden"],
    );
    let expected = sums(&scored(
        &model,
        std::slice::from_ref(&full),
        Rule::Sum,
        &Gains::none(),
    ));
    for keep in [[0, 1], [2, 0], [1, 2]] {
        let fewer = Item {
            choices: keep.map(|index| full.choices[index].clone()).to_vec(),
            ..full.clone()
        };
        let found = sums(&scored(&model, &[fewer], Rule::Sum, &Gains::none()));
        let expected = keep.map(|index| expected[0][index]);
        assert_close(&found[0], &expected, TOLERANCE, &format!("{keep:?}"));
    }
}

/// All 42 continuations of one token share the probability 1.
#[test]
fn the_probabilities_of_all_single_tokens_sum_to_one() {
    let model = model("tiny-llama-untied");
    let words: Vec<String> = (1..42).map(|id| model.tokenizer.token_text(id)).collect();
    // The unknown token is the 42nd; any word outside the vocabulary becomes it.
    let mut choices: Vec<&str> = words.iter().map(String::as_str).collect();
    choices.push("elephant");
    let scores = scored(
        &model,
        &[item("all", "the cat sees", &choices)],
        Rule::Sum,
        &Gains::none(),
    );
    let total: f64 = sums(&scores)[0].iter().map(|value| value.exp()).sum();
    assert_close(&[total], &[1.0], 1e-5, "sum of the probabilities");
    assert_close(
        &[softmax(&sums(&scores)[0]).iter().sum::<f64>()],
        &[1.0],
        1e-12,
        "softmax",
    );
}

#[test]
fn an_item_that_the_model_cannot_take_is_named() {
    let model = model("tiny-llama-tied");
    let fail = |item: Item| {
        let (items, none) = ([item], Gains::none());
        match wait(score(
            &model,
            ("set", &items),
            &plain(),
            Rule::Sum,
            &none,
            job(),
        ))
        .unwrap_err()
        {
            ScoringError::Item { id, message } => (id, message),
            other => panic!("{other}"),
        }
    };
    let long = "cat ".repeat(127);
    let (id, message) = fail(item("long", &long, &["a", "the dog"]));
    assert_eq!(id, "long");
    assert!(
        message.contains("129 tokens") && message.contains("128"),
        "{message}"
    );
    let (id, message) = fail(item("silent", "the cat", &["a", " "]));
    assert_eq!(id, "silent");
    assert!(message.contains("no token"), "{message}");
    // A vocabulary of words has no first token to start from.
    let (id, message) = fail(item("empty", "", &["a", "b"]));
    assert_eq!(id, "empty");
    assert!(message.contains("empty"), "{message}");
    let just_fits = item("fits", &"cat ".repeat(126), &["a", "the dog"]);
    assert_eq!(
        scored(&model, &[just_fits], Rule::Sum, &Gains::none())
            .items
            .len(),
        1
    );
}

#[test]
fn an_empty_set_is_an_error_that_names_it() {
    let model = model("tiny-llama-tied");
    let none = Gains::none();
    let error = wait(score(
        &model,
        ("nothing", &[]),
        &plain(),
        Rule::Sum,
        &none,
        job(),
    ))
    .unwrap_err();
    assert!(matches!(error, ScoringError::Empty(set) if set == "nothing"));
}
