//! Forks: runs that leave other runs with an edit of their own.
//!
//! A fork leaves its run at the lowest layer that its edit changes, at that layer's activation or before its block, and shares everything below. Many forks are made at
//! once: at each layer those that leave there join those that left below, so that every weight matrix is read once for
//! all of them. Runs that continue each other fork together, layer by layer, since a continuation attends to the keys
//! and values of its own fork.

use burn::tensor::Tensor;

use super::attention::KeyValues;
use super::decoder::Decoder;
use super::edit::{Edit, LayerEdits, Leaving, joined};
use super::positions::TailPositions;
use super::run::Run;
use super::{ModelError, upload};
use crate::job::Job;

/// A run that is forked.
#[derive(Clone, Copy)]
pub struct Link<'a> {
    /// The run, which captured every layer that a fork leaves at.
    pub run: &'a Run,
    /// The run that it continues, by its place among the links; it comes before this one.
    pub after: Option<usize>,
    /// How many of its last positions are read above the last block.
    pub read: usize,
}

impl<'a> Link<'a> {
    /// A run that continues no other, and is read everywhere.
    pub fn first(run: &'a Run) -> Self {
        Self {
            run,
            after: None,
            read: run.geometry.tail,
        }
    }

    /// The same, continuing the link at a place.
    #[must_use]
    pub fn after(self, place: usize) -> Self {
        Self {
            after: Some(place),
            ..self
        }
    }

    /// The same, read at its last positions alone.
    #[must_use]
    pub fn reading(self, positions: usize) -> Self {
        Self {
            read: positions,
            ..self
        }
    }
}

/// A link on its way up.
struct Climb<'a> {
    link: Link<'a>,
    /// Whether another link continues it.
    is_continued: bool,
    positions: TailPositions,
    /// Residual stream of the forks so far, `[forks · batch, rows · tail, d_model]`; above the last block of the positions that are
    /// read.
    x: Option<Tensor<3>>,
}

impl Decoder {
    /// Forks all of `links` under each of `edits`: for every link a run of `edits.len()` times its prompts, fork after fork,
    /// that further runs cannot continue, of the positions that are read of it. Differentiable where edits are.
    ///
    /// # Errors
    ///
    /// [`ModelError::Config`] when a layer was not captured; [`ModelError::Cancelled`].
    pub async fn fork(
        &self,
        links: &[Link<'_>],
        edits: &[Edit],
        job: Job<'_>,
    ) -> Result<Vec<Run>, ModelError> {
        for edit in edits {
            edit.check(&self.config)?;
        }
        let n_layers = self.config.n_layers;
        // Those that change nothing come last.
        let left_at = |edit: &Edit| edit.leaves_at().map_or((n_layers, false), by_place);
        let mut order: Vec<usize> = (0..edits.len()).collect();
        order.sort_by_key(|&fork| left_at(&edits[fork]));
        let in_order: Vec<&Edit> = order.iter().map(|&fork| &edits[fork]).collect();
        let mut climbs: Vec<Climb<'_>> = links
            .iter()
            .enumerate()
            .map(|(place, &link @ Link { run, read, .. })| Climb {
                link,
                is_continued: links.iter().any(|link| link.after == Some(place)),
                positions: TailPositions::new(
                    &self.config,
                    run.first_position,
                    run.geometry.tail,
                    run.padding.as_ref(),
                    &self.device,
                )
                .reading(read),
                x: None,
            })
            .collect();
        let lowest = in_order.first().map_or(n_layers, |first| left_at(first).0);
        let mut up = 0;
        for layer in lowest..n_layers {
            job.checkpoint().await?;
            let climbing = in_order.partition_point(|edit| left_at(edit) <= (layer, false));
            let above = in_order.partition_point(|edit| left_at(edit) <= (layer, true));
            let forks = Forks {
                climbing: &in_order[..climbing],
                entering: climbing - up,
                leaving: &in_order[climbing..above],
            };
            self.step(layer, &mut climbs, forks)?;
            up = above;
        }
        let unchanged = edits.len() - up;
        climbs
            .into_iter()
            .map(|climb| {
                let Link { run, read, .. } = climb.link;
                let spread =
                    (unchanged > 0).then(|| run.last_resids(read).repeat_dim(0, unchanged));
                let all: Vec<_> = climb.x.into_iter().chain(spread).collect();
                let x = joined(all)
                    .ok_or_else(|| ModelError::Config("there is nothing to fork".into()))?;
                Ok(Run {
                    geometry: run.geometry.times(edits.len()).of_last(read),
                    first_position: run.first_position,
                    padding: None,
                    key_values: vec![None; n_layers],
                    states: Vec::new(),
                    entries: Vec::new(),
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
        forks: Forks<'_>,
    ) -> Result<(), ModelError> {
        let Forks {
            climbing,
            entering,
            leaving,
        } = forks;
        let on_the_way = LayerEdits::new(layer, climbing.iter().copied());
        let born = LayerEdits::new(layer, leaving.iter().copied());
        let (of_climbing, of_born) = (on_the_way.of_activations(), born.of_activations());
        let mut seen: Vec<Option<KeyValues>> = Vec::with_capacity(climbs.len());
        for climb in climbs {
            let Link { run, after, .. } = climb.link;
            let mut parts = Vec::new();
            let geometry = run.geometry.times(climbing.len());
            let above = (run.geometry).of_last(climb.positions.leaving(&self.config, layer));
            let prefix = after.and_then(|link| seen.get(link)?.as_ref());
            let mut own = None;
            let entry = match entering {
                0 => None,
                forks => Some(run.entry(layer)?.clone().repeat_dim(0, forks)),
            };
            if let Some(x) = joined(climb.x.take().into_iter().chain(entry).collect()) {
                let (state, of_forks) =
                    self.to_feed_forward(layer, geometry, &climb.positions, x, prefix, &on_the_way);
                let activation = match &of_climbing {
                    Some(edit) => state.pre.of_forks(edit, above),
                    None => state.pre.activation(),
                };
                let resid_mid = state.resid_mid;
                parts.push(self.from_feed_forward(layer, resid_mid, activation, &on_the_way));
                own = climb.is_continued.then(|| of_forks.after(prefix));
            }
            if !leaving.is_empty() {
                let state = run.state(layer)?;
                let state = state.map(|x| run.geometry.last(x, above.tail));
                let activation = match &of_born {
                    Some(edit) => state.pre.of_forks(edit, above),
                    None => state.pre.activation().repeat_dim(0, leaving.len()),
                };
                let resid_mid = state.resid_mid.repeat_dim(0, leaving.len());
                parts.push(self.from_feed_forward(layer, resid_mid, activation, &born));
            }
            seen.push(own);
            climb.x = joined(parts);
        }
        Ok(())
    }
}

/// The forks that a layer is for, in the order in which they leave their runs.
struct Forks<'a> {
    /// Those that go through the whole block.
    climbing: &'a [&'a Edit],
    /// How many of them, the last ones, enter it from their run.
    entering: usize,
    /// Those that leave at the activation.
    leaving: &'a [&'a Edit],
}

/// The order of the places in a decoder.
fn by_place(place: Leaving) -> (usize, bool) {
    (place.layer, place.at_activation)
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
    let places = upload::places(places, [forks], &x.device());
    x.reshape([forks, all / forks * tokens * width])
        .select(0, places)
        .reshape([all, tokens, width])
}
