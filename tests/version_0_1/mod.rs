//! Documents that version 0.1 wrote open as before, lose nothing, and reproduce.

use std::path::{Path, PathBuf};

use secateur::export::MaskFile;
use secateur::items::{Item, parse_items};
use secateur::model::device::Compute;
use secateur::study::link::{self, Shared};
use secateur::study::{Report, Reproduction, Session, Study, StudyError, runner};
use serde_json::Value;

use crate::common::{fixture, job, model, plain, wait};

/// The shipped model, seen from the fixtures.
const LESSON: &str = "../../models/lesson-planted";

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/version_0_1")
}

fn text(name: &str) -> String {
    std::fs::read_to_string(folder().join(name)).unwrap()
}

/// The documents whose names end so, with their texts.
fn documents(ending: &str) -> Vec<(String, String)> {
    let files = std::fs::read_dir(folder()).unwrap();
    let names = files.map(|file| file.unwrap().file_name().into_string().unwrap());
    let mut found: Vec<_> = names
        .filter(|name| name.ends_with(ending))
        .map(|name| (name.clone(), text(&name)))
        .collect();
    found.sort();
    assert!(found.len() >= 2, "{ending}");
    found
}

/// Whether everything that a document says is said by another one, which may say more.
fn holds(new: &Value, old: &Value) -> bool {
    match (new, old) {
        (Value::Object(new), Value::Object(old)) => old
            .iter()
            .all(|(key, old)| new.get(key).is_some_and(|new| holds(new, old))),
        (Value::Array(new), Value::Array(old)) => {
            new.len() == old.len() && new.iter().zip(old).all(|(new, old)| holds(new, old))
        }
        // JavaScript writes 5 for 5.0, and a 32-bit float with the digits of a 64-bit one.
        (Value::Number(new), Value::Number(old)) => {
            let float = |number: &serde_json::Number| number.as_f64().map(|number| number as f32);
            new == old || float(new) == float(old)
        }
        _ => new == old,
    }
}

fn assert_holds(name: &str, new: &impl serde::Serialize, old: &str) {
    // By way of a text, since a 32-bit float has other digits as a 64-bit one.
    let new = serde_json::from_str(&serde_json::to_string(new).unwrap()).unwrap();
    assert!(holds(&new, &serde_json::from_str(old).unwrap()), "{name}");
}

fn bundled(name: &str) -> Result<Vec<Item>, StudyError> {
    let path = fixture("../../models/items").join(format!("{name}.jsonl"));
    Ok(parse_items(&std::fs::read_to_string(path).unwrap()).items)
}

fn run_again(shared: &Shared) -> Reproduction {
    let mut session = Session::new(Compute::flex(), model(LESSON), plain().template().clone());
    let expected = shared.expected.as_ref().unwrap();
    let run = runner::reproduce(&mut session, &shared.study, expected, bundled, job());
    wait(run).unwrap().1
}

fn assert_same(name: &str, found: &Reproduction) {
    assert_eq!(found.accuracy_identical, Some(true), "{name}");
    assert_eq!(found.predictions_identical, Some(true), "{name}");
    assert_ne!(found.mask_identical, Some(false), "{name}");
    assert!(found.log_likelihoods_compared > 0, "{name}");
    assert!(found.largest_log_likelihood_difference < 1e-3, "{name}");
}

#[test]
fn studies_of_version_0_1_lose_nothing() {
    for (name, text) in documents(".study.json") {
        let study = Study::from_json(&text).unwrap();
        assert_holds(&name, &study, &text);
        let shared = Shared::from_document(&text).unwrap();
        assert_eq!((shared.study, shared.expected), (study, None), "{name}");
    }
}

#[test]
fn masks_of_version_0_1_fit_their_model() {
    let model = model(LESSON);
    for (name, text) in documents(".mask.json") {
        let file = MaskFile::from_json(&text).unwrap();
        assert_holds(&name, &file, &text);
        let (mask, warnings) = file.for_model(model.config(), &model.sha256).unwrap();
        assert_eq!(mask, file.mask, "{name}");
        // A bare mask does not say which model it is of.
        assert_eq!(
            warnings.is_empty(),
            name != "bare.mask.json",
            "{name}: {warnings:?}"
        );
    }
}

#[test]
fn reports_of_version_0_1_lose_nothing_and_reproduce() {
    for (name, text) in documents(".report.json") {
        assert_holds(&name, &Report::from_json(&text).unwrap(), &text);
        assert_same(&name, &run_again(&Shared::from_document(&text).unwrap()));
    }
}

#[test]
fn links_of_version_0_1_open_and_reproduce() {
    for (name, text) in documents(".link") {
        let shared = link::decode(text.trim()).unwrap();
        assert_same(&name, &run_again(&shared));
    }
    // The link is of the study that the page saved.
    let saved = Study::from_json(&text("page.study.json")).unwrap();
    assert_eq!(link::decode(text("page.link").trim()).unwrap().study, saved);
}
