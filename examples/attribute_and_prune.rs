//! Finds the neurons that drive a model's answers, switches the strongest of one layer off, and measures what changes.
//!
//! `cargo run --release --example attribute_and_prune`

use std::error::Error;

use secateur::attribution::Settings;
use secateur::items::{Template, parse_items};
use secateur::job::{Job, Silent};
use secateur::model::{Compute, Model};
use secateur::pruning::effect::PruneReport;
use secateur::pruning::selection::{TopPercent, ranked};
use secateur::store::{resolve_model, sample_path};
use secateur::study::Session;

/// Prunes what the method finds in the shipped model, which has learnt a shortcut. Its neurons are picked on one set, and the effect is
/// measured on another one, where the shortcut leads astray.
pub async fn attribute_and_prune() -> Result<PruneReport, Box<dyn Error>> {
    let host = Silent::default();
    let job = Job::new(&host);
    let compute = Compute::flex();
    let files = resolve_model("lesson-planted")?.open()?;
    let model = Model::load("lesson-planted", files, &compute, job).await?;
    let mut session = Session::new(compute, model, Template::named("plain@1")?);
    for set in ["attribution", "shifted"] {
        let path = sample_path(&format!("lesson-planted-{set}")).ok_or("no such set")?;
        let mut items = parse_items(&std::fs::read_to_string(path)?).items;
        items.truncate(40);
        session.change(|bench| bench.set_items(set, items));
    }

    let settings = Settings::preset("fast").ok_or("no such preset")?;
    let attribution = session.attribute("attribution", &settings, job).await?;
    for neuron in ranked(attribution, None, 5, None) {
        println!(
            "{:2}. {:28} {:+.4}",
            neuron.rank, neuron.address, neuron.score
        );
    }
    for gap in &attribution.gaps {
        println!(
            "layer {:?}: {:.1e} is missing of {:.3}",
            gap.layer, gap.gap, gap.difference
        );
    }

    let top = TopPercent {
        layer: 0,
        percent: 5.0,
    };
    let mask = session.mask_top(top)?;
    let report = session.prune(mask, &["shifted".to_owned()], job).await?;
    for set in &report.sets {
        println!(
            "{} without {} neurons: {} of {} right, and {} before",
            set.set,
            report.neurons,
            set.after.accuracy.correct,
            set.before.total,
            set.before.correct
        );
    }
    Ok(report)
}

#[allow(dead_code, reason = "a test runs what it calls")]
fn main() -> Result<(), Box<dyn Error>> {
    pollster::block_on(attribute_and_prune())?;
    Ok(())
}
