//! Log-likelihoods of choices against transformers, and what follows from them.

#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "in a test a panic is the report"
)]

mod common;

use common::{assert_close, golden_items, items, job, mask, model, plain, scored, wait};
use secateur::items::{FewShot, Item, Prompts, Template};
use secateur::model::{Edit, Model};
use secateur::pruning::Trial;
use secateur::scoring::audit::{MEANINGLESS, audit};
use secateur::scoring::metrics::softmax;
use secateur::scoring::position::position_bias;
use secateur::scoring::{Orders, Rule, RunError, SetScores, batches, encode, score};

/// Of a summed log-likelihood in nats: f32 on both sides, sums of up to five terms of magnitude 10.
const TOLERANCE: f64 = 5e-5;

fn by_rule(model: &Model, items: &[Item], rule: Rule, gains: &Edit) -> SetScores {
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
        let masked = mask.edit(model.config(), model.decoder.device());
        let plain = by_rule(&model, &items, Rule::Sum, &Edit::none());
        let masked = by_rule(&model, &items, Rule::Sum, &masked);
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
                let found = sums(&by_rule(&model, &[item], Rule::Sum, &Edit::none()));
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
fn scores_follow_another_rule_without_a_run_where_what_it_compares_was_measured() {
    let model = model("tiny-llama3");
    let items = items(common::SCORED[0]);
    let anew = |rule| by_rule(&model, &items, rule, &Edit::none());
    let counted = |scores: &SetScores| serde_json::to_value((&scores.items, &scores.calibration));
    let sums = anew(Rule::Sum);
    for rule in [Rule::PerCharacter, Rule::PerByte, Rule::PerToken, Rule::Sum] {
        let followed = sums.by_rule(rule).unwrap();
        assert_eq!(
            counted(&followed).unwrap(),
            counted(&anew(rule)).unwrap(),
            "{rule:?}"
        );
    }
    assert!(sums.by_rule(Rule::MutualInformation).is_none());
    let measured = anew(Rule::MutualInformation);
    let back = (measured.by_rule(Rule::Sum)).and_then(|sums| sums.by_rule(Rule::MutualInformation));
    assert_eq!(
        counted(&back.unwrap()).unwrap(),
        counted(&measured).unwrap()
    );
}

#[test]
fn characters_tokens_and_predictions_follow_from_the_items_and_the_reference_sums() {
    for folder in common::SCORED {
        let model = model(folder);
        let golden = golden_items(folder);
        for rule in [Rule::Sum, Rule::PerCharacter, Rule::PerByte, Rule::PerToken] {
            let scores = by_rule(&model, &items(folder), rule, &Edit::none());
            assert_eq!(scores.set, "set");
            let mut correct = 0;
            for (golden, found) in golden.iter().zip(&scores.items) {
                let characters: Vec<usize> = found.choices.iter().map(|c| c.characters).collect();
                assert_eq!(characters, golden.characters);
                let tokens: Vec<usize> = found.choices.iter().map(|c| c.tokens).collect();
                let expected: Vec<usize> = golden.choice_ids.iter().map(Vec::len).collect();
                assert_eq!(tokens, expected);
                let divisor = |choice: usize| match rule {
                    Rule::Sum | Rule::MutualInformation => 1,
                    Rule::PerCharacter => golden.characters[choice],
                    Rule::PerByte => golden.item.choices[choice].len(),
                    Rule::PerToken => golden.choice_ids[choice].len(),
                };
                let sums = golden.sums.iter().enumerate();
                let deciding: Vec<f64> = sums
                    .map(|(choice, sum)| sum / divisor(choice) as f64)
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
    let scores = by_rule(&model(folder), &items(folder), Rule::Sum, &Edit::none());
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
    let batches = batches(&encoded, &model.decoder);
    assert_eq!(batches.len(), 2, "prompts of two lengths");
    let together = by_rule(&model, &items, Rule::Sum, &Edit::none());
    let ids: Vec<&str> = together.items.iter().map(|item| item.id.as_str()).collect();
    assert_eq!(ids, ["two", "longer", "five", "short", "three"]);
    for (index, item) in items.iter().enumerate() {
        let alone = by_rule(&model, std::slice::from_ref(item), Rule::Sum, &Edit::none());
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
    let expected = sums(&by_rule(
        &model,
        std::slice::from_ref(&full),
        Rule::Sum,
        &Edit::none(),
    ));
    for keep in [[0, 1], [2, 0], [1, 2]] {
        let fewer = Item {
            choices: keep.map(|index| full.choices[index].clone()).to_vec(),
            ..full.clone()
        };
        let found = sums(&by_rule(&model, &[fewer], Rule::Sum, &Edit::none()));
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
    let scores = by_rule(
        &model,
        &[item("all", "the cat sees", &choices)],
        Rule::Sum,
        &Edit::none(),
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
        let (items, none) = ([item], Edit::none());
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
            RunError::Item { id, message } => (id, message),
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
        by_rule(&model, &[just_fits], Rule::Sum, &Edit::none())
            .items
            .len(),
        1
    );
}

#[test]
fn an_empty_set_is_an_error_that_names_it() {
    let model = model("tiny-llama-tied");
    let none = Edit::none();
    let error = wait(score(
        &model,
        ("nothing", &[]),
        &plain(),
        Rule::Sum,
        &none,
        job(),
    ))
    .unwrap_err();
    assert!(matches!(error, RunError::Empty(set) if set == "nothing"));
}

fn with_shots(k: usize, pool: &[Item]) -> Prompts {
    let few_shot = FewShot {
        k,
        seed: None,
        set: None,
    };
    Prompts::with_shots(plain().template().clone(), &few_shot, pool).unwrap()
}

/// The same prompt as one text, without anything to share it with.
fn spelt_out(prompts: &Prompts, item: &Item) -> Item {
    Item {
        context: prompts.render(item).unwrap().prompt().to_owned(),
        ..item.clone()
    }
}

/// Prompts that begin with the same shots share a run: they score as each does alone, and fork as each does alone.
#[test]
fn a_shared_beginning_changes_no_score_with_a_mask_or_without() {
    let model = model("tiny-llama-tied");
    let pool: Vec<Item> = (0..4)
        .map(|index| {
            item(
                &format!("{index}"),
                "the small dog sees the red house and",
                &["the cat", &"the bird ".repeat(index + 1)],
            )
        })
        .collect();
    let prompts = with_shots(2, &pool);
    let items = uneven();
    let encoded = encode(&model, &items, &prompts).unwrap();
    let batches = batches(&encoded, &model.decoder);
    assert!(batches.iter().all(|batch| batch.shared.len() >= 16));
    let mask = mask("tiny-llama-tied").checked(model.config()).unwrap();
    let gains = mask.edit(model.config(), model.decoder.device());
    let trial = Trial {
        model: &model,
        set: "set",
        items: &items,
        prompts: &prompts,
        rule: Rule::Sum,
    };
    let none = Edit::none();
    let shared = scored(&model, &items, &prompts, &none).unwrap();
    let masked = scored(&model, &items, &prompts, &gains).unwrap();
    // What forks from the run without a mask is what a run under the mask gives.
    let report = wait(secateur::pruning::effect::prune(
        &[(trial, &shared)],
        mask,
        job(),
    ))
    .unwrap();
    for (index, item) in items.iter().enumerate() {
        let alone = [spelt_out(&prompts, item)];
        let expected = sums(&by_rule(&model, &alone, Rule::Sum, &none));
        assert_close(&sums(&shared)[index], &expected[0], TOLERANCE, &item.id);
        let expected = sums(&by_rule(&model, &alone, Rule::Sum, &gains));
        assert_close(&sums(&masked)[index], &expected[0], TOLERANCE, &item.id);
        assert_close(
            &sums(&report.sets[0].after)[index],
            &expected[0],
            TOLERANCE,
            &item.id,
        );
    }
}

/// A blank that is filled: each choice has its own prompt, and only what follows the blank is scored. Both choices'
/// sums are differences of sums of plain continuations.
#[test]
fn a_choice_in_the_prompt_is_read_and_not_scored() {
    let model = model("tiny-llama-tied");
    let template = Template::named("winogrande").unwrap();
    let filled = item(
        "w",
        "the dog sees the _ in the garden",
        &["red house", "bird"],
    );
    let none = Edit::none();
    let prompts = Prompts::from(template);
    let found = scored(&model, std::slice::from_ref(&filled), &prompts, &none).unwrap();
    for (index, choice) in filled.choices.iter().enumerate() {
        let whole = item(
            "x",
            "the dog sees the",
            &[choice, &format!("{choice} in the garden")],
        );
        let plain = sums(&by_rule(&model, &[whole], Rule::Sum, &none));
        let expected = plain[0][1] - plain[0][0];
        assert_close(&[sums(&found)[0][index]], &[expected], TOLERANCE, choice);
        assert_eq!(found.items[0].choices[index].tokens, 3);
    }
}

#[test]
fn every_tokens_log_probability_is_kept_and_is_that_of_transformers() {
    for folder in common::SCORED {
        let scores = by_rule(&model(folder), &items(folder), Rule::Sum, &Edit::none());
        for (golden, found) in golden_items(folder).iter().zip(&scores.items) {
            for (golden, found) in golden.token_log_probs.iter().zip(&found.choices) {
                assert_close(
                    &found.token_log_probabilities,
                    golden,
                    TOLERANCE,
                    &found.text,
                );
            }
        }
    }
}

/// A template without letters: one run says what every order gives, and the places follow from the rotations alone.
#[test]
fn a_template_without_letters_has_no_position_bias() {
    let model = model("tiny-llama-tied");
    let items: Vec<Item> = items("tiny-llama-tied");
    let report = wait(position_bias(
        &model,
        ("set", &items),
        &plain(),
        Rule::Sum,
        Orders::Cyclic,
        job(),
    ))
    .unwrap();
    assert!(!report.depends_on_order);
    assert_eq!(report.consistent.correct, items.len());
    let choices: usize = items.iter().map(|item| item.choices.len()).sum();
    assert_eq!(report.accuracy.total, choices);
    let narrowest = items.iter().map(|item| item.choices.len()).min().unwrap();
    for place in report.places.iter().take(narrowest) {
        assert_eq!((place.gold, place.predicted), (items.len(), items.len()));
    }
}

/// A vocabulary of words reads every letter as the same unknown token: the letters score alike, and the first of
/// equals is predicted, wherever the choices stand.
#[test]
fn a_model_that_always_takes_the_first_letter_is_found_out() {
    let model = model("tiny-llama-tied");
    let items = [
        item("1", "what is it", &["cat", "dog", "bird"]),
        item("2", "who is it", &["fish", "it", "the"]),
    ];
    let prompts = Prompts::from(Template::named("lettered").unwrap());
    for orders in [Orders::Cyclic, Orders::Seeded { orders: 6, seed: 1 }] {
        let report = wait(position_bias(
            &model,
            ("set", &items),
            &prompts,
            Rule::Sum,
            orders,
            job(),
        ))
        .unwrap();
        assert!(report.depends_on_order);
        assert_eq!(report.places[0].predicted, report.accuracy.total);
        assert_eq!(report.places[0].accuracy.correct, report.places[0].gold);
        assert_eq!(report.places[1].accuracy.correct, 0);
        assert_eq!(report.consistent.correct, 0);
    }
    let none = Orders::Seeded { orders: 0, seed: 1 };
    assert!(
        wait(position_bias(
            &model,
            ("set", &items),
            &prompts,
            Rule::Sum,
            none,
            job()
        ))
        .is_err()
    );
}

#[test]
fn an_audit_asks_the_same_items_without_their_questions_and_counts_lengths() {
    let model = model("tiny-llama-tied");
    let items = items("tiny-llama-tied");
    // A prompt that is not empty without a question.
    let template = Template {
        prompt: "the cat and {context}".into(),
        ..Template::named("plain").unwrap()
    };
    let prompts = Prompts::from(template);
    let scored = |items: &[Item]| scored(&model, items, &prompts, &Edit::none()).unwrap();
    let with = scored(&items);
    let named = ("set", items.as_slice());
    let found = wait(audit(&model, named, &prompts, Rule::Sum, &with, job())).unwrap();
    assert_eq!(found.accuracy, with.accuracy);
    let chances = items.iter().map(|item| 1.0 / item.choices.len() as f64);
    assert_eq!(found.chance, chances.sum::<f64>() / items.len() as f64);

    for (asked, question) in found.asked.iter().zip(["", MEANINGLESS]) {
        // By hand: items whose question is that text.
        let asked_so: Vec<Item> = items
            .iter()
            .map(|item| Item {
                context: question.into(),
                ..item.clone()
            })
            .collect();
        let without = scored(&asked_so);
        assert_eq!(asked.accuracy, Some(without.accuracy), "{question:?}");
        let pairs = with.items.iter().zip(&without.items);
        let same = pairs.filter(|(a, b)| a.predicted == b.predicted).count();
        assert_eq!(asked.same_answer.unwrap().correct, same);
        assert_eq!(asked.refused, None);
    }
    assert_eq!(found.position.orders, Orders::Cyclic);

    let longest = |item: &Item| {
        let lengths: Vec<usize> = item.choices.iter().map(|c| c.chars().count()).collect();
        let most = *lengths.iter().max().unwrap();
        lengths.iter().position(|&length| length == most).unwrap()
    };
    let right = items.iter().filter(|item| longest(item) == item.gold);
    assert_eq!(found.lengths.longest_right.correct, right.count());
    let pairs = items.iter().zip(&with.items);
    let predicted = pairs.filter(|(item, score)| longest(item) == score.predicted);
    assert_eq!(found.lengths.longest_predicted.correct, predicted.count());
}

#[test]
fn an_audit_says_where_items_cannot_be_asked_without_a_question() {
    let model = model("tiny-llama-tied");
    let items: Vec<Item> = items("tiny-llama-tied")
        .into_iter()
        .map(|item| Item {
            context: format!("{} _ .", item.context),
            ..item
        })
        .collect();
    let blank: Prompts = Template::named("winogrande").unwrap().into();
    let named = ("set", items.as_slice());
    let with = scored(&model, &items, &blank, &Edit::none()).unwrap();
    let found = wait(audit(&model, named, &blank, Rule::Sum, &with, job())).unwrap();
    let refused = found.asked[0].refused.as_ref().unwrap();
    assert!(refused.contains("blank"), "{refused}");
    assert_eq!(found.asked[0].accuracy, None);
}
