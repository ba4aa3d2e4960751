//! What an earlier run left in a folder: it alone gives way to a new one.

use std::collections::HashMap;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::CliError;
use super::files::read_text;
use crate::study::report;

/// The files of a run.
pub(super) const REPORT: &str = "report.json";
pub(super) const SCORES: &str = "ig.safetensors";
pub(super) const MASK: &str = "mask.json";

/// Longest header of scores that is read, in bytes: it names every item that was used.
const LONGEST_HEADER: u64 = 64 << 20;

/// The files in a folder that an earlier run left there: its report, and beside it the mask and the scores that the report is of.
/// Others of these names are refused, since they would be lost.
pub(super) fn of_run(folder: &Path) -> Result<Vec<PathBuf>, CliError> {
    let report = read_report(&folder.join(REPORT));
    let mut found = Vec::new();
    for name in [REPORT, SCORES, MASK] {
        let path = folder.join(name);
        if !path.exists() {
            continue;
        }
        let is_own = report.as_ref().is_some_and(|report| match name {
            MASK => is_mask_of(&path, report),
            SCORES => are_scores_of(&path, report),
            _ => true,
        });
        if !is_own {
            return Err(CliError::Input(format!(
                "{}: not of an earlier run, whose {REPORT} would be here; name another folder, or move it away",
                path.display()
            )));
        }
        found.push(path);
    }
    Ok(found)
}

/// A report of any version.
fn read_report(path: &Path) -> Option<Value> {
    let report: Value = parsed(&read_text(path).ok()?)?;
    (report.get("format")? == report::FORMAT).then_some(report)
}

/// Whether a mask says of itself that the report's study made it.
fn is_mask_of(path: &Path, report: &Value) -> bool {
    let mask = read_text(path).ok().and_then(|text| parsed::<Value>(&text));
    let mut study = report["study"].clone();
    // A mask's file has none.
    if let Some(study) = study.as_object_mut() {
        study.remove("kept_masks");
    }
    mask.is_some_and(|mask| mask["study"].is_object() && mask["study"] == study)
}

/// Whether scores say of themselves that they are of the report's attribution.
fn are_scores_of(path: &Path, report: &Value) -> bool {
    let Some(metadata) = metadata_of(path) else {
        return false;
    };
    let attribution = &report["attribution"];
    let says = |name: &str| metadata.get(name).map(String::as_str);
    let says_json = |name: &str| says(name).and_then(parsed::<Value>);
    says("set") == attribution["set"].as_str()
        && says_json("settings").as_ref() == Some(&attribution["settings"])
        && says_json("items").as_ref() == Some(&attribution["items_used"])
        && says_json("model").is_some_and(|model| model["sha256"] == report["model"]["sha256"])
}

/// What a safetensors file says of itself.
fn metadata_of(path: &Path) -> Option<HashMap<String, String>> {
    #[derive(Deserialize)]
    struct Header {
        #[serde(rename = "__metadata__")]
        metadata: HashMap<String, String>,
    }
    let mut file = File::open(path).ok()?;
    let mut length = [0; 8];
    file.read_exact(&mut length).ok()?;
    let length = u64::from_le_bytes(length);
    if length > LONGEST_HEADER {
        return None;
    }
    let mut header = String::new();
    file.take(length).read_to_string(&mut header).ok()?;
    parsed::<Header>(&header).map(|header| header.metadata)
}

fn parsed<T: DeserializeOwned>(text: &str) -> Option<T> {
    serde_json::from_str(text).ok()
}
