//! How long the engine takes, as ratios within one run: `cargo xtask bench`.
//!
//! | line | what is compared |
//! |---|---|
//! | forward | a base run of 64 tokens, with its logits, against the bare matrix products of the same run |
//! | attribution | all-layer Integrated Gradients of one prompt: forks in one sweep, against a forward pass |
//! | few shots | scoring items after the same shots: their run shared, against one run for each prompt |
//! | ablation | the exact effect of every neuron of a prompt of 29 tokens at its last position |
//! | one layer | the exact effect of every neuron of the middle layer, against one full run for each |
//! | to 1 % | Integrated Gradients of one item until each layer misses 1 %, against 20 midpoints |
//! | search cells | a search over three layers, against scoring the items anew under each mask |
//! | search, gains | 20 items, all layers × 6 percentages; 10 steps |
//! | loading | seconds, and the peak memory of this process beyond the weights in f32 (Linux) |
//!
//! With SmolLM2-135M-Instruct where `cargo xtask model smollm2-135m-instruct` has fetched it, else with the
//! shipped model. The seconds are this machine's; the ratios travel. What would take longer than [`MOST_SECS`] by the time
//! of the forward pass is left out. With `SECATEUR_BENCH_NATIVE` the seconds go into that file as well, as JSON.

#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "a measurement that fails is to stop"
)]

#[path = "peers/works.rs"]
mod works;

use std::time::Instant;

use burn::tensor::{Device, Distribution, Tensor};
use secateur::attribution::ablation::{Measured, ablate, measure};
use secateur::attribution::quadrature::Quadrature;
use secateur::attribution::settings::{ADAPTIVE_STEPS, Method};
use secateur::attribution::sweep::Sweep;
use secateur::attribution::target::Target;
use secateur::attribution::{LayerGap, Settings, TargetKind, attribute};
use secateur::items::{Item, Prompts, Template, parse_items};
use secateur::job::{Job, Silent};
use secateur::model::{Capture, Compute, Config, Edit, Model, Site};
use secateur::pruning::Mask;
use secateur::pruning::search::search;
use secateur::pruning::selection::TopPercent;
use secateur::scoring::{ItemScore, Rule, score};
use secateur::store::resolve_model;
use secateur::study::session::TuneRequest;
use secateur::study::{SearchSpec, Session};
use secateur::tuning::TuneSettings;
use serde_json::{Map, Value};
use works::{Asking, ITEMS, SEARCHED, cells};

const FORWARD_TOKENS: usize = 64;
const ATTRIBUTED_TOKENS: usize = 29;
const STEPS: usize = 20;
const SHOTS: usize = 5;
const ASKED: usize = 16;
/// What takes longer is left out.
const MOST_SECS: f64 = 120.0;

/// Seconds of the works that the page has an aim for, as `tests/browser/speed.bench.ts` calls them, or why there are none.
struct Figures {
    /// Of a forward pass of 64 tokens.
    pass_secs: f64,
    values: Map<String, Value>,
}

impl Figures {
    fn note(&mut self, work: &str, seconds: f64) {
        self.values.insert(work.to_owned(), seconds.into());
    }

    /// Measures a work that is about as long as so many forward passes.
    fn within(&mut self, work: &str, passes: f64, measure: impl FnOnce()) {
        let estimate = passes * self.pass_secs;
        if estimate > MOST_SECS {
            println!("{work}: not measured, about {estimate:.0} s by the forward pass");
            let reason = format!("about {estimate:.0} s by the forward pass");
            self.values.insert(work.to_owned(), reason.into());
            return;
        }
        let start = Instant::now();
        measure();
        let seconds = start.elapsed().as_secs_f64();
        println!("{work}: {seconds:.2} s");
        self.note(work, seconds);
    }

    fn write(self) {
        if let Some(path) = std::env::var_os("SECATEUR_BENCH_NATIVE") {
            std::fs::write(path, Value::Object(self.values).to_string()).expect("a file");
        }
    }
}

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
    if std::env::var_os("SECATEUR_BENCH_PEERS").is_some() {
        works::serve(&model, job);
        return;
    }
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
            &Edit::none(),
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
                .base_run(&prompts, &Edit::none(), Capture::All, job)
                .await?;
            let target =
                Target::freeze(&model.decoder, &base, settings.target, &[vec![prompt[0]]]).await?;
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
    one_layer(&model, job);
    to_a_tolerance(&model, job);
    search_cells(&model, job);
    by_halving(&model, job);

    let mut figures = Figures {
        pass_secs: forward_secs,
        values: Map::new(),
    };
    figures.note("forward pass, 64 tokens", forward_secs);
    figures.note(
        "IG, per_layer, last, all layers, 20 midpoints, one item",
        attribute_secs,
    );
    works_of_a_study(compute, model, &mut figures, job);
    figures.write();
}

fn bundled_items() -> Vec<Item> {
    let path = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/models/items/general-knowledge.jsonl"
    );
    parse_items(&std::fs::read_to_string(path).expect("the bundled items")).items
}

/// The first bundled item, how it is put to the model, and its scores.
fn first_item(model: &Model, job: Job<'_>) -> (Vec<Item>, Prompts, Vec<ItemScore>) {
    let items = bundled_items()[..1].to_vec();
    let prompts: Prompts = Template::named("question-answer")
        .expect("the template")
        .into();
    let named = ("bench", items.as_slice());
    let none = Edit::none();
    let scored = score(model, named, &prompts, Rule::Sum, &none, job);
    let scored = pollster::block_on(scored).expect("scores").items;
    (items, prompts, scored)
}

/// One layer's exact ablation, whose neurons climb together from that layer, against a full run without each neuron.
fn one_layer(model: &Model, job: Job<'_>) {
    let config = model.config();
    let layer = config.n_layers / 2;
    let (items, prompts, scores) = first_item(model, job);
    let settings = Settings {
        confidence_threshold: 0.0,
        ..Settings::preset("fast").expect("the preset")
    };
    let settings = settings.by(Method::Ablation);
    let ablation_secs = median_secs(1, || {
        let named = ("bench", items.as_slice());
        let mut measured = [Measured::new(settings.clone(), None)];
        let layers = &[layer][..];
        let measuring = measure(model, named, &prompts, &scores, layers, &mut measured, job);
        pollster::block_on(measuring).expect("an ablation");
    });
    const RUNS: usize = 8;
    let device = model.decoder.device();
    let run_secs = median_secs(3, || {
        for neuron in 0..RUNS {
            let mask = Mask::of_layer(Site::Post, layer, [neuron]).edit(config, device);
            let named = ("bench", items.as_slice());
            let scored = score(model, named, &prompts, Rule::Sum, &mask, job);
            pollster::block_on(scored).expect("scores");
        }
    }) / RUNS as f64;
    println!(
        "one layer    {} neurons of layer {layer} by ablation {ablation_secs:.2} s; one full run for each would take {:.0} times as \
         long ({:.0} s)",
        config.d_mlp,
        run_secs * config.d_mlp as f64 / ablation_secs,
        run_secs * config.d_mlp as f64,
    );
}

/// All layers to a gap of 1 % each, against 20 midpoints.
fn to_a_tolerance(model: &Model, job: Job<'_>) {
    let (items, prompts, scores) = first_item(model, job);
    let fast = Settings {
        steps: STEPS,
        confidence_threshold: 0.0,
        ..Settings::preset("fast").expect("the preset")
    };
    let adaptive = Settings {
        steps: ADAPTIVE_STEPS,
        rule: Quadrature::Adaptive,
        ..fast.clone()
    };
    let measured = [fast, adaptive].map(|settings| {
        let mut gaps = Vec::new();
        let seconds = median_secs(3, || {
            let named = ("bench", items.as_slice());
            let found = attribute(model, named, &prompts, &scores, &settings, job);
            gaps = pollster::block_on(found).expect("an attribution").gaps;
        });
        let share = |gap: &LayerGap| gap.gap / gap.difference.max(f64::MIN_POSITIVE);
        let largest = gaps.iter().map(share).fold(0.0, f64::max);
        (seconds, 100.0 * largest)
    });
    let [(fixed_secs, fixed_gap), (adaptive_secs, adaptive_gap)] = measured;
    println!(
        "to 1 %       all layers {adaptive_secs:.2} s, largest gap {adaptive_gap:.1} % = {:.2} × {STEPS} midpoints ({fixed_secs:.2} s, \
         largest gap {fixed_gap:.1} %)",
        adaptive_secs / fixed_secs
    );
}

/// The cells of a search, forks of one run of the items, against a run of the items under each mask.
fn search_cells(model: &Model, job: Job<'_>) {
    let config = model.config();
    let asking = Asking::new(model, bundled_items()[..ITEMS].to_vec());
    let scores = asking.scores(&Edit::none(), job);
    let attribution = asking.attribution(&scores, job);
    let (layers, spec) = cells(config.n_layers);
    let search_secs = median_secs(3, || {
        let trials = [(asking.trial(), &scores)];
        let found = search(&trials, (&attribution).into(), &spec, None, job);
        pollster::block_on(found).expect("a search");
    });
    let anew_secs = median_secs(1, || {
        for layer in layers {
            for percent in SEARCHED {
                let mask = TopPercent { layer, percent }
                    .mask(&attribution)
                    .expect("a mask");
                asking.scores(&mask.edit(config, model.decoder.device()), job);
            }
        }
    });
    println!(
        "search cells {} cells of 3 layers on {} items {search_secs:.2} s; a run of the items under each mask takes {:.1} times as \
         long",
        layers.len() * SEARCHED.len(),
        ITEMS,
        anew_secs / search_secs
    );
}

/// The search that the page proposes, all layers by six percentages, by halving, where there are items enough to leave cells by; against a
/// run of all items under each mask.
fn by_halving(model: &Model, job: Job<'_>) {
    const ITEMS: usize = 64;
    let asking = Asking::new(model, bundled_items()[..ITEMS].to_vec());
    let start = Instant::now();
    let scores = asking.scores(&Edit::none(), job);
    let run_secs = start.elapsed().as_secs_f64();
    let attribution = asking.attribution(&scores, job);
    let spec = SearchSpec {
        halving: true,
        ..SearchSpec::of_layers(SEARCHED.to_vec())
    };
    let start = Instant::now();
    let trials = [(asking.trial(), &scores)];
    let found = search(&trials, (&attribution).into(), &spec, None, job);
    let found = pollster::block_on(found).expect("a search");
    let search_secs = start.elapsed().as_secs_f64();
    let cells = found.cells.len();
    let anew_secs = cells as f64 * run_secs;
    println!(
        "by halving   {cells} cells on {ITEMS} items {search_secs:.1} s; a run of the items under each mask would take {:.1} times as long \
         ({anew_secs:.0} s, by one run)",
        anew_secs / search_secs
    );
}

/// The ablation of every neuron, a search and a tuning.
fn works_of_a_study(compute: Compute, model: Model, figures: &mut Figures, job: Job<'_>) {
    let settings = Settings {
        steps: 1,
        confidence_threshold: 0.0,
        ..Settings::preset("fast").expect("the preset")
    };
    let prompt = vec!["the"; FORWARD_TOKENS].join(" ");
    let work = "exact ablation of every neuron, last position, one prompt";
    figures.within(work, 290.0, || {
        pollster::block_on(ablate(&model, &prompt, &settings, job)).expect("an ablation");
    });
    let template = Template::named("question-answer").expect("the template");
    let mut session = Session::new(compute, model, template);
    let mut items = bundled_items();
    items.truncate(20);
    session.change(|bench| bench.set_items("bench", items));
    let sets = vec!["bench".to_owned()];
    let work = "search, 20 items × all layers × 6 percentages";
    figures.within(work, 1500.0, || {
        let spec = SearchSpec::of_layers(vec![0.5, 1.0, 2.0, 5.0, 10.0, 20.0]);
        pollster::block_on(async {
            session.attribute("bench", &settings, job).await?;
            session.search(&sets, &spec, job).await
        })
        .expect("a search");
    });
    let request = TuneRequest {
        mask: Mask::empty(Site::Post),
        train: sets.clone(),
        validation: sets.clone(),
        test: sets.clone(),
        settings: TuneSettings {
            layer: 0,
            steps: 10,
            learning_rate: 0.01,
            weight_decay: 0.0,
            batch_size: 100,
            evaluate_every: 10,
        },
        seed: 0,
        compare: false,
    };
    figures.within("gains, 10 steps, 20 items", 100.0, || {
        pollster::block_on(session.tune(&request, job)).expect("a tuning");
    });
}

/// Log-likelihoods of items after the same shots, with the shots' run shared and without.
fn few_shots(model: &Model, job: Job<'_>) {
    use secateur::items::FewShot;
    use secateur::scoring::{Batch, BatchRun, SharedRun, batches, encode};

    let items = bundled_items();
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
        let none = Edit::none();
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
