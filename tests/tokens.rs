//! Tokens that a model and its tokenizer do not share: those without a row in the model, and words that the tokenizer
//! does not know.

#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "in a test a panic is the report"
)]

mod common;

use common::{files, job, model, plain, scored, wait};
use secateur::attribution::Settings;
use secateur::items::{FewShot, Item, Prompts, Template};
use secateur::model::edit::Site;
use secateur::model::run::log_probabilities_of;
use secateur::model::{Capture, Compute, Edit, Model, ModelError};
use secateur::pruning::Mask;
use secateur::scoring::position::position_bias;
use secateur::scoring::{Orders, Rule, UnknownWords, score};
use secateur::study::Session;
use serde_json::Value;

/// The tied model of 42 rows, its tokenizer with one token more.
fn larger_tokenizer() -> Model {
    let mut files = files("tiny-llama-tied");
    let mut tokenizer: Value = serde_json::from_slice(&files.tokenizer.unwrap()).unwrap();
    tokenizer["added_tokens"] = serde_json::json!([{
        "id": 42, "content": "<extra>", "single_word": false, "lstrip": false, "rstrip": false,
        "normalized": false, "special": false,
    }]);
    files.tokenizer = Some(tokenizer.to_string().into_bytes());
    wait(Model::load("larger", files, &Compute::flex(), job())).unwrap()
}

fn item(id: &str, context: &str, choices: [&str; 2]) -> Item {
    Item {
        id: id.into(),
        context: context.into(),
        choices: choices.map(str::to_owned).into(),
        gold: 0,
    }
}

/// The token is only looked up among the logits where it is a choice's last, which no embedding checks.
#[test]
fn a_token_without_a_row_is_named_with_its_item_and_choice_wherever_it_is() {
    let model = larger_tokenizer();
    let good = item("good", "the cat sees a", ["fish", "dog"]);
    let bad = "token 42 `<extra>` is outside the model's vocabulary of 42";
    let shots = |pool: &[Item]| {
        let few_shot = FewShot {
            k: 1,
            seed: None,
            set: None,
        };
        Prompts::with_shots(plain().template().clone(), &few_shot, pool).unwrap()
    };
    let template = Template {
        prompt: "<extra> {context}".into(),
        ..plain().template().clone()
    };
    let cases = [
        (
            item("last", "the cat sees a", ["fish", "<extra>"]),
            plain(),
            "choice `<extra>`",
        ),
        (
            item("inside", "the cat", ["sees <extra> fish", "dog"]),
            plain(),
            "choice `sees <extra> fish`",
        ),
        (
            item("context", "the <extra> sees", ["fish", "dog"]),
            plain(),
            "the prompt of choice `fish`",
        ),
        (
            good.clone(),
            shots(&[item("shot", "the <extra>", ["fish", "dog"])]),
            "the prompt of choice `fish`",
        ),
        (good.clone(), template.into(), "the prompt of choice `fish`"),
    ];
    for (item, prompts, what) in cases {
        let items = [good.clone(), item];
        let scored = scored(&model, &items, &prompts, &Edit::none());
        let error = scored.unwrap_err().to_string();
        assert!(error.contains(bad) && error.contains(what), "{error}");
        assert!(error.contains("item `"), "{error}");
        let biased = wait(position_bias(
            &model,
            ("set", items.as_slice()),
            &prompts,
            Rule::Sum,
            Orders::Cyclic,
            job(),
        ));
        assert!(biased.unwrap_err().to_string().contains(bad));
    }
    let forward = wait(model.forward("the <extra>", 1, job()));
    assert!(forward.unwrap_err().to_string().contains(bad));
}

#[test]
fn a_session_finds_a_token_without_a_row_before_anything_runs() {
    let mut session = Session::new(
        Compute::flex(),
        larger_tokenizer(),
        plain().template().clone(),
    );
    let good = vec![item("1", "the cat sees a", ["fish", "dog"])];
    let bad = vec![item("2", "the cat sees a", ["fish", "<extra>"])];
    session.change(|bench| {
        bench.set_items("good", good);
        bench.set_items("bad", bad);
    });
    let error = wait(session.score_all(&["good", "bad"], job())).unwrap_err();
    assert!(error.to_string().contains("item `2`"), "{error}");
    assert!(session.baseline("good").is_none());
    let settings = Settings::preset("fast").unwrap();
    for error in [
        wait(session.attribute("bad", &settings, job()))
            .err()
            .unwrap(),
        wait(session.prune(Mask::empty(Site::Post), &["bad".to_owned()], job()))
            .err()
            .unwrap(),
    ] {
        assert!(error.to_string().contains("item `2`"), "{error}");
    }
}

/// A GPU reads whatever lies beyond a table's end.
#[test]
fn ids_are_checked_where_they_become_indices_on_a_device() {
    let model = model("tiny-llama-tied");
    let decoder = &model.decoder;
    let is_refused = |error: ModelError| {
        matches!(
            error,
            ModelError::NoRow {
                id: 42,
                rows: 42,
                ..
            }
        )
    };
    assert!(is_refused(decoder.unembedding_of(&[6, 42]).err().unwrap()));
    assert!(is_refused(
        decoder.embed(&[&[6, 42]], 0, None).err().unwrap()
    ));
    let none = Edit::none();
    let run = decoder.base_run(&[&[6, 8]], &none, Capture::KeyValues, job());
    let logits = decoder.last_logits(&wait(run).unwrap());
    assert!(is_refused(
        log_probabilities_of(logits.clone(), &[42]).err().unwrap()
    ));
    assert!(log_probabilities_of(logits, &[41]).is_ok());
}

#[test]
fn a_set_of_unknown_words_is_scored_with_a_warning_that_says_their_share() {
    let model = model("tiny-llama-tied");
    let scored = |items: &[Item]| {
        let named = ("mine", items);
        wait(score(
            &model,
            named,
            &plain(),
            Rule::Sum,
            &Edit::none(),
            job(),
        ))
        .unwrap()
    };
    let known = scored(&[item("1", "the cat sees a", ["fish", "dog"])]);
    assert_eq!((known.unknown_words, known.warnings.len()), (None, 0));
    // Seven words, of which the model knows "the" and "fish".
    let unknown = [item("1", "the zebra sings loudly:", ["fish", "very tall"])];
    let unknown = scored(&[unknown[0].clone(), item("2", "cat", ["dog", "cat"])]);
    let found = UnknownWords {
        words: 10,
        unknown: 4,
    };
    assert_eq!(unknown.unknown_words, Some(found));
    let warning = &unknown.warnings[0];
    assert!(
        warning.contains("40 % of the words of `mine` (4 of 10)"),
        "{warning}"
    );
    let followed = unknown.by_rule(Rule::PerToken).unwrap();
    assert_eq!(followed.warnings, unknown.warnings);
    // One in ten is counted and not warned of.
    let few = scored(&[item(
        "1",
        "the zebra sees the cat and the dog",
        ["fish", "dog"],
    )]);
    assert_eq!(
        few.unknown_words,
        Some(UnknownWords {
            words: 10,
            unknown: 1
        })
    );
    assert!(few.warnings.is_empty());
}

/// Every byte is a token of these: no word is unknown.
#[test]
fn a_byte_level_vocabulary_knows_every_word() {
    let model = model("tiny-gpt2");
    let items = [item("1", "žlutý 猫 🐈", ["fish", "\u{7}"])];
    assert_eq!(UnknownWords::of(&model.tokenizer, &items).unwrap(), None);
}
