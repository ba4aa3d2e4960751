//! The command line as a user meets it: what its files and its standard output hold, and what it says about
//! input that is wrong.

#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "in a test a panic is the report"
)]

mod common;

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use common::{assert_close, fixture, golden_items, items, model};
use safetensors::SafeTensors;
use secateur::export::MaskFile;
use secateur::items::canonical_jsonl;
use secateur::pruning::{Operation, PruneReport, SearchReport};
use secateur::scoring::SetScores;
use secateur::study::link::{self, Shared};
use secateur::study::{Expected, Report, Study};
use secateur::tuning::TuneReport;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

const FOLDER: &str = "tiny-llama-tied";
/// Of a summed log-likelihood in nats, as in the tests of scoring.
const TOLERANCE: f64 = 5e-5;

/// A folder of one test with the reference items in `items.jsonl`.
struct Desk(PathBuf);

impl Desk {
    fn new(name: &str) -> Self {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        if folder.exists() {
            std::fs::remove_dir_all(&folder).unwrap();
        }
        std::fs::create_dir_all(&folder).unwrap();
        let desk = Self(folder);
        desk.put("items.jsonl", canonical_jsonl(&items(FOLDER)));
        desk
    }

    fn put(&self, name: &str, contents: impl AsRef<[u8]>) {
        std::fs::write(self.0.join(name), contents).unwrap();
    }

    fn bytes(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.0.join(name)).unwrap()
    }

    fn json<T: DeserializeOwned>(&self, name: &str) -> T {
        serde_json::from_slice(&self.bytes(name)).unwrap()
    }

    /// Runs the program in this folder; `MODEL` stands for the fixture model's folder, which is also found by its id.
    fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let model = fixture(FOLDER);
        let arguments = arguments.iter().map(|&argument| match argument {
            "MODEL" => model.as_os_str(),
            other => other.as_ref(),
        });
        let mut command = Command::new(env!("CARGO_BIN_EXE_secateur"));
        command
            .args(arguments)
            .current_dir(&self.0)
            .env("SECATEUR_MODELS", fixture(""));
        command
    }

    /// Runs a command that must succeed without a word on standard error; its standard output.
    fn ok(&self, arguments: &[&str]) -> Vec<u8> {
        let output = self.run(arguments);
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{arguments:?}: {errors}");
        assert_eq!(errors, "", "{arguments:?}");
        output.stdout
    }

    /// Runs a command that must end with code 2 and one line; the line.
    fn wrong(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        let errors = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {errors}");
        assert!(output.stdout.is_empty(), "{arguments:?}");
        let lines: Vec<&str> = errors.lines().collect();
        assert_eq!(lines.len(), 1, "{arguments:?}: {errors}");
        assert!(lines[0].starts_with("secateur: "), "{errors}");
        lines[0].to_owned()
    }
}

fn parsed<T: DeserializeOwned>(bytes: &[u8]) -> T {
    serde_json::from_slice(bytes).unwrap()
}

/// A subcommand with the fixture model, the reference items and their template.
fn with<'a>(command: &'a str, rest: &[&'a str]) -> Vec<&'a str> {
    let input = [
        "--model",
        "MODEL",
        "--items",
        "items.jsonl",
        "--template",
        "plain",
    ];
    [&[command], &input[..], rest].concat()
}

fn sums(scores: &SetScores) -> Vec<f64> {
    let choices = scores.items.iter().flat_map(|item| &item.choices);
    choices.map(|choice| choice.log_likelihood).collect()
}

fn golden(sums: fn(&common::GoldenItem) -> &Vec<f64>) -> Vec<f64> {
    golden_items(FOLDER)
        .iter()
        .flat_map(|item| sums(item).clone())
        .collect()
}

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

#[test]
fn item_files_are_looked_at_converted_and_split_without_a_model() {
    let desk = Desk::new("items");
    desk.put(
        "some.csv",
        "question,a,b,correct\nq1,x,y,a\nq2,x,y,c\nq3,x,y,b\n",
    );
    let preview: Value = parsed(&desk.ok(&["items", "preview", "some.csv", "--show", "1"]));
    assert_eq!(
        (&preview["format"], &preview["items"]),
        (&json!("csv"), &json!(2))
    );
    assert_eq!(preview["gold"], json!([1, 1]));
    assert_eq!(preview["first"].as_array().unwrap().len(), 1);
    let error = &preview["errors"][0];
    assert_eq!((&error["line"], &error["column"]), (&json!(3), &json!(8)));

    let refused = desk.wrong(&["items", "convert", "some.csv"]);
    assert!(refused.contains("some.csv:3:8: field 4"), "{refused}");
    let partial = desk.run(&["items", "convert", "some.csv", "--partial", "--to", "csv"]);
    assert!(partial.status.success());
    let said = String::from_utf8(partial.stderr).unwrap();
    assert!(said.contains("2 items taken, 1 lines left out"), "{said}");
    desk.put("good.csv", &partial.stdout);
    let jsonl = desk.ok(&["items", "convert", "good.csv"]);
    assert_eq!(String::from_utf8(jsonl).unwrap().lines().count(), 2);

    let refused = desk.wrong(&["items", "split", "good.csv", "--out", "few"]);
    assert!(
        refused.contains("the part test would get none of 2 items"),
        "{refused}"
    );
    assert!(!desk.0.join("few").exists());

    desk.ok(&[
        "items",
        "split",
        "items.jsonl",
        "--shares",
        "2,1,1",
        "--seed",
        "3",
        "--out",
        "parts",
    ]);
    let parts = ["attribution", "validation", "test"]
        .map(|part| desk.bytes(&format!("parts/{part}.jsonl")));
    let lines: usize = parts
        .iter()
        .map(|part| String::from_utf8_lossy(part).lines().count())
        .sum();
    assert_eq!(lines, items(FOLDER).len());
}

/// Two items with three choices each, whose answers, 1 and 2, could be counted from 0 or from 1.
const EITHER: &str = "question,a,b,c,answer\nwho likes the old house ?,the cat,the dog,a bird,1\n\
    the bird hears a dog because,it is near,cat,the tree is green .,2\n";

#[test]
fn answers_that_could_be_counted_either_way_are_counted_as_is_said() {
    let desk = Desk::new("answers-from");
    desk.put("either.csv", EITHER);
    // A split into three parts takes three items.
    let third = "the cat sees it because,it is near,the dog,a bird,1\n";
    desk.put("three-either.csv", format!("{EITHER}{third}"));
    let preview: Value = parsed(&desk.ok(&["items", "preview", "either.csv"]));
    assert_eq!(preview["asks_answers_from"], json!(true));
    assert_eq!(
        (&preview["items"], &preview["answers_from"]),
        (&json!(0), &json!(null))
    );
    let from = |first| ["items", "preview", "either.csv", "--answers-from", first];
    for (first, gold) in [("0", json!([0, 1, 1])), ("1", json!([1, 1]))] {
        let preview: Value = parsed(&desk.ok(&from(first)));
        assert_eq!(
            (&preview["items"], &preview["asks_answers_from"]),
            (&json!(2), &json!(false))
        );
        let places = preview["gold"].as_array().unwrap();
        assert_eq!(places[..2], gold.as_array().unwrap()[..2], "{first}");
        assert_eq!(preview["answers_from"].to_string(), first);
    }
    assert_eq!(desk.run(&from("2")).status.code(), Some(2));

    desk.put(
        "mask.json",
        r#"{"site":"post","layers":[{"layer":0,"neurons":[0]}]}"#,
    );
    let either = [
        "--model",
        "MODEL",
        "--items",
        "either.csv",
        "--template",
        "plain",
    ];
    let validation = [
        "--validation",
        "either.csv",
        "--percents",
        "50",
        "--confidence",
        "0",
    ];
    for (command, rest) in [
        (vec!["score"], &either[..]),
        (vec!["position-bias"], &either),
        (
            vec!["attribute", "--confidence", "0", "--out", "ig.safetensors"],
            &either,
        ),
        (vec!["prune", "--mask", "mask.json"], &either),
        (
            with("score", &["--few-shot", "1"]),
            &["--few-shot-items", "either.csv"],
        ),
        (with("search", &[]), &validation),
        (
            with("tune", &["--layer", "0", "--steps", "1"]),
            &["--validation", "either.csv"],
        ),
        (vec!["items", "convert", "either.csv"], &[]),
        (
            vec!["items", "split", "three-either.csv", "--out", "parts"],
            &[],
        ),
    ] {
        let arguments = [&command[..], rest].concat();
        let refused = desk.wrong(&arguments);
        assert!(refused.contains("either.csv:2:"), "{refused}");
        assert!(
            refused.contains("--answers-from 0 or --answers-from 1"),
            "{refused}"
        );
        let said = [&arguments[..], &["--answers-from", "1", "--quiet"]].concat();
        let output = desk.run(&said);
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{said:?}: {errors}");
    }
    let scored = [&["score", "--answers-from", "0"], &either[..]].concat();
    let scores: SetScores = parsed(&desk.ok(&scored));
    let golds: Vec<usize> = scores.items.iter().map(|item| item.gold).collect();
    assert_eq!(golds, [1, 2]);
}

/// The study says how its file is read, or the command does; the report holds the items.
#[test]
fn a_study_of_such_a_file_reads_it_the_same_way_again() {
    let desk = Desk::new("answers-from-study");
    desk.put("either.csv", EITHER);
    let mut said = study();
    said["item_sets"][0]["sample"] = json!("either.csv");
    desk.put("unsaid.json", said.to_string());
    said["item_sets"][0]["answers_from"] = json!(1);
    desk.put("said.json", said.to_string());
    let refused = desk.wrong(&["run", "unsaid.json", "--out", "out"]);
    assert!(refused.contains("--answers-from"), "{refused}");
    desk.ok(&["run", "said.json", "--out", "said"]);
    desk.ok(&[
        "run",
        "unsaid.json",
        "--out",
        "unsaid",
        "--answers-from",
        "1",
    ]);
    for folder in ["said", "unsaid"] {
        let report: Report = desk.json(&format!("{folder}/report.json"));
        let set = &report.study.item_sets[0];
        assert_eq!((&set.sample, set.answers_from), (&None, None));
        let golds: Vec<usize> = set.items.iter().flatten().map(|item| item.gold).collect();
        assert_eq!(golds, [0, 1]);
        desk.ok(&["reproduce", &format!("{folder}/report.json")]);
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
fn attribute_writes_scores_and_gaps_of_every_item_with_the_settings() {
    let desk = Desk::new("attribute");
    for (path, gaps) in [("per_layer", 3), ("joint", 1)] {
        let rest = [
            "--path",
            path,
            "--steps",
            "3",
            "--confidence",
            "0",
            "--out",
            "ig.safetensors",
            "--summary",
            "ig.json",
        ];
        desk.ok(&with("attribute", &rest));
        let bytes = desk.bytes("ig.safetensors");
        let file = SafeTensors::deserialize(&bytes).unwrap();
        let floats = |name: &str| -> Vec<f32> {
            let of = |bytes: &[u8]| f32::from_le_bytes(bytes.try_into().unwrap());
            file.tensor(name)
                .unwrap()
                .data()
                .chunks_exact(4)
                .map(of)
                .collect()
        };
        assert_eq!(file.tensor("gap").unwrap().shape(), [4, gaps]);
        assert_eq!(file.len(), 3 + 1);
        let (_, header) = SafeTensors::read_metadata(&bytes).unwrap();
        let metadata = header.metadata().as_ref().unwrap();
        assert_eq!(metadata["format"], "secateur-attribution");
        let settings: Value = serde_json::from_str(&metadata["settings"]).unwrap();
        assert_eq!(
            (&settings["path"], &settings["steps"]),
            (&json!(path), &json!(3))
        );
        let made_with: Value = serde_json::from_str(&metadata["model"]).unwrap();
        assert_eq!(made_with["sha256"], json!(model(FOLDER).sha256));
        assert_eq!(metadata["precision"], "f32");
        let used: Vec<Value> = serde_json::from_str(&metadata["items"]).unwrap();
        let ids: Vec<&Value> = used.iter().map(|item| &item["id"]).collect();
        assert_eq!(ids, ["item-0", "item-1", "item-2", "item-3"]);
        // The summary's aggregated scores are the means of the file's.
        let summary: Value = desk.json("ig.json");
        for layer in 0..3 {
            let name = format!("layers.{layer}");
            assert_eq!(file.tensor(&name).unwrap().shape(), [4, 24]);
            let scores = floats(&name);
            let means: Vec<f32> = (0..24)
                .map(|neuron| (0..4).map(|item| scores[item * 24 + neuron]).sum::<f32>() / 4.0)
                .collect();
            let found: Vec<f32> = serde_json::from_value(summary["scores"][layer].clone()).unwrap();
            assert_close(&found, &means, 1e-5, &name);
        }
        let gap: Vec<f64> = floats("gap")
            .iter()
            .map(|&gap| f64::from(gap).abs())
            .collect();
        for entry in 0..gaps {
            let mean = (0..4).map(|item| gap[item * gaps + entry]).sum::<f64>() / 4.0;
            let found = summary["gaps"][entry]["gap"].as_f64().unwrap();
            assert_close(&[found], &[mean], 1e-6, "gap");
        }
    }
}

/// Standard output of `prune`.
#[derive(serde::Deserialize)]
struct Pruned {
    baseline: SetScores,
    pruned: PruneReport,
    control: Option<Value>,
}

#[test]
fn prune_with_a_mask_file_gives_the_reference_s_masked_scores() {
    let desk = Desk::new("prune-mask");
    let mask = common::fixture("tiny-llama-tied/mask.json");
    let rest = [
        "--mask",
        mask.to_str().unwrap(),
        "--control",
        "4",
        "--seed",
        "5",
        "--mask-out",
        "mask.json",
    ];
    let output = desk.run(&with("prune", &rest));
    assert!(output.status.success());
    // The fixture's mask is a bare one.
    let note = String::from_utf8(output.stderr).unwrap();
    assert!(note.contains("does not say which model"), "{note}");
    let found: Pruned = parsed(&output.stdout);
    assert_close(
        &sums(&found.baseline),
        &golden(|item| &item.sums),
        TOLERANCE,
        "before",
    );
    let after = sums(&found.pruned.sets[0].after);
    assert_close(
        &after,
        &golden(|item| &item.masked_sums),
        TOLERANCE,
        "after",
    );
    let control = found.control.unwrap();
    assert_eq!(
        control["sets"][0]["accuracies"].as_array().unwrap().len(),
        4
    );
    // The written mask knows its model and gives the same again, now without a note.
    let written = MaskFile::from_json(std::str::from_utf8(&desk.bytes("mask.json")).unwrap());
    let written = written.unwrap();
    assert_eq!(written.mask, common::mask(FOLDER));
    assert_eq!(written.model.sha256, model(FOLDER).sha256);
    let again: Pruned = parsed(&desk.ok(&with("prune", &["--mask", "mask.json"])));
    assert_eq!(sums(&again.pruned.sets[0].after), after);
    assert!(again.control.is_none());
}

#[test]
fn prune_with_a_layer_and_a_percentage_prunes_the_strongest() {
    let desk = Desk::new("prune-percent");
    let rest = [
        "--layer",
        "2",
        "--percent",
        "25",
        "--confidence",
        "0",
        "--mask-out",
        "mask.json",
    ];
    let found: Pruned = parsed(&desk.ok(&with("prune", &rest)));
    assert_eq!(found.pruned.neurons, 6);
    assert_eq!(found.pruned.mask.layers[0].layer, 2);
    let rest = [
        "--confidence",
        "0",
        "--out",
        "ig.safetensors",
        "--summary",
        "ig.json",
    ];
    desk.ok(&with("attribute", &rest));
    let summary: Value = desk.json("ig.json");
    let scores: Vec<f32> = serde_json::from_value(summary["scores"][2].clone()).unwrap();
    let mut order: Vec<usize> = (0..24).collect();
    order.sort_by(|&a, &b| scores[b].abs().total_cmp(&scores[a].abs()));
    let mut strongest = order[..6].to_vec();
    strongest.sort_unstable();
    assert_eq!(found.pruned.mask.layers[0].neurons, strongest);
}

/// A study of the selection, its operation and means re-runs to the same mask.
#[test]
fn prune_scales_and_replaces_by_means_and_reproduces_so() {
    let desk = Desk::new("prune-operations");
    let selection = ["--layer", "2", "--percent", "25", "--confidence", "0"];
    let zeroed: Pruned = parsed(&desk.ok(&with("prune", &selection)));
    let zeroed = zeroed.pruned.mask;
    for operation in [
        &["--operation", "scale", "--factor", "0.5"][..],
        &["--operation", "mean"],
    ] {
        let out = ["--control", "2", "--mask-out", "mask.json"];
        let rest = [&selection[..], operation, &out].concat();
        let found: Pruned = parsed(&desk.ok(&with("prune", &rest)));
        let mask = &found.pruned.mask;
        assert_eq!(mask.layers[0].neurons, zeroed.layers[0].neurons);
        let is_mean = mask.operation == Operation::Mean;
        assert_eq!(mask.factor, (!is_mean).then_some(0.5));
        assert_eq!(
            mask.layers[0].means.as_ref().map(Vec::len),
            is_mean.then_some(6)
        );
        // From the file, the same neurons change the same way.
        let again: Pruned = parsed(&desk.ok(&with("prune", &["--mask", "mask.json"])));
        assert_eq!(again.pruned.mask, *mask);
        let after = |pruned: &Pruned| sums(&pruned.pruned.sets[0].after);
        assert_eq!(after(&again), after(&found));
        let written: Value = desk.json("mask.json");
        desk.put("study.json", written["study"].to_string());
        desk.ok(&["run", "study.json", "--model", "MODEL", "--out", "again"]);
        let report: Report = desk.json("again/report.json");
        assert!(report.study.pruning.unwrap().selection.is_some());
        let pruned = report.pruned.unwrap();
        assert_eq!(pruned.mask, *mask);
        let reproduced = desk.ok(&["reproduce", "again/report.json", "--model", "MODEL"]);
        let reproduced: Value = parsed(&reproduced);
        assert_eq!(reproduced["mask_identical"], true, "{reproduced}");
        std::fs::remove_dir_all(desk.0.join("again")).unwrap();
    }
    for (operation, named) in [
        (&["--operation", "scale"][..], "needs a `factor`"),
        (&["--operation", "mean", "--factor", "2"], "`scale` alone"),
        (
            &["--operation", "scale", "--factor", "1e4"],
            "`factor` is 10000",
        ),
    ] {
        let line = desk.wrong(&with("prune", &[&selection[..], operation].concat()));
        assert!(line.contains(named), "{line}");
    }
}

#[test]
fn masks_are_combined_without_a_model() {
    let desk = Desk::new("masks");
    let of = |layers: &str| format!(r#"{{"site":"post","layers":[{layers}]}}"#);
    desk.put(
        "a.json",
        of(r#"{"layer":0,"neurons":[1,4]},{"layer":2,"neurons":[3]}"#),
    );
    desk.put("b.json", of(r#"{"layer":0,"neurons":[4,2]}"#));
    desk.put("c.json", of(r#"{"layer":2,"neurons":[3,7]}"#));
    for (command, expected) in [
        (
            "union",
            json!([{"layer": 0, "neurons": [1, 2, 4]}, {"layer": 2, "neurons": [3, 7]}]),
        ),
        ("intersection", json!([])),
        ("difference", json!([{"layer": 0, "neurons": [1]}])),
    ] {
        desk.ok(&[
            "masks", command, "a.json", "b.json", "c.json", "--out", "out.json",
        ]);
        let written: Value = desk.json("out.json");
        assert_eq!(written["layers"], expected, "{command}");
        let printed: Value = parsed(&desk.ok(&["masks", command, "a.json", "b.json", "c.json"]));
        assert_eq!(printed, written);
    }
    let both: Value = parsed(&desk.ok(&["masks", "intersection", "a.json", "b.json"]));
    assert_eq!(both["layers"], json!([{"layer": 0, "neurons": [4]}]));
    let of_model = |sha256: &str| {
        let model = json!({"id": "m", "sha256": sha256, "n_layers": 3, "d_mlp": 24});
        json!({"format": "secateur-mask", "version": 1, "model": model, "site": "post",
               "layers": [{"layer": 1, "neurons": [5]}]})
    };
    desk.put("m.json", of_model("00").to_string());
    desk.put("n.json", of_model("11").to_string());
    let union: Value = parsed(&desk.ok(&["masks", "union", "a.json", "m.json"]));
    assert_eq!(union["model"]["sha256"], "00", "of the one that says it");
    desk.put(
        "half.json",
        r#"{"operation":"scale","factor":0.5,"site":"post","layers":[]}"#,
    );
    desk.put(
        "wrong.json",
        r#"{"operation":"scale","site":"post","layers":[]}"#,
    );
    for (files, named) in [
        (["m.json", "n.json"], "two models"),
        (["a.json", "half.json"], "two operations"),
        (["a.json", "wrong.json"], "wrong.json"),
        (["a.json", "none.json"], "none.json"),
    ] {
        let line = desk.wrong(&[&["masks", "union"], &files[..]].concat());
        assert!(line.contains(named), "{line}");
    }
    let line = desk.wrong(&["masks", "union", "a.json", "b.json", "--out", "b.json"]);
    assert!(line.contains("is read as well"), "{line}");
}

/// A full disk under the log.
#[cfg(target_os = "linux")]
#[test]
fn a_log_that_cannot_be_written_loses_no_result() {
    let desk = Desk::new("log");
    let full = std::fs::File::options().write(true).open("/dev/full");
    let search = with("search", &["--percents", "10", "--out", "search.json"]);
    let mut search = desk.command(&search);
    let status = search.stderr(full.unwrap()).status().unwrap();
    assert!(status.success(), "{status}");
    let report: SearchReport = desk.json("search.json");
    assert!(!report.cells.is_empty());
}

#[test]
fn search_tries_every_layer_and_percentage_asked_for() {
    let desk = Desk::new("search");
    let rest = [
        "--quiet",
        "--confidence",
        "0",
        "--layers",
        "0,2",
        "--percents",
        "10,50",
    ];
    let report: SearchReport = parsed(&desk.ok(&with("search", &rest)));
    let cells: Vec<(String, usize)> = report
        .cells
        .iter()
        .map(|cell| (cell.selection.to_string(), cell.neurons))
        .collect();
    let cell = |percent, layer| format!("the top {percent} % of layer {layer}");
    let expected = [
        (cell(10, 0), 2),
        (cell(50, 0), 12),
        (cell(10, 2), 2),
        (cell(50, 2), 12),
    ];
    assert_eq!(cells, expected);
    // On other items than those attributed.
    let few = canonical_jsonl(&items(FOLDER)[..2]);
    desk.put("few.jsonl", few);
    let rest = [
        &rest[..],
        &["--validation", "few.jsonl", "--out", "search.json"],
    ]
    .concat();
    assert!(desk.ok(&with("search", &rest)).is_empty());
    let report: SearchReport = desk.json("search.json");
    assert!(report.cells.iter().all(|cell| cell.accuracy.total == 2));
}

#[test]
fn search_tries_every_rule_that_is_asked_for_and_says_what_it_costs() {
    let desk = Desk::new("rules");
    let rest = [
        "--confidence",
        "0",
        "--percents",
        "50",
        "--windows",
        "2",
        "--shares",
        "0.01",
        "--harm",
        "--greedy",
        "1",
        "--candidates",
        "3",
        "--operation",
        "mean",
        "--halving",
        "--out",
        "search.json",
    ];
    let done = desk.run(&with("search", &rest));
    let said = String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success(), "{said}");
    // 2 + 1 + 3 cells and 3 candidates on 4 items, which are too few to halve.
    assert!(
        said.contains("36 (under a second) by halving; with every cell on every item 36 (under"),
        "{said}"
    );
    assert!(
        said.contains("the effect of every neuron is measured"),
        "{said}"
    );
    let report: SearchReport = desk.json("search.json");
    let names: Vec<String> = report
        .cells
        .iter()
        .map(|cell| cell.selection.to_string())
        .collect();
    let expected = [
        "the top 50 % of layers 0, 1 together",
        "the top 50 % of layers 1, 2 together",
        "every neuron above 1 % of the largest score",
        "the most harmful 50 % of layer 0, as measured",
        "the most harmful 50 % of layer 1, as measured",
        "the most harmful 50 % of layer 2, as measured",
    ];
    assert_eq!(names[..6], expected);
    assert_eq!(report.spec.unwrap().operation, Operation::Mean);
    for (rest, named) in [
        (&["--operation", "scale"][..], "`factor`"),
        (&["--factor", "2"], "`factor`"),
        (&["--shares", "1"], "below 1"),
        (&["--windows", "4"], "4 layers"),
        (&["--windows", "0"], "at least one"),
        (&["--greedy", "17"], "17 of 16"),
    ] {
        let line = desk.wrong(&with("search", rest));
        assert!(line.contains(named), "{line}");
    }
}

#[test]
fn tune_has_the_reference_s_losses_with_the_mask_and_without() {
    let desk = Desk::new("tune");
    let mask = common::fixture("tiny-llama-tied/mask.json");
    let rest = [
        "--mask",
        mask.to_str().unwrap(),
        "--validation",
        "items.jsonl",
        "--test",
        "items.jsonl",
        "--layer",
        "1",
        "--steps",
        "10",
        "--learning-rate",
        "0.05",
        "--out",
        "tune.json",
    ];
    assert!(desk.run(&with("tune", &rest)).status.success());
    let report: TuneReport = desk.json("tune.json");
    let golden: Value = common::json("tiny-llama-tied/tuning.json");
    for (curve, run) in report.curves.iter().zip(["pruned", "unpruned"]) {
        let losses: Vec<f64> = curve.steps.iter().map(|step| step.loss).collect();
        let expected: Vec<f64> = serde_json::from_value(golden[run]["losses"].clone()).unwrap();
        assert_close(&losses, &expected, TOLERANCE, run);
        assert_eq!(curve.sets[0].set, "items.jsonl");
    }
}

/// A study of the reference items in a file beside it.
fn study() -> Value {
    json!({
        "format": "secateur-study",
        "version": 1,
        "model": {"id": FOLDER, "sha256": model(FOLDER).sha256},
        "item_sets": [
            {"name": "reference", "roles": ["attribution", "validation"], "sample": "items.jsonl"},
        ],
        "template": "plain@1",
        "attribution": {
            "path": "per_layer", "site": "post", "positions": "last", "target": "choice_first_token",
            "steps": 2, "rule": "middle", "confidence_threshold": 0.0,
        },
        "search": {"percents": [20.0]},
    })
}

#[test]
fn a_study_runs_into_a_folder_and_its_report_and_link_reproduce() {
    let desk = Desk::new("run");
    desk.put("study.json", study().to_string());
    desk.ok(&["run", "study.json", "--out", "results"]);
    // What an earlier run left gives way, what is of none does not.
    desk.ok(&["run", "study.json", "--out", "results"]);
    std::fs::create_dir(desk.0.join("other")).unwrap();
    desk.put("other/mask.json", "by hand");
    let refused = desk.wrong(&["run", "study.json", "--out", "other"]);
    assert!(refused.contains("not of an earlier run"), "{refused}");
    assert_eq!(desk.bytes("other/mask.json"), b"by hand");
    let report: Report = desk.json("results/report.json");
    let expected = golden(|item| &item.sums);
    assert_close(&sums(&report.baseline[0]), &expected, TOLERANCE, "report");
    let mask = String::from_utf8(desk.bytes("results/mask.json")).unwrap();
    let mask = MaskFile::from_json(&mask).unwrap();
    assert_eq!(mask.mask, report.pruned.as_ref().unwrap().mask);
    assert_eq!(mask.study.as_ref(), Some(&report.study));
    let bytes = desk.bytes("results/ig.safetensors");
    let file = SafeTensors::deserialize(&bytes).unwrap();
    assert_eq!(file.tensor("layers.0").unwrap().shape(), [4, 24]);

    // The report's items lie beside the study, and a report looks beside itself.
    std::fs::copy(
        desk.0.join("items.jsonl"),
        desk.0.join("results/items.jsonl"),
    )
    .unwrap();
    let found: Value = parsed(&desk.ok(&["reproduce", "results/report.json"]));
    let identical = [
        "mask_identical",
        "accuracy_identical",
        "predictions_identical",
    ];
    for what in identical {
        assert_eq!(found[what], json!(true), "{what}");
    }
    // A link holds its items.
    let mut inline = report.study.clone();
    inline.item_sets[0].items = Some(items(FOLDER));
    inline.item_sets[0].sample = None;
    let shared = Shared {
        study: inline,
        expected: Some(Expected::of_report(&report)),
    };
    let link = format!(
        "https://example.org/page/#{}",
        link::encode(&shared).unwrap()
    );
    let (first, rest) = link.split_at(100);
    for link in [
        link.clone(),
        format!("<{link}>."),
        format!("{first}\n{rest}"),
    ] {
        let found: Value = parsed(&desk.ok(&["reproduce", &link, "--model", "MODEL"]));
        for what in identical {
            assert_eq!(found[what], json!(true), "{what}");
        }
    }
    // Where nothing came with the study, nothing is reproduced.
    let bare = Shared {
        expected: None,
        ..shared
    };
    let link = link::encode(&bare).unwrap();
    let output = desk.run(&["reproduce", &link, "--model", "MODEL"]);
    let found: Value = parsed(&output.stdout);
    for what in identical {
        assert_eq!(found[what], Value::Null, "{what}");
    }
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("nothing to compare"), "{said}");
}

/// A document may come from anyone: which files are read, the command line alone says.
#[test]
fn a_document_names_no_path_of_a_model() {
    let desk = Desk::new("paths");
    let mut far = study();
    far["model"]["id"] = json!(fixture(FOLDER));
    desk.put("far.json", far.to_string());
    let run = ["run", "far.json", "--out", "results"];
    let line = desk.wrong(&run);
    assert!(line.contains("far.json: its model `/"), "{line}");
    assert!(
        line.contains("is a path") && line.contains("--model"),
        "{line}"
    );
    assert!(!desk.0.join("results").exists());
    // The user may name it, and what is written has no path in it.
    let named = ["--model", "MODEL"];
    desk.ok(&[&run[..], &named].concat());
    let report: Report = desk.json("results/report.json");
    assert_eq!(report.study.model.id, FOLDER);
    desk.ok(&["reproduce", "results/report.json"]);

    let mut report: Value = desk.json("results/report.json");
    report["study"]["model"]["id"] = json!("..");
    desk.put("report.json", report.to_string());
    let line = desk.wrong(&["reproduce", "report.json"]);
    assert!(
        line.contains("report.json: its model `..` is a path"),
        "{line}"
    );
    let shared = Shared {
        study: serde_json::from_value(far).unwrap(),
        expected: None,
    };
    let line = desk.wrong(&["reproduce", &link::encode(&shared).unwrap()]);
    assert!(line.contains("link: its model `/"), "{line}");
}

/// A study without a hash is of the model that the user names, and says in its report which one that was.
#[test]
fn a_study_without_a_hash_takes_the_model_that_is_named() {
    let desk = Desk::new("no-hash");
    let mut any = study();
    any["model"] = json!({"id": "any", "sha256": "", "name": "Any"});
    desk.put("any.json", any.to_string());
    desk.ok(&["run", "any.json", "--out", "results", "--model", "MODEL"]);
    let report: Report = desk.json("results/report.json");
    let found = report.study.model;
    assert_eq!(
        (found.id.as_str(), found.name.as_deref()),
        (FOLDER, Some("Any"))
    );
    assert_eq!(found.sha256, model(FOLDER).sha256);
    any["model"]["id"] = json!(FOLDER);
    desk.put("any.json", any.to_string());
    desk.ok(&["run", "any.json", "--out", "results"]);
    let report: Report = desk.json("results/report.json");
    assert_eq!(report.study.model.sha256, model(FOLDER).sha256);
}

/// Results take their places together, once all of them are on disk.
#[cfg(unix)]
#[test]
fn a_run_that_finds_no_room_leaves_the_earlier_results_whole() {
    let desk = Desk::new("no-room");
    desk.put("study.json", study().to_string());
    desk.ok(&["run", "study.json", "--out", "results"]);
    let names = ["report.json", "ig.safetensors", "mask.json"];
    let earlier = names.map(|name| desk.bytes(&format!("results/{name}")));
    let mut other = study();
    other["attribution"]["steps"] = json!(3);
    desk.put("other.json", other.to_string());
    // Room for files of so many blocks, as on a disk that is nearly full: for none of them, and for all but the report.
    for blocks in ["0", "4", "16"] {
        let shell = format!(
            "trap '' XFSZ; ulimit -f {blocks}; exec '{}' run other.json --out results",
            env!("CARGO_BIN_EXE_secateur")
        );
        let output = Command::new("sh")
            .args(["-c", &shell])
            .current_dir(&desk.0)
            .env("SECATEUR_MODELS", fixture(""))
            .output()
            .unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{blocks}: {said}");
        assert!(said.contains("results/"), "{said}");
        let now = names.map(|name| desk.bytes(&format!("results/{name}")));
        assert_eq!(now, earlier, "{blocks}");
        let left = std::fs::read_dir(desk.0.join("results")).unwrap().count();
        assert_eq!(left, names.len(), "nothing else is left behind");
    }
    // With room they give way, and what the new run does not have goes.
    let fewer = other.as_object_mut().unwrap();
    fewer.remove("search");
    desk.put("other.json", other.to_string());
    desk.ok(&["run", "other.json", "--out", "results"]);
    assert!(!desk.0.join("results/mask.json").exists());
    assert_ne!(desk.bytes("results/report.json"), earlier[0]);
}

/// A device that is full, in the place of one of two results.
#[cfg(target_os = "linux")]
#[test]
fn a_result_that_cannot_be_written_takes_the_others_with_it() {
    let desk = Desk::new("full-device");
    desk.put("ig.json", "earlier");
    let rest = [
        "--confidence",
        "0",
        "--steps",
        "2",
        "--out",
        "/dev/full",
        "--summary",
        "ig.json",
    ];
    let output = desk.run(&with("attribute", &rest));
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("/dev/full"), "{said}");
    assert_eq!(desk.bytes("ig.json"), b"earlier");
}

/// The mask of `prune` brings all that it was made of: run as a study, it comes out the same.
#[test]
fn the_mask_of_a_selection_brings_the_attribution_that_it_is_of() {
    let desk = Desk::new("provenance");
    let rest = [
        "--layer",
        "1",
        "--percent",
        "20",
        "--confidence",
        "0",
        "--steps",
        "2",
        "--control",
        "2",
        "--seed",
        "5",
        "--choice-order",
        "3",
        "--few-shot",
        "1",
        "--mask-out",
        "mask.json",
    ];
    desk.ok(&with("prune", &rest));
    let mask = String::from_utf8(desk.bytes("mask.json")).unwrap();
    let file = MaskFile::from_json(&mask).unwrap();
    let mut study = file.study.unwrap();
    assert_eq!(study.attribution.as_ref().unwrap().steps, 2);
    // The selection makes it, not the mask that it made.
    study.pruning.as_mut().unwrap().mask = None;
    desk.put("study.json", serde_json::to_string(&study).unwrap());
    desk.ok(&["run", "study.json", "--model", "MODEL", "--out", "again"]);
    let again = String::from_utf8(desk.bytes("again/mask.json")).unwrap();
    let again = MaskFile::from_json(&again).unwrap();
    assert_eq!(again.mask, file.mask);
    assert_eq!(again.results[0].after, file.results[0].after);
    let (first, second) = (file.control.unwrap(), again.control.unwrap());
    assert_eq!(first.sets[0].accuracies, second.sets[0].accuracies);
    desk.ok(&with(
        "prune",
        &["--mask", "mask.json", "--mask-out", "by-hand.json"],
    ));
    let by_hand: Value = desk.json("by-hand.json");
    assert_eq!(by_hand["study"].get("attribution"), None);
}

/// A different result is no wrong input: exit code 1, and the comparison is printed all the same.
#[test]
fn a_report_that_does_not_reproduce_is_told_apart() {
    let desk = Desk::new("not-reproduced");
    desk.put("study.json", study().to_string());
    desk.ok(&["run", "study.json", "--out", "."]);
    let mut report: Value = desk.json("report.json");
    // Another attribution, and the mask that follows from it.
    let layer = report["study"]["pruning"]["selection"]["layer"]
        .as_u64()
        .unwrap() as usize;
    let of_mask = |report: &Value| -> Vec<usize> {
        let neurons = report["pruned"]["mask"]["layers"][0]["neurons"].clone();
        serde_json::from_value(neurons).unwrap()
    };
    let mut neurons = of_mask(&report);
    let scores = report["attribution"]["scores"][layer]
        .as_array_mut()
        .unwrap();
    let size = |neuron: usize| scores[neuron].as_f64().unwrap().abs();
    let weakest = (0..neurons.len())
        .min_by(|&a, &b| size(neurons[a]).total_cmp(&size(neurons[b])))
        .unwrap();
    let free = (0..24).find(|neuron| !neurons.contains(neuron)).unwrap();
    scores[free] = json!(1000.0);
    neurons[weakest] = free;
    neurons.sort_unstable();
    for place in ["/pruned/mask", "/study/pruning/mask"] {
        report.pointer_mut(place).unwrap()["layers"][0]["neurons"] = json!(neurons);
    }
    desk.put("report.json", report.to_string());
    let output = desk.run(&["reproduce", "report.json"]);
    let found: Value = parsed(&output.stdout);
    assert_eq!(found["mask_identical"], json!(false));
    assert_eq!(output.status.code(), Some(1));
    // Accuracies that are not those of the report's own items are wrong input.
    let right = &mut report["baseline"][0]["accuracy"]["correct"];
    *right = json!((right.as_u64().unwrap() + 1) % 4);
    desk.put("report.json", report.to_string());
    let line = desk.wrong(&["reproduce", "report.json"]);
    assert!(
        line.contains("report.json: report: it contradicts itself"),
        "{line}"
    );
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

#[test]
fn wrong_input_is_one_line_that_says_what_and_where() {
    let desk = Desk::new("wrong");
    let good = canonical_jsonl(&items(FOLDER));
    desk.put(
        "bad.jsonl",
        format!("{good}{{\"context\":\"q\",\"choices\":[\"a\"],\"gold\":0}}\n"),
    );
    desk.put("nothing.jsonl", "\n");
    desk.put("text.json", "no JSON");
    desk.put(
        "outside.json",
        r#"{"site":"post","layers":[{"layer":7,"neurons":[0]}]}"#,
    );
    desk.put(
        "long.jsonl",
        format!(
            r#"{{"id":"long","context":"{}","choices":["a","the dog"],"gold":0}}"#,
            "cat ".repeat(200)
        ),
    );
    let input = |model, items| {
        [
            "score",
            "--model",
            model,
            "--items",
            items,
            "--template",
            "plain",
        ]
    };
    let mut other = study();
    other["model"]["sha256"] = json!("0123456789abcdef");
    desk.put("other-model.json", other.to_string());
    let mut changed = study();
    changed["item_sets"][0]["sha256"] = json!("0");
    desk.put("other-items.json", changed.to_string());
    let mut later = study();
    later["version"] = json!(2);
    desk.put("later.json", later.to_string());
    let cases: Vec<(Vec<&str>, &[&str])> = vec![
        (
            input("no-such-model", "items.jsonl").to_vec(),
            &["no-such-model"],
        ),
        (
            input("no/such/model", "items.jsonl").to_vec(),
            &["no/such/model", "no such file"],
        ),
        (input("MODEL", "missing.jsonl").to_vec(), &["missing.jsonl"]),
        (
            input("MODEL", "bad.jsonl").to_vec(),
            &["bad.jsonl:5", "2 to 26"],
        ),
        (
            input("MODEL", "nothing.jsonl").to_vec(),
            &["nothing.jsonl", "no items"],
        ),
        (input("MODEL", "long.jsonl").to_vec(), &["`long`", "128"]),
        (
            vec![
                "score",
                "--model",
                "MODEL",
                "--items",
                "items.jsonl",
                "--template",
                "mine",
            ],
            &["`mine`", "plain@1"],
        ),
        (with("prune", &[]), &["--mask", "--percent"]),
        (
            with("prune", &["--mask", "missing.json"]),
            &["missing.json"],
        ),
        (
            with("prune", &["--mask", "text.json"]),
            &["text.json", "line 1"],
        ),
        (
            with("prune", &["--mask", "outside.json"]),
            &["layer 7", "3 layers"],
        ),
        (
            with(
                "prune",
                &["--layer", "3", "--percent", "10", "--confidence", "0"],
            ),
            &["layer 3", "3 layers"],
        ),
        (
            with(
                "prune",
                &["--layer", "0", "--percent", "101", "--confidence", "0"],
            ),
            &["percentage", "101"],
        ),
        (
            with(
                "attribute",
                &["--confidence", "1", "--out", "ig.safetensors"],
            ),
            &["confidence threshold", "highest"],
        ),
        (
            with("attribute", &["--steps", "0", "--out", "ig.safetensors"]),
            &["steps", "is 0"],
        ),
        (
            with("tune", &["--validation", "items.jsonl", "--layer", "3"]),
            &["layer 3"],
        ),
        // Before the work whose result could not be written.
        (
            with("attribute", &["--out", "nowhere/ig.safetensors"]),
            &["nowhere/ig.safetensors", "folder does not exist"],
        ),
        (
            with("score", &["--out", "."]),
            &["is a folder", "name a file"],
        ),
        (
            with("attribute", &["--out", "one.json", "--summary", "one.json"]),
            &["one.json", "two results"],
        ),
        (
            with(
                "attribute",
                &["--out", "one.json", "--summary", "./one.json"],
            ),
            &["one.json", "two results"],
        ),
        (
            with("score", &["--out", "items.jsonl"]),
            &["items.jsonl", "is read as well"],
        ),
        (with("search", &["--percents", "0"]), &["percentage"]),
        (with("search", &["--percents", "-5"]), &["percentage", "-5"]),
        (vec!["reproduce", "#s2.abcd"], &["link", "s1."]),
        (
            vec!["forward", "--model", "MODEL", "--prompt", ""],
            &["the prompt is empty"],
        ),
        (
            vec!["run", "missing.json", "--out", "out"],
            &["missing.json"],
        ),
        (
            vec!["run", "text.json", "--out", "out"],
            &["text.json", "line 1"],
        ),
        (
            vec!["run", "later.json", "--out", "out"],
            &["later.json", "version 2"],
        ),
        (
            vec!["run", "other-model.json", "--out", "out"],
            &["0123456789ab", FOLDER],
        ),
        (
            vec!["run", "other-items.json", "--out", "out"],
            &["`reference`", "sha256"],
        ),
        (vec!["reproduce", "s1.damaged!"], &["link"]),
        (vec!["reproduce", "text.json"], &["text.json"]),
        (vec!["inspect", "no-such-model"], &["no-such-model"]),
    ];
    for (arguments, named) in cases {
        let line = desk.wrong(&arguments);
        for text in named {
            assert!(line.contains(text), "{arguments:?}: {line}");
        }
    }
    assert!(
        !desk.0.join("out").exists(),
        "nothing is written for a study that does not run"
    );
}

#[test]
fn a_damaged_weight_file_is_one_line_as_well() {
    let desk = Desk::new("damaged");
    for name in ["config.json", "tokenizer.json"] {
        let path = fixture(FOLDER).join(name);
        desk.put(name, std::fs::read(path).unwrap());
    }
    let whole = std::fs::read(fixture(FOLDER).join("model.safetensors")).unwrap();
    for (weights, named) in [
        (&whole[..whole.len() - 5], "cut off"),
        (&whole[..100], "cut off"),
        (
            b"<!DOCTYPE html><html></html>",
            "neither a safetensors nor a GGUF file",
        ),
        (b"", "neither a safetensors nor a GGUF file"),
    ] {
        desk.put("model.safetensors", weights);
        let line = desk.wrong(&["inspect", "."]);
        assert!(line.contains(named), "{line}");
        assert!(line.contains("model.safetensors"), "{line}");
    }
}

/// Arguments that are refused before anything is read: clap's message, which names the argument.
#[test]
fn arguments_out_of_their_list_are_refused_with_the_list() {
    let desk = Desk::new("arguments");
    for (rest, named) in [
        (vec!["--preset", "thorough"], "paper, paper-code, fast"),
        (vec!["--path", "sideways"], "per_layer"),
        (vec!["--layer", "1"], "--percent"),
    ] {
        let output = desk.run(&with("prune", &rest));
        assert_eq!(output.status.code(), Some(2), "{rest:?}");
        let errors = String::from_utf8(output.stderr).unwrap();
        assert!(errors.contains(named), "{errors}");
    }
}

/// The document that the program writes is one that it reads.
#[test]
fn the_study_of_a_report_runs_again() {
    let desk = Desk::new("again");
    desk.put("study.json", study().to_string());
    desk.ok(&["run", "study.json", "--out", "first"]);
    let first: Report = desk.json("first/report.json");
    let again: Study = first.study.clone();
    desk.put("again.json", serde_json::to_string(&again).unwrap());
    desk.ok(&["run", "again.json", "--out", "second"]);
    let second: Report = desk.json("second/report.json");
    assert_eq!(second.study, first.study);
    assert_eq!(second.baseline[0].items, first.baseline[0].items);
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
    let golden = common::tensors(&format!("{MODEL}/golden.safetensors"));
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

/// What lies beside a result, and what others write to standard output, stays as it is.
#[test]
fn nothing_but_the_result_is_written() {
    let desk = Desk::new("beside");
    let good = canonical_jsonl(&items(FOLDER));
    desk.put("scores.json.partial", &good);
    let input = [
        "--model",
        "MODEL",
        "--items",
        "scores.json.partial",
        "--template",
        "plain",
    ];
    desk.ok(&[&["score"], &input[..], &["--out", "scores.json"]].concat());
    assert_eq!(desk.bytes("scores.json.partial"), good.as_bytes());
    let scores: SetScores = desk.json("scores.json");
    assert_eq!(scores.items.len(), items(FOLDER).len());

    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let of = |name: &str| std::fs::metadata(desk.0.join(name)).unwrap().permissions();
        assert_eq!(
            of("scores.json"),
            of("scores.json.partial"),
            "a new one is as others are"
        );
        let own = PermissionsExt::from_mode(0o640);
        std::fs::set_permissions(desk.0.join("scores.json"), own).unwrap();
        desk.ok(&[&["score"], &input[..], &["--out", "scores.json"]].concat());
        assert_eq!(of("scores.json").mode() & 0o777, 0o640);
    }

    let log = desk.0.join("log.txt");
    std::fs::write(&log, "before\n").unwrap();
    let log_file = std::fs::OpenOptions::new().append(true).open(&log).unwrap();
    let status = Command::new(env!("CARGO_BIN_EXE_secateur"))
        .args([
            "items",
            "convert",
            "scores.json.partial",
            "--out",
            "/dev/stdout",
        ])
        .current_dir(&desk.0)
        .stdout(log_file)
        .status()
        .unwrap();
    assert!(status.success());
    assert_eq!(
        std::fs::read_to_string(&log).unwrap(),
        format!("before\n{good}")
    );

    desk.put("own.jsonl", format!("{good}nonsense\n"));
    let line = desk.wrong(&[
        "items",
        "convert",
        "--partial",
        "own.jsonl",
        "--out",
        "own.jsonl",
    ]);
    assert!(line.contains("is read as well"), "{line}");
    assert_eq!(
        desk.bytes("own.jsonl"),
        format!("{good}nonsense\n").as_bytes()
    );
    let left: Vec<String> = std::fs::read_dir(&desk.0)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.starts_with(".secateur"))
        .collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn what_a_sceptic_asks_is_answered() {
    let desk = Desk::new("sceptic");
    let answer = |command: &str, rest: &[&str]| -> Value { parsed(&desk.ok(&with(command, rest))) };
    let effects = answer("effects", &["--layers", "1"]);
    let exact: Vec<&Value> = effects["layers"]
        .as_array()
        .unwrap()
        .iter()
        .map(|layer| &layer["exact"])
        .collect();
    assert_eq!(exact, [false, true, false]);
    assert_eq!(effects["settings"]["target"], "gold_margin");

    let few = ["--confidence", "0", "--resamples", "5"];
    let race = answer("race", &[&few[..], &["--layers", "0,2"]].concat());
    assert_eq!(race["layers"], serde_json::json!([0, 2]));
    assert_eq!(
        race["methods"][0]["settings"]["method"],
        "integrated_gradients"
    );
    let top = [&few[..], &["--layer", "1", "--percent", "100"]].concat();
    let stability = answer("stability", &top);
    assert_eq!(
        (&stability["neurons"], &stability["resamples"]),
        (&24.into(), &5.into())
    );

    assert_eq!(answer("audit", &[])["asked"][1]["question"], "meaningless");
    let settings = ["--confidence", "0", "--method", "gradient_times_activation"];
    let others = [&settings[..], &["--against", "items.jsonl"]].concat();
    let same = answer("contrast", &others);
    let differences = same["layers"][0]["difference"].as_array().unwrap();
    assert!(differences.iter().all(|difference| difference == 0.0));
    let portrait = answer("neuron", &["--layer", "2", "--neuron", "7"]);
    assert_eq!(portrait["address"], "blocks.2.mlp.hook_post[7]");
    let items: Value = parsed(&desk.ok(&with("score", &[])));
    let id = items["items"][0]["id"].as_str().unwrap();
    let salience = answer("salience", &["--item", id]);
    let count = |field: &str| salience[field].as_array().unwrap().len();
    assert_eq!(count("tokens"), count("scores"));

    let report = [
        "--confidence",
        "0",
        "--resamples",
        "5",
        "--json",
        "all.json",
    ];
    let text = String::from_utf8(desk.ok(&with("critique", &report))).unwrap();
    for question in [
        "What drives the answers?",
        "Why this method?",
        "looked at once",
    ] {
        assert!(text.contains(question), "{text}");
    }
    let all: Value = desk.json("all.json");
    assert_eq!(all["search"]["luck"]["best"].as_array().unwrap().len(), 3);
}
