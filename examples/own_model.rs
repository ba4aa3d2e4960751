//! Looks at a model's files before and after it is loaded, and has it go on with a text.
//!
//! `cargo run --example own_model -- path/to/model`: a GGUF file, or a folder with safetensors, `config.json` and
//! `tokenizer.json`. Without an argument it takes the shipped model.

use std::error::Error;

use secateur::job::{Job, Silent};
use secateur::model::{Compute, Opened, Precision};
use secateur::store::resolve_model;

/// What a model makes of a text, in so many tokens.
pub async fn go_on(model: &str, text: &str, tokens: usize) -> Result<String, Box<dyn Error>> {
    let host = Silent::default();
    let job = Job::new(&host);
    let compute = Compute::flex();

    // The headers and the small files are read first: enough to say whether the model fits.
    let opened = Opened::new(resolve_model(model)?.open()?).await?;
    let config = opened.config();
    println!(
        "{}: {} layers of {} neurons, {:.0} MB in 32-bit floats",
        config.family.name(),
        config.n_layers,
        config.d_mlp,
        config.load_bytes(Precision::F32) as f64 / 1e6
    );
    compute.check_fits(config)?;

    let model = opened.load(model, &compute, job).await?;
    println!(
        "{} tensors used; not used: {:?}",
        model.report.applied, model.report.unused
    );
    for note in &model.report.notes {
        println!("note: {note}");
    }
    let found = model.forward(text, tokens, job).await?;
    println!("{text} →{}", found.text);
    Ok(found.text)
}

#[allow(dead_code, reason = "a test runs what it calls")]
fn main() -> Result<(), Box<dyn Error>> {
    let model = std::env::args()
        .nth(1)
        .unwrap_or_else(|| "lesson-planted".to_owned());
    pollster::block_on(go_on(
        &model,
        "steel attic jug glacier pan red : which desk for fatima",
        3,
    ))?;
    Ok(())
}
