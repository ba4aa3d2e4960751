//! Every kernel against the plain operations: values and gradients, on odd shapes, and gradients by finite differences.
//!
//! One test a kind of device, because a device is made once: compiling a GPU's shaders takes longer than everything else here.

#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "in a test a panic is the report"
)]

mod common;

use burn::tensor::quantization::{QuantScheme, QuantStore, QuantValue, ScaleDtype};
use burn::tensor::{DType, Device, Int, Tensor, TensorData};
use common::{assert_close, host, job, wait};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use secateur::kernels::{
    self, Activation, ActivationShape, AttentionShape, GainsOn, Layout, WayBack, plain,
};
use secateur::model::device::Compute;

/// Both devices compute in f32 and differ in the order of their sums, of up to 2,000 values of about 1.
const VALUE: f64 = 2e-5;

#[test]
fn kernels_on_a_processor_give_the_numbers_of_the_plain_operations() {
    hold_all(Device::flex());
}

#[test]
#[ignore = "needs a graphics card, or a Vulkan driver for the processor"]
fn kernels_on_wgpu_give_the_numbers_of_the_plain_operations() {
    let compute = wait(Compute::wgpu(job())).unwrap();
    hold_all(compute.device.clone());
    compute.faults.check().unwrap();
}

fn hold_all(device: Device) {
    let devices = Devices {
        plain: Way {
            device: Device::flex(),
            is_plain: true,
        },
        kernels: Way {
            device,
            is_plain: false,
        },
    };
    products(&devices);
    packed_weights(&devices);
    norms(&devices);
    rotations(&devices);
    attention(&devices);
    activations(&devices);
    linear_ways_back(&devices.kernels);
    sums_of_exponentials(&devices);
    normalisers(&devices);
}

struct Devices {
    plain: Way,
    kernels: Way,
}

/// A way to compute: by the kernels of a device, or by the plain operations.
struct Way {
    device: Device,
    is_plain: bool,
}

impl Way {
    fn tensor<const D: usize>(&self, seed: u64, shape: [usize; D]) -> Tensor<D> {
        tensor(seed, shape, &self.device)
    }

    fn project(
        &self,
        x: Tensor<3>,
        weight: Tensor<2>,
        layout: Layout,
        bias: Option<&Tensor<1>>,
        residual: Option<Tensor<3>>,
    ) -> Tensor<3> {
        match self.is_plain {
            true => plain::project(x, weight, layout, bias, residual),
            false => kernels::project(x, weight, layout, bias, residual),
        }
    }

    fn norm(
        &self,
        x: Tensor<3>,
        weight: &Tensor<1>,
        bias: Option<&Tensor<1>>,
        centred: bool,
    ) -> Tensor<3> {
        match self.is_plain {
            true => plain::norm(x, weight, bias, centred, 1e-2, WayBack::Exact),
            false => kernels::norm(x, weight, bias, centred, 1e-2, WayBack::Exact),
        }
    }

    fn norm_heads(&self, x: Tensor<4>, weight: &Tensor<2>) -> Tensor<4> {
        match self.is_plain {
            true => plain::norm_heads(x, weight, false, 1e-2, WayBack::Exact),
            false => kernels::norm_heads(x, weight, false, 1e-2, WayBack::Exact),
        }
    }

    fn rotate(&self, x: Tensor<4>, [cos, sin]: &[Tensor<4>; 2], rotated: usize) -> Tensor<4> {
        match self.is_plain {
            true => plain::rotate(x, cos, sin, rotated),
            false => kernels::rotate(x, cos, sin, rotated),
        }
    }

    fn attend(
        &self,
        heads: Tensor<4>,
        prefix: Option<Tensor<4>>,
        padding: Option<&Tensor<1>>,
        shape: AttentionShape,
    ) -> Tensor<4> {
        match self.is_plain {
            true => plain::attend(heads, prefix, padding, shape),
            false => kernels::attend(heads, prefix, padding, shape),
        }
    }

    fn activate(
        &self,
        projected: Tensor<3>,
        bias: Option<&Tensor<1>>,
        gains: Option<Tensor<3>>,
        shape: ActivationShape,
    ) -> Tensor<3> {
        match self.is_plain {
            true => plain::activate(projected, bias, gains, shape, WayBack::Exact),
            false => kernels::activate(projected, bias, gains, shape, WayBack::Exact),
        }
    }

    fn log_sum_exp(&self, x: Tensor<3>) -> Tensor<3> {
        match self.is_plain {
            true => plain::log_sum_exp(x),
            false => kernels::log_sum_exp(x),
        }
    }

    fn log_normaliser(&self, x: Tensor<3>, pieces: &[Tensor<2>], cap: Option<f64>) -> Tensor<3> {
        match self.is_plain {
            true => plain::log_normaliser(x, pieces, cap),
            false => kernels::log_normaliser(x, pieces, cap),
        }
    }

    fn rows(&self, table: &Tensor<2>, ids: Tensor<1, Int>) -> Tensor<2> {
        match self.is_plain {
            true => plain::rows(table, ids),
            false => kernels::rows(table, ids),
        }
    }
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
        function: impl Fn([Tensor<D>; N], &Way) -> Tensor<E>,
    ) {
        let run = |way: &Way| {
            let mut seed = 0;
            let inputs = shapes.map(|shape| {
                seed += 1;
                way.tensor(seed, shape).autodiff().require_grad()
            });
            let out = function(inputs.clone(), way);
            let direction = way.tensor(99, out.dims());
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
        function: &impl Fn([Tensor<D>; N], &Way) -> Tensor<E>,
    ) {
        const STEP: f32 = 1e-2;
        let value = |step: f32| -> f64 {
            let mut seed = 0;
            let inputs = shapes.map(|shape| {
                seed += 1;
                let direction = self.kernels.tensor(1000 + seed, shape);
                self.kernels.tensor(seed, shape) + direction * step
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
        (100, 160, 352),
        (630, 33, 576),
        (2000, 48, 1537),
        // Sums so long that workgroups divide them.
        (3, 8195, 70),
        (40, 20_000, 9),
    ] {
        for layout in [Layout::InOut, Layout::OutIn] {
            let what = format!("product of {rows} × {depth} → {columns}, {layout:?}");
            devices.hold(
                &what,
                [[1, rows, depth], [1, rows, columns]].map(|[a, b, c]| [a, b, c]),
                |[x, residual], way| {
                    let shape = match layout {
                        Layout::InOut => [depth, columns],
                        Layout::OutIn => [columns, depth],
                    };
                    let weight = way.tensor(50, shape);
                    let bias = way.tensor(51, [columns]);
                    way.project(x, weight, layout, Some(&bias), Some(residual))
                },
            );
        }
    }
}

/// A weight in f16, or in eight bits with a scale for every 32 of a row.
fn packed(weight: Tensor<2>, dtype: DType) -> Tensor<2> {
    match dtype {
        DType::QFloat(scheme) => weight.quantize_dynamic(&scheme),
        dtype => weight.cast(dtype),
    }
}

/// Products with weights that the kernels unpack, held against products with the same weights unpacked before.
fn packed_weights(devices: &Devices) {
    let scheme = QuantScheme::default()
        .with_value(QuantValue::Q8S)
        .with_store(QuantStore::PackedU32(0))
        .per_block([32], ScaleDtype::F32);
    for dtype in [DType::F16, DType::QFloat(scheme)] {
        if !devices.kernels.device.supports_dtype(dtype) && dtype == DType::F16 {
            println!("skipped: weights in f16 on this device");
            continue;
        }
        let in_both = |seed: u64, shape: [usize; 2]| {
            let packed = packed(tensor(seed, shape, &devices.kernels.device), dtype);
            let values = host(plain::unpacked(&packed));
            let unpacked =
                Tensor::<2>::from_data(TensorData::new(values, shape), &devices.plain.device);
            move |way: &Way| match way.is_plain {
                true => unpacked.clone(),
                false => packed.clone(),
            }
        };
        for (rows, depth, columns) in [
            (1, 64, 96),
            (3, 160, 32),
            (7, 32, 64),
            (17, 64, 576),
            (64, 992, 32),
            (100, 160, 352),
            (130, 96, 64),
            (3, 8224, 32),
            (17, 33, 35),
        ] {
            if dtype != DType::F16 && columns % 32 != 0 {
                continue;
            }
            for (layout, shape) in [
                (Layout::InOut, [depth, columns]),
                (Layout::OutIn, [columns, depth]),
            ] {
                let what =
                    format!("product of {rows} × {depth} → {columns}, {layout:?}, {dtype:?}");
                let weight = in_both(50, shape);
                devices.hold(&what, [[1, rows, depth]], |[x], way| {
                    way.project(x, weight(way), layout, None, None)
                });
            }
            // Sums so long leave too few digits for exponentials.
            if depth > 1000 {
                continue;
            }
            let what = format!("normaliser of {rows} × {depth} → {columns}, {dtype:?}");
            let pieces = [columns, 33].map(|columns| in_both(50, [columns, depth]));
            devices.hold(&what, [[1, rows, depth]], |[x], way| {
                way.log_normaliser(x, &pieces.each_ref().map(|piece| piece(way)), None)
            });
        }
        let table = in_both(50, [41, 96]);
        let selected = |way: &Way| {
            let ids = TensorData::new(vec![40, 0, 7, 7, 1_i32], [5]);
            let ids = Tensor::<1, Int>::from_data(ids, &way.device);
            host(way.rows(&table(way), ids))
        };
        assert_eq!(
            selected(&devices.kernels),
            selected(&devices.plain),
            "rows in {dtype:?}"
        );
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
            devices.hold(&what, [[1, rows, width]], |[x], way| {
                let weight = way.tensor(50, [width]);
                let bias = centred.then(|| way.tensor(51, [width]));
                way.norm(x, &weight, bias.as_ref(), centred)
            });
        }
    }
    // Of five heads the first three, each with a weight of its own.
    devices.hold("norm of heads", [[2, 3, 5, 33]], |[x], way| {
        way.norm_heads(x, &way.tensor(50, [3, 33]))
    });
}

/// On the linear way back the values stay, and a linear operation hands back what it was given: an input times its gradient sums
/// to the output along the same direction.
fn linear_ways_back(way: &Way) {
    let held = |what: &str, x: Tensor<4>, run: &dyn Fn(Tensor<4>, WayBack) -> Tensor<4>| {
        let input = x.clone().autodiff().require_grad();
        let out = run(input.clone(), WayBack::Linear);
        let exact = run(x.clone(), WayBack::Exact);
        let found = wide(host(out.clone().inner()));
        assert_scaled(&found, &wide(host(exact)), what);
        let direction = way.tensor(99, out.dims());
        let along = (out * direction).sum();
        let gradient = input.grad_remove(&mut along.clone().backward()).unwrap();
        let handed_back = wide(host((gradient * x).sum()));
        assert_scaled(&handed_back, &wide(host(along.inner())), what);
    };
    for centred in [false, true] {
        let what = format!("linear norm, centred {centred}");
        held(&what, way.tensor(1, [1, 2, 17, 33]), &|x, back| {
            kernels::norm(x, &way.tensor(50, [33]), None, centred, 1e-2, back)
        });
    }
    held(
        "linear norm of heads",
        way.tensor(1, [2, 3, 5, 33]),
        &|x, back| kernels::norm_heads(x, &way.tensor(50, [3, 33]), false, 1e-2, back),
    );
    for function in [Activation::Silu, Activation::Gelu, Activation::GeluTanh] {
        for gated in [false, true] {
            let what = format!("linear {function:?}, gated {gated}");
            let width = if gated { 66 } else { 33 };
            held(&what, way.tensor(1, [1, 1, 5, width]), &|x, back| {
                let shape = ActivationShape {
                    prompts: 1,
                    forks: 1,
                    tail: 5,
                    gated,
                    function,
                    on: GainsOn::Activation,
                };
                kernels::activate(x.reshape([1, 5, width]), None, None, shape, back).unsqueeze()
            });
        }
    }
}

fn rotations(devices: &Devices) {
    for (forks, tail, heads, rotated, d_head, dimensions) in
        [(1, 1, 1, 1, 8, 8), (3, 5, 3, 2, 10, 4)]
    {
        let what = format!("rotation of {dimensions} of {d_head} dimensions");
        devices.hold(&what, [[forks, tail, heads, d_head]], |[x], way| {
            let shape = [1, tail, 1, dimensions];
            let tables = [50, 51].map(|seed| way.tensor(seed, shape));
            way.rotate(x, &tables, rotated)
        });
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
        // The first prompt is the longest; the others begin later, the last of them within the tail.
        let padding = |device: &Device| {
            let counts = (0..prompts).map(|prompt| (prompt * (n_prefix + tail) * 2 / 5) as f32);
            let counts = TensorData::new(counts.collect::<Vec<f32>>(), [prompts]);
            (prompts == 3).then(|| Tensor::<1>::from_data(counts, device))
        };
        if n_prefix == 0 {
            devices.hold(&what, [own], |[heads], way| {
                let padding = padding(&way.device);
                way.attend(heads, None, padding.as_ref(), shape)
            });
        } else {
            devices.hold(&what, [own, before], |[heads, prefix], way| {
                let (prefix, padding) = (Some(prefix), padding(&way.device));
                way.attend(heads, prefix, padding.as_ref(), shape)
            });
            // As a run leaves them: beside its queries in memory, and a part of the positions.
            let stored = [prompts, n_prefix + 2, heads + 2 * kv_heads, d_head];
            let what = format!("{what}, as stored");
            devices.hold(&what, [own, stored], |[own, stored], way| {
                let of_all = stored.narrow(2, heads, 2 * kv_heads);
                let prefix = Some(of_all.narrow(1, 0, n_prefix));
                let padding = padding(&way.device);
                way.attend(own, prefix, padding.as_ref(), shape)
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
                devices.hold(&what, [projected, gains], |[projected, gains], way| {
                    let bias = way.tensor(50, [d_mlp]);
                    way.activate(projected, Some(&bias), Some(gains), shape)
                });
            }
            let one = [prompts, forks * tail, d_mlp];
            devices.hold(&format!("{what}, plain"), [one], |[projected], way| {
                let shape = ActivationShape {
                    gated: false,
                    ..shape
                };
                way.activate(projected, None, None, shape)
            });
        }
    }
    // Far out, where exponentials overflow.
    let far = |way: &Way| {
        let x = [-1e4, -200.0, -90.0, -20.0, 0.0, 20.0, 90.0, 200.0, 1e4];
        let x = Tensor::<3>::from_data(TensorData::new(x.to_vec(), [1, 1, 9]), &way.device);
        functions.map(|function| {
            let shape = ActivationShape {
                prompts: 1,
                forks: 1,
                tail: 1,
                gated: false,
                function,
                on: GainsOn::Activation,
            };
            wide(host(way.activate(x.clone(), None, None, shape)))
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
        devices.hold(&what, [[1, rows, width]], |[x], way| {
            way.log_sum_exp(x * 5.0)
        });
    }
}

fn normalisers(devices: &Devices) {
    // Rows 1 to several tiles; tables of one piece and of several, the last of them smaller, and so wide that the way back
    // takes the rows in parts.
    for (rows, depth, pieces) in [
        (1, 576, vec![1000]),
        (1, 5, vec![1]),
        (3, 33, vec![70, 70, 1]),
        (7, 64, vec![33]),
        (16, 5, vec![3000]),
        (17, 64, vec![500, 77]),
        (64, 576, vec![1537]),
        (630, 33, vec![2050]),
        (2100, 8, vec![9001]),
    ] {
        let caps: &[Option<f64>] = match rows {
            2100 => &[Some(3.0)],
            _ => &[None, Some(3.0)],
        };
        for &cap in caps {
            let what = format!("normaliser of {rows} × {depth} → {pieces:?}, cap {cap:?}");
            devices.hold(&what, [[1, rows, depth]], |[x], way| {
                let piece = |(seed, &columns)| way.tensor(seed, [columns, depth]);
                let pieces: Vec<Tensor<2>> = (50..).zip(&pieces).map(piece).collect();
                way.log_normaliser(x, &pieces, cap)
            });
        }
    }
}
