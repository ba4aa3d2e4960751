//! Forks: runs that leave other runs with altered activations.
//!
//! A fork leaves its run at the lowest layer that its gains change, and shares everything below. Many forks are made at
//! once: at each layer those that leave there join those that left below, so that every weight matrix is read once for
//! all of them. Runs that continue each other fork together, layer by layer, since a continuation attends to the keys
//! and values of its own fork.

use burn::tensor::{Int, Tensor, TensorData};

use super::ModelError;
use super::attention::KeyValues;
use super::decoder::Decoder;
use super::gains::Gains;
use super::positions::TailPositions;
use super::run::Run;
use crate::job::Job;

/// A run that is forked.
#[derive(Clone, Copy)]
pub struct Link<'a> {
    /// The run, which captured every layer that a fork leaves at.
    pub run: &'a Run,
    /// The run that it continues, by its place among the links; it comes before this one.
    pub after: Option<usize>,
}

impl<'a> Link<'a> {
    /// A run that continues no other.
    pub fn first(run: &'a Run) -> Self {
        Self { run, after: None }
    }
}

/// A link on its way up.
struct Climb<'a> {
    run: &'a Run,
    after: Option<usize>,
    /// Whether another link continues it.
    is_continued: bool,
    positions: TailPositions,
    /// Residual stream of the forks so far, `[forks · batch, rows · tail, d_model]`.
    x: Option<Tensor<3>>,
}

impl Decoder {
    /// Forks all of `links` under each of `gains`: for every link a run of `gains.len()` times its prompts, fork after fork,
    /// that further runs cannot continue. Differentiable where gains are.
    ///
    /// # Errors
    ///
    /// [`ModelError::Config`] when a layer was not captured; [`ModelError::Cancelled`].
    pub async fn fork(
        &self,
        links: &[Link<'_>],
        gains: &[Gains],
        job: Job<'_>,
    ) -> Result<Vec<Run>, ModelError> {
        let n_layers = self.config.n_layers;
        let left_at = |gains: &Gains| gains.first_layer().unwrap_or(n_layers);
        let mut order: Vec<usize> = (0..gains.len()).collect();
        order.sort_by_key(|&fork| left_at(&gains[fork]));
        let in_order: Vec<&Gains> = order.iter().map(|&fork| &gains[fork]).collect();
        let mut climbs: Vec<Climb<'_>> = links
            .iter()
            .enumerate()
            .map(|(place, &Link { run, after })| Climb {
                run,
                after,
                is_continued: links.iter().any(|link| link.after == Some(place)),
                positions: TailPositions::new(
                    &self.config,
                    run.first_position,
                    run.geometry.tail,
                    run.padding.as_ref(),
                    &self.device,
                ),
                x: None,
            })
            .collect();
        let lowest = in_order.first().map_or(n_layers, |first| left_at(first));
        let mut up = 0;
        for layer in lowest..n_layers {
            job.checkpoint().await?;
            let (on_the_way, rest) = in_order.split_at(up);
            let leaving = rest.partition_point(|fork| left_at(fork) == layer);
            self.step(layer, &mut climbs, on_the_way, &rest[..leaving])?;
            up += leaving;
        }
        let unchanged = gains.len() - up;
        climbs
            .into_iter()
            .map(|climb| {
                let run = climb.run;
                let spread =
                    (unchanged > 0).then(|| run.resid_final.clone().repeat_dim(0, unchanged));
                let all: Vec<_> = climb.x.into_iter().chain(spread).collect();
                let x = join(all)
                    .ok_or_else(|| ModelError::Config("there is nothing to fork".into()))?;
                Ok(Run {
                    geometry: run.geometry.times(gains.len()),
                    first_position: run.first_position,
                    padding: None,
                    key_values: vec![None; n_layers],
                    states: Vec::new(),
                    resid_final: put_back(x, &order),
                })
            })
            .collect()
    }

    /// One layer of all climbs: the forks on the way go through it, those that leave here join them.
    fn step(
        &self,
        layer: usize,
        climbs: &mut [Climb<'_>],
        on_the_way: &[&Gains],
        leaving: &[&Gains],
    ) -> Result<(), ModelError> {
        let factors = self.side_by_side(layer, on_the_way);
        let born = self.side_by_side(layer, leaving);
        let mut seen: Vec<Option<KeyValues>> = Vec::with_capacity(climbs.len());
        for climb in climbs {
            let mut parts = Vec::new();
            let geometry = climb.run.geometry.times(on_the_way.len());
            let prefix = climb.after.and_then(|link| seen.get(link)?.as_ref());
            let mut own = None;
            if let Some(x) = climb.x.take() {
                let (state, of_forks) =
                    self.to_feed_forward(layer, geometry, &climb.positions, x, prefix);
                let activation = match &factors {
                    Some(factors) => state.pre.of_forks(factors, climb.run.geometry),
                    None => state.pre.activation(),
                };
                parts.push(self.from_feed_forward(layer, state.resid_mid, activation));
                own = climb.is_continued.then(|| of_forks.after(prefix));
            }
            if let Some(born) = &born {
                let state = climb.run.state(layer)?;
                let activation = state.pre.of_forks(born, climb.run.geometry);
                let resid_mid = state.resid_mid.clone().repeat_dim(0, leaving.len());
                parts.push(self.from_feed_forward(layer, resid_mid, activation));
            }
            seen.push(own);
            climb.x = join(parts);
        }
        Ok(())
    }

    /// The factors of some forks on a layer, `[forks, d_mlp]`; `None` where no fork changes it.
    fn side_by_side(&self, layer: usize, forks: &[&Gains]) -> Option<Tensor<2>> {
        if forks.iter().all(|gains| gains.of(layer).is_none()) {
            return None;
        }
        let of_fork = |gains: &&Gains| match gains.of(layer) {
            Some(factors) => factors.clone().unsqueeze::<2>(),
            None => Tensor::ones([1, self.config.d_mlp], &self.device),
        };
        join(forks.iter().map(of_fork).collect())
    }
}

/// Some forks after others; `None` of no parts.
fn join<const D: usize>(parts: Vec<Tensor<D>>) -> Option<Tensor<D>> {
    match <[Tensor<D>; 1]>::try_from(parts) {
        Ok([one]) => Some(one),
        Err(parts) => (!parts.is_empty()).then(|| Tensor::cat(parts, 0)),
    }
}

/// Brings forks that climbed in `order` back into the order that was asked for.
fn put_back(x: Tensor<3>, order: &[usize]) -> Tensor<3> {
    if order.is_sorted() {
        return x;
    }
    let [all, tokens, width] = x.dims();
    let forks = order.len();
    let mut places = vec![0; forks];
    for (place, &fork) in order.iter().enumerate() {
        places[fork] = place as i32;
    }
    let places = Tensor::<1, Int>::from_data(TensorData::new(places, [forks]), &x.device());
    x.reshape([forks, all / forks * tokens * width])
        .select(0, places)
        .reshape([all, tokens, width])
}
