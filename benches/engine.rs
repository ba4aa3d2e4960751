//! How long the engine takes, as ratios within one run: `cargo xtask bench`.
//!
//! | line | what is compared |
//! |---|---|
//! | forward | a base run of 64 tokens, with its logits, against the bare matrix products of the same run |
//! | attribution | all-layer Integrated Gradients of one prompt: forks in one sweep, against a forward pass |
//! | few shots | scoring items after the same shots: their run shared, against one run for each prompt |
//! | loading | seconds, and the peak memory of this process beyond the weights in f32 (Linux) |
//!
//! With SmolLM2-135M-Instruct where `cargo xtask model smollm2-135m-instruct` has fetched it, else with the
//! shipped model. The seconds are this machine's; the ratios travel.

use std::time::Instant;

use burn::tensor::{Device, Distribution, Tensor};
use secateur::attribution::sweep::Sweep;
use secateur::attribution::target::Target;
use secateur::attribution::{Settings, TargetKind};
use secateur::job::{Job, Silent};
use secateur::model::{Capture, Compute, Config, Gains, Model};
use secateur::store::resolve_model;

const FORWARD_TOKENS: usize = 64;
const ATTRIBUTED_TOKENS: usize = 29;
const STEPS: usize = 20;
const SHOTS: usize = 5;
const ASKED: usize = 16;

/// Runs `work` once to warm up and then `times`; the median in seconds.
fn median_secs(times: usize, mut work: impl FnMut()) -> f64 {
    work();
    let mut seconds: Vec<f64> = (0..times)
        .map(|_| {
            let start = Instant::now();
            work();
            start.elapsed().as_secs_f64()
        })
        .collect();
    seconds.sort_by(f64::total_cmp);
    seconds[times / 2]
}

/// Peak resident memory of this process so far, in bytes.
fn peak_memory() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib * 1024)
}

fn load(compute: &Compute, job: Job<'_>) -> Model {
    let found = ["smollm2-135m-instruct", "lesson-planted"]
        .into_iter()
        .find_map(|id| resolve_model(id).ok())
        .expect("a model under models/");
    let files = found.open().expect("readable files");
    pollster::block_on(Model::load(&found.id, files, compute, job)).expect("a model that loads")
}

/// The matrix products of a forward pass and nothing else.
fn products(config: &Config, tokens: usize, device: &Device) -> impl FnMut() {
    let random = |rows, columns| {
        Tensor::<2>::random([rows, columns], Distribution::Normal(0.0, 1.0), device)
    };
    let (d_model, d_mlp) = (config.d_model, config.d_mlp);
    let d_qkv = config.d_head * (config.n_heads + 2 * config.n_kv_heads);
    let pairs = [
        (random(tokens, d_model), random(d_qkv, d_model).transpose()),
        (
            random(tokens, config.n_heads * config.d_head),
            random(d_model, config.n_heads * config.d_head).transpose(),
        ),
        (
            random(tokens, d_model),
            random(2 * d_mlp, d_model).transpose(),
        ),
        (random(tokens, d_mlp), random(d_mlp, d_model)),
    ];
    let n_layers = config.n_layers;
    move || {
        for _ in 0..n_layers {
            for (x, weight) in &pairs {
                std::hint::black_box(x.clone().matmul(weight.clone()).into_data());
            }
        }
    }
}

fn main() {
    let silent = Silent::default();
    let job = Job::new(&silent);
    let compute = Compute::flex();
    let device = compute.device.clone();

    let start = Instant::now();
    let model = load(&compute, job);
    let seconds = start.elapsed().as_secs_f64();
    let config = model.config().clone();
    let weights = 4 * config.n_parameters();
    println!(
        "model        {}, {} parameters",
        model.id,
        config.n_parameters()
    );
    if let Some(peak) = peak_memory() {
        let mb = |bytes: u64| bytes as f64 / 1e6;
        println!(
            "loading      {seconds:.2} s; peak {:.0} MB = weights in f32 {:.0} MB + {:.0} MB",
            mb(peak),
            mb(weights),
            mb(peak.saturating_sub(weights)),
        );
    }

    let ids: Vec<u32> = (0..FORWARD_TOKENS.min(config.context_length) as u32)
        .map(|i| (i * 37 + 11) % config.vocabulary as u32)
        .collect();
    let forward = |tokens: usize| {
        let run = pollster::block_on(model.decoder.base_run(
            &[&ids[..tokens]],
            &Gains::none(),
            Capture::KeyValues,
            job,
        ))
        .expect("a forward pass");
        std::hint::black_box(model.decoder.last_logits(&run).into_data());
    };
    let tokens = ids.len();
    let forward_secs = median_secs(5, || forward(tokens));
    let products_secs = median_secs(5, products(&config, tokens, &device));
    println!(
        "forward      {tokens} tokens {forward_secs:.3} s = {:.2} × its bare matrix products ({products_secs:.3} s)",
        forward_secs / products_secs
    );

    let prompt = &ids[..ATTRIBUTED_TOKENS.min(tokens)];
    let settings = Settings {
        steps: STEPS,
        target: TargetKind::ChoiceFirstToken,
        ..Settings::preset("fast").expect("the preset")
    };
    let attribute = || {
        let prompts = [prompt];
        pollster::block_on(async {
            let base = model
                .decoder
                .base_run(&prompts, &Gains::none(), Capture::All, job)
                .await?;
            let target =
                Target::freeze(&model.decoder, &base, settings.target, &[prompt[0]]).await?;
            Sweep::new(&model.decoder, &prompts, &base, &target, &settings)
                .run(job)
                .await
        })
        .expect("an attribution");
    };
    let short_secs = median_secs(5, || forward(prompt.len()));
    let attribute_secs = median_secs(3, attribute);
    println!(
        "attribution  {} tokens, {} layers, {STEPS} steps {attribute_secs:.2} s = {:.1} forward passes of that prompt; \
         full re-runs would need {}",
        prompt.len(),
        config.n_layers,
        attribute_secs / short_secs,
        config.n_layers * STEPS,
    );
    few_shots(&model, job);
}

/// Log-likelihoods of items after the same shots, with the shots' run shared and without.
fn few_shots(model: &Model, job: Job<'_>) {
    use secateur::items::{FewShot, Prompts, Template, parse_items};
    use secateur::scoring::{Batch, BatchRun, SharedRun, batches, encode};

    let path = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/models/items/general-knowledge.jsonl"
    );
    let items = parse_items(&std::fs::read_to_string(path).expect("the bundled items")).items;
    let few_shot = FewShot {
        k: SHOTS,
        seed: None,
        set: None,
    };
    let template = Template::named("question-answer").expect("the template");
    let (shots, asked) = items.split_at(SHOTS);
    let asked = &asked[..ASKED.min(asked.len())];
    let prompts = Prompts::with_shots(template, &few_shot, shots).expect("enough items");
    let Ok(encoded) = encode(model, asked, &prompts) else {
        println!("few shots    left out: this model has no room for them");
        return;
    };
    let shared = batches(&encoded, &model.decoder);
    let alone: Vec<Batch> = shared
        .iter()
        .cloned()
        .map(|mut batch| {
            for prompt in &mut batch.prompts {
                prompt.splice(0..0, batch.shared.iter().copied());
            }
            batch.shared.clear();
            batch
        })
        .collect();
    let run = |batches: &[Batch]| {
        let none = Gains::none();
        pollster::block_on(async {
            let mut kept = SharedRun::default();
            for batch in batches {
                let (decoder, capture) = (&model.decoder, Capture::KeyValues);
                let run = BatchRun::new(decoder, batch, &none, capture, &mut kept, job).await?;
                std::hint::black_box(
                    run.top()
                        .read_log_probabilities(decoder, batch, job)
                        .await?,
                );
            }
            Ok::<(), secateur::model::ModelError>(())
        })
        .expect("scores");
    };
    let shared_secs = median_secs(3, || run(&shared));
    let alone_secs = median_secs(3, || run(&alone));
    let tokens = shared.first().map_or(0, |batch| batch.shared.len());
    println!(
        "few shots    {} items after {SHOTS} shots ({tokens} tokens shared) {shared_secs:.2} s; without sharing {:.1} times \
         as long",
        asked.len(),
        alone_secs / shared_secs
    );
}
