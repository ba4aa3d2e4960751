//! Every kernel against the plain operations: values and gradients, on odd shapes, and gradients by finite differences.
//!
//! One test, because a device is made once: compiling its shaders takes longer than everything else here.

mod common;

use burn::tensor::{Device, Tensor, TensorData};
use common::{assert_close, host, job, wait};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use secateur::kernels::{
    Activation, ActivationShape, AttentionShape, GainsOn, Layout, Masks, activate, attend,
    log_sum_exp, norm, norm_heads, project, rotate,
};
use secateur::model::ModelError;
use secateur::model::device::Compute;

/// Both devices compute in f32 and differ in the order of their sums, of up to 2,000 values of about 1.
const VALUE: f64 = 2e-5;

#[test]
fn kernels_give_the_numbers_of_the_plain_operations() {
    let compute = match wait(Compute::wgpu(job())) {
        Ok(compute) => compute,
        Err(ModelError::Device(message)) if message.contains("No adapter available") => {
            println!("skipped: no wgpu adapter ({message})");
            return;
        }
        Err(error) => panic!("{error}"),
    };
    let devices = Devices {
        plain: Device::flex(),
        kernels: compute.device.clone(),
    };
    products(&devices);
    norms(&devices);
    rotations(&devices);
    attention(&devices);
    activations(&devices);
    sums_of_exponentials(&devices);
    compute.faults.check().unwrap();
}

struct Devices {
    plain: Device,
    kernels: Device,
}

/// Numbers in −1 to 1, always the same ones of a seed.
fn numbers(seed: u64, n: usize) -> Vec<f32> {
    let mut generator = ChaCha8Rng::seed_from_u64(seed);
    (0..n).map(|_| generator.random_range(-1.0..1.0)).collect()
}

fn tensor<const D: usize>(seed: u64, shape: [usize; D], device: &Device) -> Tensor<D> {
    let n = shape.iter().product();
    Tensor::from_data(TensorData::new(numbers(seed, n), shape), device)
}

fn wide(values: Vec<f32>) -> Vec<f64> {
    values.into_iter().map(f64::from).collect()
}

impl Devices {
    /// Holds a function of tracked inputs against the plain operations: its values, its gradients for a random
    /// direction of the output, and those against finite differences.
    fn hold<const N: usize, const D: usize, const E: usize>(
        &self,
        what: &str,
        shapes: [[usize; D]; N],
        function: impl Fn([Tensor<D>; N], &Device) -> Tensor<E>,
    ) {
        let run = |device: &Device| {
            let mut seed = 0;
            let inputs = shapes.map(|shape| {
                seed += 1;
                tensor(seed, shape, device).autodiff().require_grad()
            });
            let out = function(inputs.clone(), device);
            let direction = tensor(99, out.dims(), device);
            let mut gradients = (out.clone() * direction).sum().backward();
            let gradients = inputs.map(|input| {
                let gradient = input.grad_remove(&mut gradients);
                wide(host(gradient.expect("a gradient reaches every input")))
            });
            (wide(host(out.inner())), gradients)
        };
        let (expected, expected_gradients) = run(&self.plain);
        let (found, found_gradients) = run(&self.kernels);
        assert_scaled(&found, &expected, what);
        for (input, (found, expected)) in
            found_gradients.iter().zip(&expected_gradients).enumerate()
        {
            assert_scaled(
                found,
                expected,
                &format!("{what}, gradient by input {input}"),
            );
        }
        self.hold_to_differences(what, shapes, &found_gradients, &function);
    }

    /// The gradients along a random direction of all inputs, by central differences.
    fn hold_to_differences<const N: usize, const D: usize, const E: usize>(
        &self,
        what: &str,
        shapes: [[usize; D]; N],
        gradients: &[Vec<f64>; N],
        function: &impl Fn([Tensor<D>; N], &Device) -> Tensor<E>,
    ) {
        const STEP: f32 = 1e-2;
        let value = |step: f32| -> f64 {
            let mut seed = 0;
            let inputs = shapes.map(|shape| {
                seed += 1;
                let direction = tensor(1000 + seed, shape, &self.kernels);
                tensor(seed, shape, &self.kernels) + direction * step
            });
            let out = function(inputs, &self.kernels);
            let direction = numbers(99, out.dims().iter().product());
            let out = host(out);
            out.iter()
                .zip(direction)
                .map(|(&value, along)| f64::from(value) * f64::from(along))
                .sum()
        };
        let difference = (value(STEP) - value(-STEP)) / f64::from(2.0 * STEP);
        let mut along = 0.0;
        let mut size: f64 = 0.0;
        for (input, gradient) in gradients.iter().enumerate() {
            let direction = numbers(1001 + input as u64, gradient.len());
            for (gradient, direction) in gradient.iter().zip(direction) {
                along += gradient * f64::from(direction);
                size += gradient * gradient;
            }
        }
        // A change along a random direction is about as large as the gradient; curvature and rounding take a little.
        let error = (along - difference).abs() / size.sqrt().max(1e-3);
        assert!(
            error < 5e-3,
            "{what}: {along} by gradient, {difference} by difference"
        );
    }
}

/// Close in shares of the largest value.
fn assert_scaled(found: &[f64], expected: &[f64], what: &str) {
    let largest = expected.iter().fold(1.0f64, |most, x| most.max(x.abs()));
    let share = |values: &[f64]| values.iter().map(|x| x / largest).collect::<Vec<_>>();
    assert_close(&share(found), &share(expected), VALUE, what);
}

fn products(devices: &Devices) {
    // Rows 1 to several tiles, widths that no tile divides, and both layouts of the weight.
    for (rows, depth, columns) in [
        (1, 576, 33),
        (3, 33, 1000),
        (7, 5, 1),
        (17, 64, 576),
        (64, 1000, 33),
        (630, 33, 576),
        (2000, 48, 1537),
    ] {
        for layout in [Layout::InOut, Layout::OutIn] {
            let what = format!("product of {rows} × {depth} → {columns}, {layout:?}");
            devices.hold(
                &what,
                [[1, rows, depth], [1, rows, columns]].map(|[a, b, c]| [a, b, c]),
                |[x, residual], device| {
                    let shape = match layout {
                        Layout::InOut => [depth, columns],
                        Layout::OutIn => [columns, depth],
                    };
                    let weight = tensor(50, shape, device);
                    let bias = tensor(51, [columns], device);
                    project(x, weight, layout, Some(&bias), Some(residual))
                },
            );
        }
    }
}

fn norms(devices: &Devices) {
    for (rows, width) in [(1, 33), (17, 576), (5, 1000), (64, 1)] {
        for centred in [false, true] {
            // A layer norm of one number is its bias, whatever the number.
            if width == 1 && centred {
                continue;
            }
            let what = format!("norm of {rows} × {width}, centred {centred}");
            devices.hold(&what, [[1, rows, width]], |[x], device| {
                let weight = tensor(50, [width], device);
                let bias = centred.then(|| tensor(51, [width], device));
                norm(x, &weight, bias.as_ref(), centred, 1e-2)
            });
        }
    }
    // Of five heads the first three, each with a weight of its own.
    devices.hold("norm of heads", [[2, 3, 5, 33]], |[x], device| {
        norm_heads(x, &tensor(50, [3, 33], device), false, 1e-2)
    });
}

fn rotations(devices: &Devices) {
    for (forks, tail, heads, rotated, d_head, dimensions) in
        [(1, 1, 1, 1, 8, 8), (3, 5, 3, 2, 10, 4)]
    {
        let what = format!("rotation of {dimensions} of {d_head} dimensions");
        devices.hold(&what, [[forks, tail, heads, d_head]], |[x], device| {
            let shape = [1, tail, 1, dimensions];
            let [cos, sin] = [50, 51].map(|seed| tensor(seed, shape, device));
            rotate(x, &cos, &sin, rotated)
        });
    }
}

/// Masks that say to the plain operations what a window says to a kernel.
fn masks(
    tail: usize,
    n_prefix: usize,
    group: usize,
    window: Option<usize>,
    device: &Device,
) -> Masks {
    let mask = |first: usize, n_keys: usize| {
        let values: Vec<f32> = (0..group * tail * n_keys)
            .map(|index| {
                let (query, key) = (n_prefix + index / n_keys % tail, first + index % n_keys);
                let seen = key <= query && window.is_none_or(|window| query - key < window);
                if seen { 0.0 } else { -1e9 }
            })
            .collect();
        Tensor::<3>::from_data(TensorData::new(values, [1, group * tail, n_keys]), device)
    };
    Masks {
        own: Some(mask(n_prefix, tail)),
        prefix: (n_prefix > 0).then(|| mask(0, n_prefix)),
    }
}

fn attention(devices: &Devices) {
    // Prompts, forks, tail, heads, key/value heads, numbers of a head, window, prefix.
    for (prompts, forks, tail, heads, kv_heads, d_head, window, n_prefix) in [
        (1, 1, 1, 1, 1, 8, None, 0),
        (1, 1, 70, 2, 1, 16, None, 0),
        (2, 3, 1, 6, 2, 64, None, 33),
        (2, 2, 3, 4, 2, 100, None, 5),
        (1, 2, 9, 2, 2, 33, Some(4), 7),
        (1, 1, 130, 3, 3, 8, Some(70), 0),
        (3, 1, 70, 2, 1, 16, None, 0),
        (3, 2, 3, 4, 2, 8, Some(6), 7),
    ] {
        let what = format!(
            "attention of {prompts} × {forks} × {tail}, {heads} over {kv_heads} heads of {d_head}, \
             window {window:?}, prefix {n_prefix}"
        );
        let shape = AttentionShape {
            heads,
            kv_heads,
            forks,
            window,
            scale: 0.3,
        };
        let own = [prompts * forks, tail, heads + 2 * kv_heads, d_head];
        let before = [prompts, n_prefix, 2 * kv_heads, d_head];
        let masks = |device: &Device| masks(tail, n_prefix, heads / kv_heads, window, device);
        // The first prompt is the longest; the others begin later, the last of them within the tail.
        let padding = |device: &Device| {
            let counts = (0..prompts).map(|prompt| (prompt * (n_prefix + tail) * 2 / 5) as f32);
            let counts = TensorData::new(counts.collect::<Vec<f32>>(), [prompts]);
            (prompts == 3).then(|| Tensor::<1>::from_data(counts, device))
        };
        if n_prefix == 0 {
            devices.hold(&what, [own], |[heads], device| {
                let padding = padding(device);
                attend(heads, None, padding.as_ref(), shape, &masks(device))
            });
        } else {
            devices.hold(&what, [own, before], |[heads, prefix], device| {
                let (prefix, padding) = (Some(prefix), padding(device));
                attend(heads, prefix, padding.as_ref(), shape, &masks(device))
            });
            // As a run leaves them: beside its queries in memory, and a part of the positions.
            let stored = [prompts, n_prefix + 2, heads + 2 * kv_heads, d_head];
            let what = format!("{what}, as stored");
            devices.hold(&what, [own, stored], |[own, stored], device| {
                let of_all = stored.narrow(2, heads, 2 * kv_heads);
                let prefix = Some(of_all.narrow(1, 0, n_prefix));
                let padding = padding(device);
                attend(own, prefix, padding.as_ref(), shape, &masks(device))
            });
        }
    }
}

fn activations(devices: &Devices) {
    let functions = [Activation::Silu, Activation::Gelu, Activation::GeluTanh];
    for function in functions {
        for on in [GainsOn::Gate, GainsOn::Activation] {
            let (prompts, forks, tail, d_mlp) = (2, 3, 5, 33);
            let what = format!("{function:?}, gains on {on:?}");
            let shape = ActivationShape {
                prompts,
                forks,
                tail,
                gated: true,
                function,
                on,
            };
            let tokens = [prompts, forks * tail, 2 * d_mlp];
            let of_one = [prompts, tail, 2 * d_mlp];
            for (projected, gains, sharing) in [
                (tokens, [prompts, forks, d_mlp], "each its own"),
                (of_one, [prompts, forks, d_mlp], "projections shared"),
                (tokens, [1, 1, d_mlp], "gains shared"),
            ] {
                let what = format!("{what}, {sharing}");
                devices.hold(&what, [projected, gains], |[projected, gains], device| {
                    let bias = tensor(50, [d_mlp], device);
                    activate(projected, Some(&bias), Some(gains), shape)
                });
            }
            let one = [prompts, forks * tail, d_mlp];
            devices.hold(&format!("{what}, plain"), [one], |[projected], _| {
                let shape = ActivationShape {
                    gated: false,
                    ..shape
                };
                activate(projected, None, None, shape)
            });
        }
    }
    // Far out, where exponentials overflow.
    let far = |device: &Device| {
        let x = [-1e4, -200.0, -90.0, -20.0, 0.0, 20.0, 90.0, 200.0, 1e4];
        let x = Tensor::<3>::from_data(TensorData::new(x.to_vec(), [1, 1, 9]), device);
        functions.map(|function| {
            let shape = ActivationShape {
                prompts: 1,
                forks: 1,
                tail: 1,
                gated: false,
                function,
                on: GainsOn::Activation,
            };
            wide(host(activate(x.clone(), None, None, shape)))
        })
    };
    let (found, expected) = (far(&devices.kernels), far(&devices.plain));
    for (found, expected) in found.iter().zip(&expected) {
        assert_scaled(found, expected, "activations far out");
    }
}

fn sums_of_exponentials(devices: &Devices) {
    for (rows, width) in [(1, 1), (17, 33), (3, 1000)] {
        let what = format!("sum of exponentials of {rows} × {width}");
        devices.hold(&what, [[1, rows, width]], |[x], _| log_sum_exp(x * 5.0));
    }
}
