//! Whole studies: run into a folder, and reproduced.

use std::process::Command;

use safetensors::SafeTensors;
use secateur::export::MaskFile;
use secateur::study::link::{self, Shared};
use secateur::study::{Expected, Report, Study};
use serde_json::{Value, json};

use crate::common::{assert_close, fixture, items, model};
use crate::{Desk, FOLDER, TOLERANCE, golden, parsed, study, sums, with};

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
        assert!(!said.contains(".partial"), "{said}");
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

#[test]
fn a_run_overwrites_nothing_that_it_reads() {
    let desk = Desk::new("run-inputs");
    std::fs::create_dir(desk.0.join("results")).unwrap();
    let items = desk.bytes("items.jsonl");
    desk.put("results/report.json", &items);
    let mut study = study();
    study["item_sets"][0]["sample"] = json!("report.json");
    desk.put("results/study.json", study.to_string());
    let line = desk.wrong(&["run", "results/study.json", "--out", "results"]);
    assert!(
        line.contains("results/report.json") && line.contains("is read as well"),
        "{line}"
    );
    assert_eq!(desk.bytes("results/report.json"), items);
}

#[test]
fn a_run_replaces_what_an_earlier_one_left_and_nothing_else() {
    let desk = Desk::new("run-earlier");
    desk.put("study.json", study().to_string());
    let run = ["run", "study.json", "--out", "results"];
    let refused = |file: &str, holds: &[u8]| {
        let line = desk.wrong(&run);
        assert!(
            line.contains(file) && line.contains("not of an earlier run"),
            "{line}"
        );
        assert_eq!(desk.bytes(file), holds);
    };
    std::fs::create_dir(desk.0.join("results")).unwrap();
    desk.put("results/report.json", r#"{"mine":1}"#);
    refused("results/report.json", br#"{"mine":1}"#);
    std::fs::remove_file(desk.0.join("results/report.json")).unwrap();
    desk.ok(&run);
    desk.ok(&run);
    // What other commands wrote there is not of that run.
    let own = desk.bytes("results/mask.json");
    let selection = ["--layer", "1", "--percent", "20", "--confidence", "0"];
    desk.ok(&with(
        "prune",
        &[
            &selection[..],
            &["--out", "p.json", "--mask-out", "results/mask.json"],
        ]
        .concat(),
    ));
    refused("results/mask.json", &desk.bytes("results/mask.json"));
    desk.put("results/mask.json", own);
    desk.ok(&with(
        "attribute",
        &["--confidence", "0", "--out", "results/ig.safetensors"],
    ));
    refused(
        "results/ig.safetensors",
        &desk.bytes("results/ig.safetensors"),
    );
}

#[test]
fn a_link_may_stand_in_a_file_or_on_standard_input() {
    let desk = Desk::new("link-file");
    desk.put("study.json", study().to_string());
    desk.ok(&["run", "study.json", "--out", "results"]);
    let report: Report = desk.json("results/report.json");
    let shared = Shared {
        expected: Some(Expected::of_report(&report)),
        study: report.study,
    };
    let link = link::encode(&shared).unwrap();
    desk.put("mail.txt", format!("see <https://example.org/#{link}>\n"));
    desk.ok(&["reproduce", "mail.txt", "--model", "MODEL"]);
    for name in ["mail.txt", "results/report.json"] {
        let file = std::fs::File::open(desk.0.join(name)).unwrap();
        let mut command = desk.command(&["reproduce", "-", "--model", "MODEL"]);
        let output = command.stdin(file).output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.success(), "{name}: {said}");
    }
    let long = format!("S1.{}", "x".repeat(5000));
    for (source, named) in [
        ("s1.report.json", "s1.report.json: there is no such file"),
        (&long[..], "…: there is no such file, and it is no link"),
    ] {
        let line = desk.wrong(&["reproduce", source]);
        assert!(line.contains(named) && line.len() < 200, "{line}");
    }
}
