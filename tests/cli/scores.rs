//! Scores, comparisons, forward passes, and what a model file holds.

use safetensors::SafeTensors;
use secateur::items::canonical_jsonl;
use secateur::scoring::SetScores;
use secateur::study::Study;
use secateur::study::link::{self, Shared};
use serde_json::{Value, json};

use crate::common::{assert_close, fixture, golden_items, items, model};
use crate::{Desk, FOLDER, TOLERANCE, golden, parsed, study, sums, with};

#[test]
fn score_prints_the_reference_scores_and_writes_the_same_to_a_file() {
    let desk = Desk::new("score");
    let printed: SetScores = parsed(&desk.ok(&with("score", &[])));
    assert_close(
        &sums(&printed),
        &golden(|item| &item.sums),
        TOLERANCE,
        "printed",
    );
    assert!(
        desk.ok(&with("score", &["--out", "scores.json"]))
            .is_empty()
    );
    let written: SetScores = desk.json("scores.json");
    assert_eq!(written.items, printed.items);
    // With what they were made with.
    let made: Value = desk.json("scores.json");
    assert_eq!(
        made["model"],
        json!({"id": FOLDER, "sha256": model(FOLDER).sha256})
    );
    assert_eq!(made["engine"]["precision"], json!("f32"));
    let narrow = desk.ok(&with("score", &["--precision", "int8"]));
    let narrow: Value = parsed(&narrow);
    assert_eq!(narrow["engine"]["precision"], json!("int8"));
}

#[test]
fn another_prediction_rule_changes_who_is_predicted_and_nothing_else() {
    let desk = Desk::new("prediction");
    let rule = ["--prediction", "per_character"];
    let scores: SetScores = parsed(&desk.ok(&with("score", &rule)));
    assert_close(
        &sums(&scores),
        &golden(|item| &item.sums),
        TOLERANCE,
        "sums",
    );
    for (item, golden) in scores.items.iter().zip(golden_items(FOLDER)) {
        let per_character = |choice: usize| golden.sums[choice] / golden.characters[choice] as f64;
        let best = (0..3).max_by(|&a, &b| per_character(a).total_cmp(&per_character(b)));
        assert_eq!(Some(item.predicted), best);
    }
}

/// 2,200 times 96 kB, in 651 characters of a link.
#[test]
fn a_prompt_that_no_model_reads_is_one_line() {
    let desk = Desk::new("long-prompt");
    let item =
        json!({"id": "long", "context": "a".repeat(96_000), "choices": ["cat", "dog"], "gold": 0});
    let template = json!({"name": "own", "version": 1, "prompt": "{context}".repeat(2200), "choice": "{choice}"});
    desk.put("long.jsonl", item.to_string());
    desk.put("own.json", template.to_string());
    let mut long = study();
    long["template"] = template;
    long["item_sets"][0] =
        json!({"name": "long", "roles": ["attribution", "validation"], "items": [item]});
    desk.put("study.json", long.to_string());
    let study: Study = serde_json::from_value(long).unwrap();
    let link = link::encode(&Shared {
        study,
        expected: None,
    })
    .unwrap();
    assert!(link.len() < 2000, "{}", link.len());
    for arguments in [
        vec![
            "score",
            "--model",
            "MODEL",
            "--items",
            "long.jsonl",
            "--template",
            "own.json",
        ],
        vec!["run", "study.json", "--out", "out"],
        vec!["reproduce", &link, "--model", "MODEL"],
    ] {
        let refused = desk.wrong(&arguments);
        assert!(
            refused.contains("`long`") && refused.contains("`own@1`"),
            "{refused}"
        );
    }
}

#[test]
fn two_runs_are_compared_and_places_are_counted() {
    let desk = Desk::new("compare");
    desk.ok(&with("score", &["--out", "before.json"]));
    desk.put(
        "own.json",
        r#"{"name":"own","version":1,"prompt":"{context} the","choice":"{choice}"}"#,
    );
    let mut own = with(
        "score",
        &[
            "--out",
            "after.json",
            "--few-shot",
            "1",
            "--few-shot-seed",
            "2",
            "--choice-order",
            "1",
            "--tokens",
        ],
    );
    own[6] = "own.json";
    desk.ok(&own);
    let after: SetScores = desk.json("after.json");
    assert!(
        after
            .items
            .iter()
            .flat_map(|item| &item.choices)
            .all(|choice| choice.token_log_probabilities.len() == choice.tokens)
    );
    let compared: Value = parsed(&desk.ok(&["compare", "before.json", "after.json"]));
    assert_eq!(compared["paired"]["items"], json!(items(FOLDER).len()));
    assert!(compared["paired"]["p_value"].as_f64().unwrap() <= 1.0);
    let same: Value = parsed(&desk.ok(&["compare", "before.json", "before.json"]));
    assert_eq!(
        (&same["flipped"], &same["paired"]["p_value"]),
        (&json!([]), &json!(1.0))
    );
    // Which items, and how they were asked, is said; where they are others, so is that.
    let made: Value = desk.json("after.json");
    assert_eq!(made["made_of"]["few_shot"], json!({"k": 1, "seed": 2}));
    assert_eq!(made["made_of"]["choice_order"], json!({"seed": 1}));
    assert_eq!(made["made_of"]["template"]["name"], json!("own"));
    let mut edited = items(FOLDER);
    edited[0].context.push_str(" the");
    let hash = secateur::items::items_sha256(&edited);
    assert_ne!(made["made_of"]["item_sets"][0]["sha256"], json!(hash));
    desk.put("edited.jsonl", canonical_jsonl(&edited));
    let mut others = with("score", &["--out", "edited.json"]);
    others[4] = "edited.jsonl";
    desk.ok(&others);
    let output = desk.run(&["compare", "before.json", "edited.json"]);
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(
        output.status.success() && said.contains("other items"),
        "{said}"
    );
    let mut other: Value = desk.json("before.json");
    other["items"][0]["choices"][0]["text"] = json!("another");
    desk.put("other.json", other.to_string());
    let refused = desk.wrong(&["compare", "before.json", "other.json"]);
    assert!(refused.contains("other choices"), "{refused}");

    let bias: Value = parsed(&desk.ok(&with("position-bias", &["--orders", "2", "--seed", "1"])));
    assert_eq!(bias["accuracy"]["total"], json!(2 * items(FOLDER).len()));
    desk.put(
        "bad.json",
        r#"{"name":"own","version":1,"prompt":"{contxt}","choice":"{choice}"}"#,
    );
    own[6] = "bad.json";
    assert!(desk.wrong(&own).contains("`{contxt}` is no placeholder"));
}

#[test]
fn inspect_says_what_a_model_holds() {
    let desk = Desk::new("inspect");
    let found: Value = parsed(&desk.ok(&["inspect", "MODEL"]));
    for (field, value) in [
        ("id", json!("tiny-llama-tied")),
        ("n_layers", json!(3)),
        ("d_mlp", json!(24)),
        ("vocabulary", json!(42)),
        ("tied", json!(true)),
        ("sha256", json!(model(FOLDER).sha256)),
    ] {
        assert_eq!(found[field], value, "{field}");
    }
    let gguf = fixture("tiny-llama-bpe/mixed.gguf");
    let found: Value = parsed(&desk.ok(&["inspect", gguf.to_str().unwrap()]));
    assert_eq!(
        (&found["id"], &found["d_mlp"]),
        (&json!("mixed.gguf"), &json!(64))
    );
    assert_eq!(found["report"]["tensor_types"]["Q4_1"], json!(6));
}

/// The pieces of a forward pass that other implementations are compared with, against transformers'.
#[test]
fn forward_writes_logits_and_residual_streams_and_prints_the_continuation() {
    const MODEL: &str = "tiny-gpt-neox";
    let desk = Desk::new("forward");
    let golden: Value =
        serde_json::from_slice(&std::fs::read(fixture(&format!("{MODEL}/golden.json"))).unwrap())
            .unwrap();
    let folder = fixture(MODEL);
    let prompt = golden["prompts"][1]["text"].as_str().unwrap();
    let printed: Value = parsed(&desk.ok(&[
        "forward",
        "--model",
        folder.to_str().unwrap(),
        "--prompt",
        prompt,
        "--top",
        "3",
        "--out",
        "forward.safetensors",
    ]));
    assert_eq!(printed["ids"], golden["prompts"][1]["ids"]);
    assert_eq!(printed["continuation"], golden["prompts"][1]["greedy"]);
    assert_eq!(printed["next"].as_array().unwrap().len(), 3);
    assert_eq!(printed["next"][0]["id"], golden["prompts"][1]["greedy"][0]);
    let written = desk.bytes("forward.safetensors");
    let written = SafeTensors::deserialize(&written).unwrap();
    let golden = crate::common::tensors(&format!("{MODEL}/golden.safetensors"));
    let hidden = &golden["prompt1.hidden"];
    let residuals = written.tensor("residuals").unwrap();
    assert_close(&floats(residuals.data()), hidden, 1e-4, "residuals");
    let logits = &golden["prompt1.logits"];
    let last = &logits[logits.len() - 340..];
    let found = floats(written.tensor("logits").unwrap().data());
    assert_close(&found, last, 1e-4, "logits");
}

fn floats(bytes: &[u8]) -> Vec<f32> {
    bytes
        .chunks_exact(4)
        .map(|bytes| f32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]))
        .collect()
}
