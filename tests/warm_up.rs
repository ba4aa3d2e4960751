//! What is run before a model's first job, so that a GPU has compiled what jobs need.

#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "in a test a panic is the report"
)]

mod common;

use std::cell::Cell;
use std::collections::BTreeSet;

use common::{FAMILIES, model, wait};
use secateur::job::{Host, Job, Progress};
use secateur::model::ModelError;
use secateur::study::warm_up::warm_up;

/// Cancels when it is asked for the `left`-th time, and keeps the last progress.
struct Impatient {
    left: Cell<usize>,
    last: Cell<(u64, u64)>,
}

impl Host for Impatient {
    fn progress(&self, progress: &Progress) {
        self.last.set((progress.done, progress.total));
    }

    fn is_cancelled(&self) -> bool {
        let left = self.left.get();
        self.left.set(left.saturating_sub(1));
        left == 0
    }

    fn now_secs(&self) -> f64 {
        0.0
    }
}

/// What is compiled for a GPU is found by running it, on any device.
#[test]
fn every_family_is_warmed_up_to_the_end_or_until_it_is_cancelled() {
    for folder in FAMILIES {
        let decoder = model(folder).decoder;
        let host = |left| Impatient {
            left: Cell::new(left),
            last: Cell::default(),
        };
        let (patient, impatient) = (host(usize::MAX), host(20));
        wait(warm_up(&decoder, Job::new(&patient))).unwrap();
        let (done, total) = patient.last.get();
        assert!(done == total && total > 1, "{folder}");
        let error = wait(warm_up(&decoder, Job::new(&impatient))).unwrap_err();
        assert!(matches!(error, ModelError::Cancelled(_)), "{folder}");
        assert!(impatient.last.get().0 < total, "{folder}");
    }
}

#[test]
fn a_device_that_is_too_slow_is_not_held_up() {
    let mut decoder = model("tiny-llama-tied").decoder;
    decoder.pace.flops = 1.0;
    let host = Impatient {
        left: Cell::new(0),
        last: Cell::default(),
    };
    // Anything that ran would be cancelled.
    wait(warm_up(&decoder, Job::new(&host))).unwrap();
}

#[test]
fn an_excerpt_has_a_block_of_every_kind_and_the_model_s_weights() {
    let gemma = model("tiny-gemma3").decoder;
    let local = gemma.config.local.clone().unwrap();
    let few = gemma.excerpt();
    let kinds = |layers: usize| local.layers[..layers].iter().collect::<BTreeSet<_>>().len();
    assert_eq!(kinds(few.config.n_layers), kinds(gemma.config.n_layers));
    let llama = model("tiny-llama-tied").decoder;
    assert_eq!(llama.excerpt().config.n_layers, 2);
    assert_eq!(llama.excerpt().config.d_mlp, llama.config.d_mlp);
}
