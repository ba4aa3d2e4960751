//! The engine's side of `cargo xtask bench --peers`: a line of JSON on standard input asks for a work, a line on standard output
//! says how long it took, what came of it, and which matrix products it cannot do without.

use std::io::stdin;
use std::ops::Range;
use std::time::Instant;

use secateur::attribution::settings::Method;
use secateur::attribution::sweep::Sweep;
use secateur::attribution::target::Target;
use secateur::attribution::{Attribution, Settings, TargetKind, attribute};
use secateur::items::{Item, Prompts, Template};
use secateur::job::Job;
use secateur::model::{Capture, Config, Edit, Model, Site};
use secateur::pruning::search::search;
use secateur::pruning::{Mask, Trial};
use secateur::scoring::{Rule, SetScores, encode, score};
use secateur::study::SearchSpec;
use secateur::tuning::{TuneSets, TuneSettings, tune};
use serde::{Deserialize, Serialize};

use super::bundled_items;

/// Percentages of a search.
pub const SEARCHED: [f64; 6] = [1.0, 2.0, 5.0, 10.0, 20.0, 30.0];
/// Items of a search and of a tuning.
pub const ITEMS: usize = 4;
/// Steps of a tuning that is long, and of one that is short: their difference is steps alone.
const TUNED: [usize; 2] = [6, 1];

/// A work.
#[derive(Deserialize)]
#[serde(tag = "work", rename_all = "snake_case")]
enum Asked {
    /// The last position's logits.
    Forward { ids: Vec<u32> },
    /// Integrated Gradients of a token's log-probability at the last position, every layer by midpoints.
    Attribution {
        ids: Vec<u32>,
        token: u32,
        steps: usize,
    },
    /// A search over three layers and six percentages.
    Search,
    /// A step of tuning the first layer's gains.
    Tuning,
}

/// What came of it.
#[derive(Serialize)]
struct Done {
    seconds: f64,
    /// Logits, or scores of every layer.
    values: Vec<Vec<f32>>,
    /// How often, rows, depth and columns.
    products: Vec<[usize; 4]>,
}

/// Does what each line asks for, until there are no more.
pub fn serve(model: &Model, job: Job<'_>) {
    for line in stdin().lines() {
        let line = line.expect("a line");
        let done = match serde_json::from_str(&line).expect("a work") {
            Asked::Forward { ids } => forward(model, &ids, job),
            Asked::Attribution { ids, token, steps } => attribution(model, &ids, token, steps, job),
            Asked::Search => searched(model, job),
            Asked::Tuning => tuned(model, job),
        };
        println!("{}", serde_json::to_string(&done).expect("numbers"));
    }
}

fn timed<T>(work: impl Future<Output = T>) -> (T, f64) {
    let start = Instant::now();
    let value = pollster::block_on(work);
    (value, start.elapsed().as_secs_f64())
}

fn forward(model: &Model, ids: &[u32], job: Job<'_>) -> Done {
    let (decoder, prompts, none) = (&model.decoder, [ids], Edit::none());
    let (logits, seconds) = timed(async {
        let run = decoder.base_run(&prompts, &none, Capture::KeyValues, job);
        let run = run.await.expect("a forward pass");
        decoder.last_logits(&run).into_data()
    });
    let mut products = Products::of(model.config());
    products.blocks(0..model.config().n_layers, ids.len());
    products.logits(1);
    Done {
        seconds,
        values: vec![logits.try_into_vec().expect("numbers in 32 bits")],
        products: products.list,
    }
}

fn attribution(model: &Model, ids: &[u32], token: u32, steps: usize, job: Job<'_>) -> Done {
    let (decoder, config) = (&model.decoder, model.config());
    let settings = Settings {
        steps,
        target: TargetKind::ChoiceFirstToken,
        ..Settings::preset("fast").expect("the preset")
    };
    let prompts = [ids];
    let (swept, seconds) = timed(async {
        let base = decoder
            .base_run(&prompts, &Edit::none(), Capture::All, job)
            .await?;
        let target = Target::freeze(decoder, &base, settings.target, &[vec![token]]).await?;
        Sweep::new(decoder, &prompts, &base, &target, &settings)
            .run(job)
            .await
    });
    let scores = swept.expect("an attribution").scores_of(0);
    let mut products = Products::of(config);
    products.blocks(0..config.n_layers, ids.len());
    for layer in 0..config.n_layers {
        // The rows of the layers below climb through the block; its own are born at its neurons.
        products.blocks(layer..layer + 1, steps * layer);
        products.blocks_back(layer..layer + 1, steps * layer);
        products.down_projection(steps);
        products.down_projection_back(steps);
    }
    products.logits(steps * config.n_layers);
    products.logits_back(steps * config.n_layers);
    Done {
        seconds,
        values: scores.chunks(config.d_mlp).map(<[f32]>::to_vec).collect(),
        products: products.list,
    }
}

/// The layers that a search tries, and what it asks for.
pub fn cells(n_layers: usize) -> ([usize; 3], SearchSpec) {
    let layers = [0, n_layers / 2, n_layers - 1];
    let spec = SearchSpec {
        layers: Some(layers.to_vec()),
        ..SearchSpec::of_layers(SEARCHED.to_vec())
    };
    (layers, spec)
}

/// A set of items.
pub struct Asking<'a> {
    model: &'a Model,
    items: Vec<Item>,
    prompts: Prompts,
}

impl<'a> Asking<'a> {
    pub fn new(model: &'a Model, items: Vec<Item>) -> Self {
        let template = Template::named("question-answer").expect("the template");
        Self {
            model,
            items,
            prompts: template.into(),
        }
    }

    pub fn trial(&self) -> Trial<'_> {
        Trial {
            model: self.model,
            set: "bench",
            items: &self.items,
            prompts: &self.prompts,
            rule: Rule::Sum,
        }
    }

    pub fn scores(&self, edit: &Edit, job: Job<'_>) -> SetScores {
        let named = ("bench", self.items.as_slice());
        let scored = score(self.model, named, &self.prompts, Rule::Sum, edit, job);
        pollster::block_on(scored).expect("scores")
    }

    /// Tokens that have to be run, each choice after the prompt but for its last, and those whose logits are read.
    fn tokens(&self) -> [usize; 2] {
        let encoded = encode(self.model, &self.items, &self.prompts).expect("tokens");
        encoded.iter().fold([0, 0], |[run, read], item| {
            let of_choices: usize = item.choices.iter().map(|choice| choice.len() - 1).sum();
            [run + item.prompt.len() + of_choices, read + 1 + of_choices]
        })
    }

    /// Weight norms, which take no time.
    pub fn attribution(&self, scores: &SetScores, job: Job<'_>) -> Attribution {
        let settings = Settings {
            confidence_threshold: 0.0,
            ..Settings::preset("fast").expect("the preset")
        };
        let settings = settings.by(Method::WeightNorm);
        let named = ("bench", self.items.as_slice());
        let found = attribute(
            self.model,
            named,
            &self.prompts,
            &scores.items,
            &settings,
            job,
        );
        pollster::block_on(found).expect("an attribution")
    }
}

fn searched(model: &Model, job: Job<'_>) -> Done {
    let n_layers = model.config().n_layers;
    let asking = Asking::new(model, bundled_items()[..ITEMS].to_vec());
    let scores = asking.scores(&Edit::none(), job);
    let attribution = asking.attribution(&scores, job);
    let (layers, spec) = cells(n_layers);
    let trials = [(asking.trial(), &scores)];
    let (found, seconds) = timed(search(&trials, (&attribution).into(), &spec, None, job));
    found.expect("a search");
    let [run, read] = asking.tokens();
    let mut products = Products::of(model.config());
    products.blocks(0..n_layers, run);
    for layer in 0..n_layers {
        // Cells of the layers below climb through the block; those of the layer begin at its neurons.
        let climbing = layers.iter().filter(|&&pruned| pruned < layer).count();
        let beginning = layers.iter().filter(|&&pruned| pruned == layer).count();
        let (climbing, beginning) = (climbing * SEARCHED.len(), beginning * SEARCHED.len());
        if layer + 1 < n_layers {
            products.blocks(layer..layer + 1, run * climbing);
            products.down_projection(run * beginning);
        } else {
            products.last_block([run, read].map(|rows| rows * climbing));
            products.down_projection(read * beginning);
        }
    }
    products.logits(read * layers.len() * SEARCHED.len());
    Done {
        seconds,
        values: Vec::new(),
        products: products.list,
    }
}

/// Every step has the same items, since they are one item many times.
fn tuned(model: &Model, job: Job<'_>) -> Done {
    let [item, ..] = &bundled_items()[..1] else {
        panic!("a bundled item")
    };
    let named = |index: usize| Item {
        id: format!("{index}"),
        ..item.clone()
    };
    let asking = Asking::new(model, (0..ITEMS).map(named).collect());
    let scores = asking.scores(&Edit::none(), job);
    let sets = TuneSets {
        train: vec![asking.trial()],
        validation: vec![asking.trial()],
        test: vec![(asking.trial(), &scores)],
    };
    let seconds_of = |steps: usize| {
        let settings = TuneSettings {
            layer: 0,
            steps,
            learning_rate: 0.01,
            weight_decay: 0.0,
            batch_size: ITEMS,
            evaluate_every: steps,
        };
        let (found, seconds) = timed(tune(
            &sets,
            &Mask::empty(Site::Post),
            &settings,
            0,
            false,
            job,
        ));
        found.expect("a tuning");
        seconds
    };
    let [long, short] = TUNED;
    let seconds = (seconds_of(long) - seconds_of(short)) / (long - short) as f64;
    let (n_layers, [run, read]) = (model.config().n_layers, asking.tokens());
    let mut products = Products::of(model.config());
    products.down_projection(run);
    products.down_projection_back(run);
    products.blocks(1..n_layers - 1, run);
    products.blocks_back(1..n_layers - 1, run);
    products.last_block([run, read]);
    products.last_block_back([run, read]);
    products.logits(read);
    products.logits_back(read);
    Done {
        seconds,
        values: Vec::new(),
        products: products.list,
    }
}

/// Matrix products of a model with gated feed-forward layers: how often, rows, depth and columns.
struct Products<'a> {
    config: &'a Config,
    list: Vec<[usize; 4]>,
}

impl<'a> Products<'a> {
    fn of(config: &'a Config) -> Self {
        Self {
            config,
            list: Vec::new(),
        }
    }

    fn add(&mut self, product: [usize; 4]) {
        if product[..2].iter().all(|&count| count > 0) {
            self.list.push(product);
        }
    }

    /// Depth and columns of a block's four weight matrices: queries, keys and values; attention's output; gate and up; down.
    fn block(&self) -> [[usize; 2]; 4] {
        let &Config {
            d_model,
            d_mlp,
            d_head,
            n_heads,
            n_kv_heads,
            ..
        } = self.config;
        [
            [d_model, d_head * (n_heads + 2 * n_kv_heads)],
            [d_head * n_heads, d_model],
            [d_model, 2 * d_mlp],
            [d_mlp, d_model],
        ]
    }

    /// Rows through whole blocks.
    fn blocks(&mut self, blocks: Range<usize>, rows: usize) {
        self.add_blocks(blocks.len(), [rows, rows], |product| product);
    }

    /// The gradients of that by what goes in.
    fn blocks_back(&mut self, blocks: Range<usize>, rows: usize) {
        self.add_blocks(blocks.len(), [rows, rows], turned);
    }

    /// Rows through the last block, of which few are read above it: the others are attended to.
    fn last_block(&mut self, rows_and_read: [usize; 2]) {
        self.add_blocks(1, rows_and_read, |product| product);
    }

    /// The gradients of that by what goes in.
    fn last_block_back(&mut self, rows_and_read: [usize; 2]) {
        self.add_blocks(1, rows_and_read, turned);
    }

    /// Rows through so many blocks, and those of them that are read above each.
    fn add_blocks(
        &mut self,
        count: usize,
        [rows, read]: [usize; 2],
        as_computed: fn([usize; 2]) -> [usize; 2],
    ) {
        for (place, product) in self.block().into_iter().enumerate() {
            // Queries, keys and values come first.
            let rows = if place == 0 { rows } else { read };
            let [depth, columns] = as_computed(product);
            self.add([count, rows, depth, columns]);
        }
    }

    /// Rows from a block's neurons to the residual stream.
    fn down_projection(&mut self, rows: usize) {
        self.add([1, rows, self.config.d_mlp, self.config.d_model]);
    }

    /// Gradients the other way.
    fn down_projection_back(&mut self, rows: usize) {
        self.add([1, rows, self.config.d_model, self.config.d_mlp]);
    }

    fn logits(&mut self, rows: usize) {
        self.add([1, rows, self.config.d_model, self.config.vocabulary]);
    }

    fn logits_back(&mut self, rows: usize) {
        self.add([1, rows, self.config.vocabulary, self.config.d_model]);
    }
}

/// A product's depth and columns on the way back.
fn turned([depth, columns]: [usize; 2]) -> [usize; 2] {
    [columns, depth]
}
