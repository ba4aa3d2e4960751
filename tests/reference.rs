//! What neurons of every family do to the gold margin, against PyTorch (`tests/fixtures/generator/effects.py`).

#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "in a test a panic is the report"
)]

mod common;

use common::{FAMILIES, assert_close, job, json, model, plain, scored, tensors, wait};
use secateur::attribution::quadrature::Quadrature;
use secateur::attribution::settings::{Baseline, Method};
use secateur::attribution::{IntegrationPath, Positions, Settings, TargetKind, attribute};
use secateur::items::Item;
use secateur::model::{Edit, Site};
use secateur::scoring::encode;
use serde::Deserialize;

/// `effects.json`
#[derive(Deserialize)]
struct Golden {
    nodes: usize,
    items: Vec<GoldenItem>,
}

#[derive(Deserialize)]
struct GoldenItem {
    context: String,
    choices: Vec<String>,
    gold: usize,
    ids: Vec<u32>,
    first_tokens: Vec<u32>,
}

impl Golden {
    fn items(&self) -> Vec<Item> {
        let of_golden = |(index, golden): (usize, &GoldenItem)| Item {
            id: index.to_string(),
            context: golden.context.clone(),
            choices: golden.choices.clone(),
            gold: golden.gold,
        };
        self.items.iter().enumerate().map(of_golden).collect()
    }

    fn settings(&self, method: Method, positions: Positions, baseline: Baseline) -> Settings {
        let path = Settings {
            preset: None,
            path: IntegrationPath::PerLayer,
            site: Site::Post,
            positions,
            target: TargetKind::GoldMargin,
            rule: Quadrature::Middle,
            steps: self.nodes,
            baseline,
            confidence_threshold: 0.0,
            ..Settings::preset("fast").unwrap()
        };
        path.by(method)
    }
}

/// The methods of the fixtures.
const METHODS: [Method; 4] = [
    Method::Ablation,
    Method::IntegratedGradients,
    Method::GradientTimesActivation,
    Method::Relp,
];

/// How far a score may be off, as a share of its layer's largest. The reference computes in f64.
const SHARE: f64 = 2e-5;

#[test]
fn every_family_s_neurons_do_to_the_margin_what_pytorch_says() {
    for folder in FAMILIES {
        let model = model(folder);
        let d_mlp = model.config().d_mlp;
        let golden: Golden = json(&format!("{folder}/effects.json"));
        let expected = tensors(&format!("{folder}/effects.safetensors"));
        let (items, prompts) = (golden.items(), plain());
        let named = ("set", items.as_slice());
        for (encoded, golden) in encode(&model, &items, &prompts)
            .unwrap()
            .iter()
            .zip(&golden.items)
        {
            assert_eq!(encoded.prompt, golden.ids, "{folder}");
            let first: Vec<u32> = encoded.choices.iter().map(|ids| ids[0]).collect();
            assert_eq!(first, golden.first_tokens, "{folder}");
        }
        let scores = scored(&model, &items, &prompts, &Edit::none()).unwrap();
        for (positions, at) in [(Positions::Last, "last"), (Positions::All, "all")] {
            for method in METHODS {
                for (baseline, from) in [(Baseline::Zero, "zero"), (Baseline::Mean, "mean")] {
                    let name = match (method.has_baseline(), baseline) {
                        (true, _) => format!("{at}.{method}.{from}"),
                        (false, Baseline::Zero) => format!("{at}.{method}"),
                        (false, Baseline::Mean) => continue,
                    };
                    let settings = golden.settings(method, positions, baseline);
                    let scores = &scores.items;
                    let found = wait(attribute(&model, named, &prompts, scores, &settings, job()));
                    for (index, found) in found.unwrap().per_item.iter().enumerate() {
                        let expected = &expected[&format!("item{index}.{name}")];
                        let layers = found.chunks(d_mlp).zip(expected.chunks(d_mlp));
                        for (layer, (found, expected)) in layers.enumerate() {
                            let largest = expected.iter().fold(0f32, |most, x| most.max(x.abs()));
                            let tolerance = SHARE * f64::from(largest);
                            let what = format!("{folder}, item {index}, {name}, layer {layer}");
                            assert_close(found, expected, tolerance, &what);
                        }
                    }
                }
            }
        }
    }
}
