//! Edits of a run against plain computation: factors and offsets against blocks computed by hand, low-rank additions
//! against the same model with `W + A · B` as its weights, gradients against finite differences; in every family.

#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "in a test a panic is the report"
)]

mod common;

use burn::tensor::{Device, Tensor, TensorData};
use common::{FAMILIES, assert_close, host, job, model, wait};
use secateur::model::attention::Geometry;
use secateur::model::edit::{LayerEdits, LowRank, Projection};
use secateur::model::positions::TailPositions;
use secateur::model::{Capture, Config, Decoder, Edit, Link, Run};

/// The same arithmetic in another order.
const REORDERED: f64 = 1e-4;

/// Longer than the fixtures' sliding window.
const PROMPTS: [&[u32]; 2] = [
    &[60, 80, 120, 7, 11, 200, 31, 5, 90],
    &[34, 14, 6, 210, 23, 77, 8, 150, 42],
];

const PROJECTIONS: [Projection; 7] = [
    Projection::Q,
    Projection::K,
    Projection::V,
    Projection::Output,
    Projection::Gate,
    Projection::Up,
    Projection::Down,
];

fn base(decoder: &Decoder, edit: &Edit, capture: Capture) -> Run {
    wait(decoder.base_run(&PROMPTS, edit, capture, job())).unwrap()
}

fn logits(decoder: &Decoder, run: &Run) -> Vec<f32> {
    host(decoder.last_logits(run))
}

/// Numbers around zero that differ from place to place.
fn numbers(count: usize, seed: usize) -> Vec<f32> {
    let number = |place: usize| ((place * 37 + seed * 11) % 29) as f32 / 29.0 - 0.5;
    (0..count).map(number).collect()
}

fn vector(width: usize, seed: usize, device: &Device) -> Tensor<1> {
    Tensor::from_data(TensorData::new(numbers(width, seed), [width]), device)
}

fn matrix(shape: [usize; 2], seed: usize, device: &Device) -> Tensor<2> {
    let values = numbers(shape[0] * shape[1], seed);
    Tensor::from_data(TensorData::new(values, shape), device)
}

/// Factors and offsets of a layer; some neurons are switched off, as a mask does it.
fn activations(decoder: &Decoder, layer: usize) -> [Tensor<1>; 2] {
    let (d_mlp, device) = (decoder.config.d_mlp, decoder.device());
    let kept: Vec<f32> = (0..d_mlp)
        .map(|neuron| f32::from(u8::from(neuron % 3 != 0)))
        .collect();
    let kept = Tensor::<1>::from_data(TensorData::new(kept, [d_mlp]), device);
    [
        (vector(d_mlp, layer, device) + 1.0) * kept,
        vector(d_mlp, layer + 5, device),
    ]
}

/// Layer after layer, the activations changed by hand.
fn by_hand(decoder: &Decoder, changes: &[Option<[Tensor<1>; 2]>]) -> Vec<f32> {
    let config = &decoder.config;
    let tail = PROMPTS[0].len();
    let geometry = Geometry {
        batch: PROMPTS.len(),
        rows: 1,
        tail,
    };
    let positions = TailPositions::new(config, 0, tail, None, decoder.device());
    let mut x = decoder.embed(&PROMPTS, 0, None).unwrap();
    let none = LayerEdits::none();
    for layer in 0..config.n_layers {
        let (state, _) = decoder.to_feed_forward(layer, geometry, &positions, x, None, &none);
        let mut activation = state.pre.activation();
        if let Some(Some([factors, offsets])) = changes.get(layer) {
            activation = activation * factors.clone().reshape([1, 1, -1])
                + offsets.clone().reshape([1, 1, -1]);
        }
        x = decoder.from_feed_forward(layer, state.resid_mid, activation, &none);
    }
    let last = x.narrow(1, tail - 1, 1);
    host(decoder.unembed(decoder.final_norm(last)))
}

#[test]
fn factors_and_offsets_give_what_activations_changed_by_hand_give() {
    for folder in FAMILIES {
        let model = model(folder);
        let decoder = &model.decoder;
        let plain = base(decoder, &Edit::none(), Capture::All);
        for layers in [vec![0], vec![1], vec![0, 1]] {
            let mut edit = Edit::none();
            let mut changes = vec![None, None];
            for &layer in &layers {
                let [factors, offsets] = activations(decoder, layer);
                edit = edit
                    .scale(layer, factors.clone())
                    .offset(layer, offsets.clone());
                changes[layer] = Some([factors, offsets]);
            }
            let expected = by_hand(decoder, &changes);
            let what = format!("{folder} layers {layers:?}");
            let run = base(decoder, &edit, Capture::KeyValues);
            assert_close(&logits(decoder, &run), &expected, REORDERED, &what);
            let forks = wait(decoder.fork(&[Link::first(&plain)], &[edit], job())).unwrap();
            assert_close(&logits(decoder, &forks[0]), &expected, REORDERED, &what);
        }
    }
}

#[test]
fn an_offset_alone_is_added_to_what_the_neurons_give() {
    let model = model("tiny-llama3");
    let decoder = &model.decoder;
    let [_, offsets] = activations(decoder, 0);
    let ones = Tensor::ones(offsets.shape(), decoder.device());
    let expected = by_hand(decoder, &[Some([ones, offsets.clone()]), None]);
    let edit = Edit::none().offset(0, offsets);
    let plain = base(
        decoder,
        &Edit::none(),
        Capture::of(std::slice::from_ref(&edit)),
    );
    let run = base(decoder, &edit, Capture::KeyValues);
    assert_close(&logits(decoder, &run), &expected, REORDERED, "run");
    // Two forks of one state that nothing scales.
    let twice = [edit.clone(), edit];
    let forks = wait(decoder.fork(&[Link::first(&plain)], &twice, job())).unwrap();
    let expected = [expected.as_slice(), expected.as_slice()].concat();
    assert_close(&logits(decoder, &forks[0]), &expected, REORDERED, "forks");
}

/// What is added to a projection, of rank 3.
fn addition(config: &Config, projection: Projection, device: &Device) -> LowRank {
    let [input, output] = shape_of(config, projection);
    let seed = projection as usize;
    LowRank {
        projection,
        a: matrix([input, 3], seed, device),
        b: matrix([3, output], seed + 3, device),
    }
}

fn shape_of(config: &Config, projection: Projection) -> [usize; 2] {
    let (d_model, d_mlp) = (config.d_model, config.d_mlp);
    let (d_q, d_kv) = (
        config.n_heads * config.d_head,
        config.n_kv_heads * config.d_head,
    );
    match projection {
        Projection::Q => [d_model, d_q],
        Projection::K | Projection::V => [d_model, d_kv],
        Projection::Output => [d_q, d_model],
        Projection::Gate | Projection::Up => [d_model, d_mlp],
        Projection::Down => [d_mlp, d_model],
    }
}

/// A projection's name in transformers, and its first column where several are one weight.
fn stored_as(config: &Config, name: &str) -> Vec<(Projection, usize)> {
    let (d_q, d_kv) = (
        config.n_heads * config.d_head,
        config.n_kv_heads * config.d_head,
    );
    let ends = |endings: &[&str]| endings.iter().any(|ending| name.ends_with(ending));
    let one = |projection| vec![(projection, 0)];
    match () {
        () if ends(&["q_proj.weight"]) => one(Projection::Q),
        () if ends(&["k_proj.weight"]) => one(Projection::K),
        () if ends(&["v_proj.weight"]) => one(Projection::V),
        () if ends(&["c_attn.weight", "query_key_value.weight"]) => vec![
            (Projection::Q, 0),
            (Projection::K, d_q),
            (Projection::V, d_q + d_kv),
        ],
        () if ends(&[
            "o_proj.weight",
            "attn.c_proj.weight",
            "attention.dense.weight",
        ]) =>
        {
            one(Projection::Output)
        }
        () if ends(&["gate_proj.weight", "c_fc.weight", "dense_h_to_4h.weight"]) => {
            one(Projection::Gate)
        }
        () if ends(&["up_proj.weight"]) => one(Projection::Up),
        () if ends(&[
            "down_proj.weight",
            "mlp.c_proj.weight",
            "dense_4h_to_h.weight",
        ]) =>
        {
            one(Projection::Down)
        }
        () => Vec::new(),
    }
}

/// The model with some additions in the weights of one layer.
fn folded(decoder: &Decoder, layer: usize, additions: &[LowRank]) -> Decoder {
    let config = &decoder.config;
    decoder.map(
        decoder.device(),
        |_, weight| weight,
        |name, mut weight| {
            if !name.contains(&format!(".{layer}.")) {
                return weight;
            }
            for (projection, column) in stored_as(config, name) {
                let of_this = additions.iter().filter(|one| one.projection == projection);
                for LowRank { a, b, .. } in of_this {
                    let [rows, columns] = weight.dims();
                    let width = b.dims()[1];
                    let change = a.clone().matmul(b.clone());
                    let own = weight.clone().slice([0..rows, column..column + width]);
                    let ranges = [0..rows, column..column + width];
                    assert!(column + width <= columns);
                    weight = weight.slice_assign(ranges, own + change);
                }
            }
            weight
        },
    )
}

/// Each projection by itself and all together, in a whole run and in a fork; in the first layer, which a fork enters from
/// the embedding, and in the last.
#[test]
fn a_low_rank_addition_gives_what_it_gives_as_part_of_the_weights() {
    for folder in FAMILIES {
        let model = model(folder);
        let decoder = &model.decoder;
        let config = &decoder.config;
        let plain = base(decoder, &Edit::none(), Capture::Blocks);
        let has = |projection: &Projection| *projection != Projection::Up || config.is_gated();
        let all: Vec<Projection> = PROJECTIONS.into_iter().filter(has).collect();
        let each = all.iter().map(|&projection| vec![projection]);
        for projections in each.chain([all.clone()]) {
            for layer in [0, config.n_layers - 1] {
                let added = projections.iter();
                let additions: Vec<LowRank> = added
                    .map(|&projection| addition(config, projection, decoder.device()))
                    .collect();
                let edit = additions
                    .iter()
                    .fold(Edit::none(), |edit, one| edit.add(layer, one.clone()));
                let other = folded(decoder, layer, &additions);
                let expected = logits(&other, &base(&other, &Edit::none(), Capture::KeyValues));
                let what = format!("{folder} layer {layer} {projections:?}");
                let run = base(decoder, &edit, Capture::KeyValues);
                assert_close(&logits(decoder, &run), &expected, REORDERED, &what);
                let forks = wait(decoder.fork(&[Link::first(&plain)], &[edit], job())).unwrap();
                assert_close(&logits(decoder, &forks[0]), &expected, REORDERED, &what);
                let unchanged = logits(decoder, &plain);
                let differs = |(a, b): (&f32, &f32)| (a - b).abs() > 1e-3;
                assert!(expected.iter().zip(&unchanged).any(differs), "{what}");
            }
        }
    }
}

/// A mask, an offset, additions at two places, all of them, and nothing, as forks side by side of a run and of a run that
/// continues it.
#[test]
fn forks_with_different_edits_climb_together() {
    for folder in ["tiny-llama3", "tiny-gpt2", "tiny-olmo2"] {
        let model = model(folder);
        let decoder = &model.decoder;
        let device = decoder.device();
        let [factors, offsets] = activations(decoder, 1);
        let add = |projection| addition(&decoder.config, projection, device);
        let edits = [
            Edit::none().offset(1, offsets.clone()),
            Edit::none().add(1, add(Projection::V)),
            Edit::none(),
            Edit::scaling(0, factors.clone()),
            Edit::none()
                .add(0, add(Projection::K))
                .offset(1, offsets.clone()),
            Edit::none().add(0, add(Projection::Down)),
            Edit::scaling(1, factors)
                .offset(1, offsets)
                .add(1, add(Projection::Gate))
                .add(0, add(Projection::Q))
                .add(0, add(Projection::V)),
        ];
        let starts = PROMPTS.map(|prompt| &prompt[..6]);
        let ends = PROMPTS.map(|prompt| vec![prompt[6..].to_vec(), vec![9, 4, 30]]);
        let run = |edit: &Edit, capture| wait(decoder.base_run(&starts, edit, capture, job()));
        let capture = Capture::of(&edits);
        assert_eq!(capture, Capture::Blocks);
        let plain = run(&Edit::none(), capture).unwrap();
        let on =
            |run: &Run, edit: &Edit| wait(decoder.continue_run(run, &ends, edit, capture, job()));
        let further = on(&plain, &Edit::none()).unwrap();
        let links = [Link::first(&plain), Link::first(&further).after(0)];
        let forks = wait(decoder.fork(&links, &edits, job())).unwrap();
        let mut whole = [Vec::new(), Vec::new()];
        for edit in &edits {
            let run = run(edit, Capture::KeyValues).unwrap();
            whole[0].extend(logits(decoder, &run));
            whole[1].extend(logits(decoder, &on(&run, edit).unwrap()));
        }
        for (fork, whole) in forks.iter().zip(&whole) {
            assert_close(&logits(decoder, fork), whole, REORDERED, folder);
        }
        let at_last =
            wait(decoder.fork(&links.map(|link| link.reading(1)), &edits, job())).unwrap();
        for (fork, at_last) in forks.iter().zip(&at_last) {
            let logits = |run: &Run| host(decoder.last_logits(run));
            assert_close(&logits(at_last), &logits(fork), REORDERED, folder);
        }
    }
}

/// Central differences of a logit in f32.
#[test]
fn gradients_by_an_edit_are_those_of_finite_differences() {
    const STEP: f32 = 1e-2;
    for folder in FAMILIES {
        let model = model(folder);
        let decoder = &model.decoder;
        let device = decoder.device();
        let plain = base(decoder, &Edit::none(), Capture::Blocks);
        let [factors, offsets] = activations(decoder, 0);
        let LowRank { a, b, .. } = addition(&decoder.config, Projection::V, device);
        let shapes = (a.dims(), b.dims());
        let numbers = [host(factors), host(offsets), host(a), host(b)];
        let leaves = |numbers: &[Vec<f32>; 4]| {
            let [factors, offsets, a, b] = numbers.clone();
            let vector = |values: Vec<f32>| {
                let width = values.len();
                Tensor::<1>::from_data(TensorData::new(values, [width]), device)
            };
            let matrix = |values, shape: [usize; 2]| {
                Tensor::<2>::from_data(TensorData::new(values, shape), device)
            };
            (
                vector(factors),
                vector(offsets),
                matrix(a, shapes.0),
                matrix(b, shapes.1),
            )
        };
        let value = |(factors, offsets, a, b): (Tensor<1>, Tensor<1>, Tensor<2>, Tensor<2>)| {
            let projection = Projection::V;
            let edit = Edit::scaling(0, factors)
                .offset(0, offsets)
                .add(1, LowRank { projection, a, b });
            let forks = wait(decoder.fork(&[Link::first(&plain)], &[edit], job())).unwrap();
            decoder.last_logits(&forks[0]).narrow(2, 17, 1).sum()
        };
        let (factors, offsets, a, b) = leaves(&numbers);
        let (factors, offsets) = (
            factors.autodiff().require_grad(),
            offsets.autodiff().require_grad(),
        );
        let (a, b) = (a.autodiff().require_grad(), b.autodiff().require_grad());
        let leaf = (factors.clone(), offsets.clone(), a.clone(), b.clone());
        let mut gradients = value(leaf).backward();
        let found = [
            host(factors.grad_remove(&mut gradients).unwrap()),
            host(offsets.grad_remove(&mut gradients).unwrap()),
            host(a.grad_remove(&mut gradients).unwrap()),
            host(b.grad_remove(&mut gradients).unwrap()),
        ];
        for (which, found) in found.iter().enumerate() {
            let largest = found.iter().fold(1f32, |most, value| most.max(value.abs()));
            for place in [0, found.len() / 2, found.len() - 1] {
                let at = |step: f32| {
                    let mut numbers = numbers.clone();
                    numbers[which][place] += step;
                    host(value(leaves(&numbers)))[0]
                };
                let slope = (at(STEP) - at(-STEP)) / (2.0 * STEP);
                let difference = (found[place] - slope).abs();
                assert!(
                    difference <= 1e-2 * largest,
                    "{folder}, tensor {which}, place {place}: {} and {slope}",
                    found[place]
                );
            }
        }
    }
}

#[test]
fn an_edit_of_another_model_is_refused() {
    let model = model("tiny-gpt2");
    let decoder = &model.decoder;
    let (device, d_mlp) = (decoder.device(), decoder.config.d_mlp);
    let refused = |edit: Edit, named: &str| {
        let run = wait(decoder.base_run(&PROMPTS, &edit, Capture::KeyValues, job()));
        let error = run.err().unwrap().to_string();
        assert!(error.contains(named), "{error}");
        let plain = base(decoder, &Edit::none(), Capture::All);
        assert!(wait(decoder.fork(&[Link::first(&plain)], &[edit], job())).is_err());
    };
    let neurons = |width| Tensor::<1>::ones([width], device);
    refused(Edit::scaling(2, neurons(d_mlp)), "layer 2");
    refused(Edit::scaling(0, neurons(3)), "3 neurons");
    refused(Edit::none().offset(1, neurons(3)), "layer 1");
    let add = |projection, [input, rank, output]: [usize; 3]| {
        let a = Tensor::<2>::ones([input, rank], device);
        let b = Tensor::<2>::ones([rank, output], device);
        Edit::none().add(0, LowRank { projection, a, b })
    };
    refused(add(Projection::Q, [32, 2, 31]), "Q");
    refused(add(Projection::Down, [32, 2, 32]), "Down");
    refused(add(Projection::Up, [32, 2, d_mlp]), "does not have");
}
