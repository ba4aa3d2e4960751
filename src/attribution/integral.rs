//! The integral over the path: all layers' nodes in few passes, by a fixed rule or with as many nodes as it takes.

use std::ops::Range;

use burn::tensor::Tensor;

use super::IntegrationPath;
use super::methods::estimated;
use super::quadrature::{LOBATTO, Node, Quadrature};
use super::sweep::{Climbed, Sweep};
use crate::job::Job;
use crate::model::run::read;
use crate::model::{ModelError, upload};

/// Share of the target's own size that its differences cannot be told from rounding.
const ROUNDING: f64 = 1e-5;

/// What a sweep found, on the host.
pub struct Swept {
    d_mlp: usize,
    /// Per prompt `[n_layers · d_mlp]`.
    scores: Vec<Vec<f32>>,
    /// `M(0)` per prompt, of each layer or once for the joint path.
    at_zero: Vec<Vec<f64>>,
    /// Nodes that it took, as `at_zero`.
    nodes: Vec<Vec<usize>>,
}

/// Nodes of a layer, or of all of them on the joint path, that are taken together: for every prompt equally many pieces of the
/// path with equally many nodes.
struct Nodes {
    /// The layer, or 0 for all.
    entry: usize,
    /// `[prompts][pieces · nodes of a piece]`
    of_prompts: Vec<Vec<Node>>,
}

/// What the nodes of one [`Nodes`] came to.
struct Found {
    entry: usize,
    /// The weighted sum of the gradients of every piece, `[prompts][pieces][layers of the entry · d_mlp]`.
    sums: Vec<Vec<Vec<f32>>>,
    /// The target's values, `[prompts][pieces · nodes of a piece]`.
    values: Vec<Vec<f32>>,
}

impl Swept {
    fn new(sweep: &Sweep<'_>) -> Self {
        let config = &sweep.decoder.config;
        let (prompts, entries) = (sweep.n_prompts(), sweep.entries());
        Self {
            d_mlp: config.d_mlp,
            scores: vec![vec![0.0; config.n_layers * config.d_mlp]; prompts],
            at_zero: vec![vec![0.0; entries]; prompts],
            nodes: vec![vec![0; entries]; prompts],
        }
    }

    /// Scores that no path led to, `[prompts][n_layers · d_mlp]`: there is nothing that they should add up to.
    pub(super) fn of_scores(sweep: &Sweep<'_>, scores: Vec<Vec<f32>>) -> Self {
        let none = sweep.n_prompts();
        Self {
            scores,
            at_zero: vec![Vec::new(); none],
            nodes: vec![Vec::new(); none],
            ..Self::new(sweep)
        }
    }

    /// Scores of one prompt, `[n_layers · d_mlp]`.
    pub fn scores_of(&self, prompt: usize) -> Vec<f32> {
        self.scores[prompt].clone()
    }

    /// `M(0)` of one prompt, of each layer or once for the joint path.
    pub fn at_zero_of(&self, prompt: usize) -> Vec<f64> {
        self.at_zero[prompt].clone()
    }

    /// Nodes that one prompt took, of each layer or once for the joint path.
    pub fn nodes_of(&self, prompt: usize) -> Vec<usize> {
        self.nodes[prompt].clone()
    }

    /// Adds a piece's part to the scores of its layer or layers.
    fn add(&mut self, prompt: usize, entry: usize, part: &[f32]) {
        let own = &mut self.scores[prompt][entry * self.d_mlp..][..part.len()];
        for (sum, part) in own.iter_mut().zip(part) {
            *sum += part;
        }
    }
}

impl Sweep<'_> {
    /// Every neuron's score for every prompt, by the settings' method.
    ///
    /// # Errors
    ///
    /// [`ModelError::Device`], [`ModelError::Cancelled`].
    pub async fn run(&self, job: Job<'_>) -> Result<Swept, ModelError> {
        if let Some(estimated) = estimated(self, job).await? {
            return Ok(estimated);
        }
        match self.settings.rule {
            Quadrature::Adaptive => self.run_adaptive(job).await,
            rule => self.run_fixed(rule.nodes(self.settings.steps), job).await,
        }
    }

    /// The paths that are integrated over: one of each layer, or one of all of them.
    fn entries(&self) -> usize {
        match self.settings.path {
            IntegrationPath::PerLayer => self.decoder.config.n_layers,
            IntegrationPath::Joint => 1,
        }
    }

    /// The same nodes for all layers and prompts, as many at once as fit one pass.
    async fn run_fixed(&self, mut nodes: Vec<Node>, job: Job<'_>) -> Result<Swept, ModelError> {
        if nodes.iter().all(|&(alpha, _)| alpha != 0.0) {
            // M(0) is needed for the completeness gap, so it rides along with no weight.
            nodes.push((0.0, 0.0));
        }
        let mut swept = Swept::new(self);
        for taken in &mut swept.nodes {
            taken.fill(self.settings.steps);
        }
        let groups = match self.settings.path {
            IntegrationPath::PerLayer => self.layer_groups(),
            IntegrationPath::Joint => std::iter::once(0..1).collect(),
        };
        for entries in groups {
            let at_once = self.rows_at_once(entries.clone(), nodes.len());
            for part in nodes.chunks(at_once) {
                let together = entries.clone().map(|entry| Nodes {
                    entry,
                    of_prompts: vec![part.to_vec(); self.n_prompts()],
                });
                let zero = part.iter().position(|&(alpha, _)| alpha == 0.0);
                for found in self
                    .pass(&together.collect::<Vec<_>>(), part.len(), job)
                    .await?
                {
                    for (prompt, (sums, values)) in found.sums.iter().zip(&found.values).enumerate()
                    {
                        for sum in sums {
                            swept.add(prompt, found.entry, sum);
                        }
                        if let Some(zero) = zero {
                            swept.at_zero[prompt][found.entry] = values[zero].into();
                        }
                    }
                }
            }
        }
        match self.settings.method.adds_up() {
            true => Ok(swept),
            false => Ok(Swept::of_scores(self, swept.scores)),
        }
    }

    /// Pieces of every path, halved until what each misses of completeness is small enough. A piece's error is
    /// `|Σ_j IG_j − (M(end) − M(start))|` on it alone, which costs nothing: its first and last node are its ends. So pieces become
    /// short where the target bends.
    async fn run_adaptive(&self, job: Job<'_>) -> Result<Swept, ModelError> {
        let mut swept = Swept::new(self);
        let mut paths: Vec<Vec<Path>> = (0..self.entries())
            .map(|_| (0..self.n_prompts()).map(|_| Path::new()).collect())
            .collect();
        while paths.iter().flatten().any(|path| !path.open.is_empty()) {
            for pass in self.passes(&paths) {
                let nodes: Vec<Nodes> = pass
                    .into_iter()
                    .map(|(entry, pieces)| Nodes {
                        entry,
                        of_prompts: paths[entry]
                            .iter()
                            .map(|path| path.nodes(pieces.clone()))
                            .collect(),
                    })
                    .collect();
                for found in self.pass(&nodes, LOBATTO.len(), job).await? {
                    for (path, (sums, values)) in paths[found.entry]
                        .iter_mut()
                        .zip(found.sums.into_iter().zip(&found.values))
                    {
                        path.measure(sums, values);
                    }
                }
            }
            for (entry, paths) in paths.iter_mut().enumerate() {
                for (prompt, path) in paths.iter_mut().enumerate() {
                    for part in path.judge(self.settings.tolerance(), self.settings.steps) {
                        swept.add(prompt, entry, &part);
                    }
                    swept.at_zero[prompt][entry] = path.at_zero;
                    swept.nodes[prompt][entry] = path.nodes_taken;
                }
            }
        }
        Ok(swept)
    }

    /// The open pieces of all paths in passes as large as fit: of each path in a pass its entry and which of its pieces.
    fn passes(&self, paths: &[Vec<Path>]) -> Vec<Vec<(usize, Range<usize>)>> {
        let mut passes = Vec::new();
        let mut pass: Vec<(usize, Range<usize>)> = Vec::new();
        for (entry, paths) in paths.iter().enumerate() {
            let open = paths.iter().map(|path| path.open.len()).max().unwrap_or(0);
            let mut from = 0;
            while from < open {
                let fits = |to: &usize| {
                    let own = (entry, from..*to);
                    let rows = pass.iter().chain([&own]);
                    self.fit(rows.map(|(entry, pieces)| (*entry, pieces.len() * LOBATTO.len())))
                };
                match (from + 1..=open).rev().find(fits) {
                    Some(to) => {
                        pass.push((entry, from..to));
                        from = to;
                    }
                    None if pass.is_empty() => {
                        pass.push((entry, from..from + 1));
                        from += 1;
                    }
                    None => passes.push(std::mem::take(&mut pass)),
                }
            }
        }
        passes.push(pass);
        passes.retain(|pass| !pass.is_empty());
        passes
    }

    /// The values at some nodes, and the gradients there weighted and summed over the `at_once` nodes of every piece; on the joint
    /// path there is one [`Nodes`]. One way up, one back, one readback.
    async fn pass(
        &self,
        nodes: &[Nodes],
        at_once: usize,
        job: Job<'_>,
    ) -> Result<Vec<Found>, ModelError> {
        let d_mlp = self.decoder.config.d_mlp;
        let prompts = self.n_prompts();
        let climbed = match self.settings.path {
            IntegrationPath::PerLayer => {
                let births = nodes.iter().map(|nodes| {
                    let gains = self.gains(&nodes.of_prompts).autodiff().require_grad();
                    (nodes.entry, gains)
                });
                self.climb_per_layer(births, job).await?
            }
            IntegrationPath::Joint => {
                let nodes = nodes.first().map_or(&[][..], |nodes| &nodes.of_prompts);
                self.climb_joint(self.gains(nodes), job).await?
            }
        };
        job.checkpoint().await?;
        let mut found = climbed.gradients()?;
        if !self.settings.method.adds_up() {
            found = found
                .into_iter()
                .map(|of_layer| self.clamped(of_layer))
                .collect();
        }
        let Climbed { leaves, values } = climbed;
        // Every leaf's weights: on the joint path those of the one entry.
        let of_leaf = |leaf: usize| &nodes[leaf.min(nodes.len() - 1)].of_prompts;
        let weights: Vec<f32> = (0..prompts)
            .flat_map(|prompt| (0..leaves.len()).flat_map(move |leaf| of_leaf(leaf)[prompt].iter()))
            .map(|&(_, weight)| weight as f32)
            .collect();
        let pieces = weights.len() / prompts / at_once;
        let shape = [prompts, pieces, at_once, 1];
        let weights = upload::numbers(weights, shape, self.decoder.device());
        let by_piece = Tensor::cat(found, 1).reshape([prompts, pieces, at_once, d_mlp]);
        let sums = (by_piece * weights)
            .sum_dim(2)
            .reshape([prompts, pieces * d_mlp]);
        let rows = values.dims()[1];
        let read = read(Tensor::cat(vec![sums, values.inner()], 1)).await?;
        Ok(self.found(nodes, at_once, read.chunks(pieces * d_mlp + rows)))
    }

    /// What was read back, `[prompts][sums of all pieces, values of all rows]`, by entry.
    fn found<'b>(
        &self,
        nodes: &[Nodes],
        at_once: usize,
        of_prompts: impl Iterator<Item = &'b [f32]> + Clone,
    ) -> Vec<Found> {
        let d_mlp = self.decoder.config.d_mlp;
        let rows_of = |nodes: &Nodes| nodes.of_prompts.first().map_or(0, Vec::len);
        let rows: usize = nodes.iter().map(rows_of).sum();
        let layers = match self.settings.path {
            IntegrationPath::PerLayer => 1,
            IntegrationPath::Joint => self.decoder.config.n_layers,
        };
        let (mut piece, mut row) = (0, 0);
        let mut all = Vec::with_capacity(nodes.len());
        for nodes in nodes {
            let own = rows_of(nodes);
            let pieces = own / at_once;
            // A piece's part in each layer of the entry, one layer after the other.
            let sums = of_prompts.clone().map(|read| {
                let of_piece = |index: usize| -> Vec<f32> {
                    (0..layers)
                        .flat_map(|layer| {
                            let place = piece + layer * pieces + index;
                            &read[place * d_mlp..(place + 1) * d_mlp]
                        })
                        .copied()
                        .collect()
                };
                (0..pieces).map(of_piece).collect()
            });
            let values = of_prompts.clone().map(|read| {
                let values = &read[read.len() - rows..];
                values[row..row + own].to_vec()
            });
            all.push(Found {
                entry: nodes.entry,
                sums: sums.collect(),
                values: values.collect(),
            });
            piece += pieces * layers;
            row += own;
        }
        all
    }

    /// Gains `[prompts, nodes, d_mlp]`, each node's all equal to its α.
    fn gains(&self, of_prompts: &[Vec<Node>]) -> Tensor<3> {
        let rows = of_prompts.first().map_or(0, Vec::len);
        let alphas: Vec<f32> = of_prompts
            .iter()
            .flatten()
            .map(|&(alpha, _)| alpha as f32)
            .collect();
        let device = self.decoder.device();
        let alphas = upload::numbers(alphas, [of_prompts.len(), rows, 1], device);
        // A product, so that they lie in memory once: an expanded view would be copied at every use.
        alphas * Tensor::ones([of_prompts.len(), rows, self.decoder.config.d_mlp], device)
    }
}

/// The path of one layer (or of all together) for one prompt, while its nodes are found.
struct Path {
    /// Pieces that are not decided on yet.
    open: Vec<Range<f64>>,
    /// Of the first of them, their parts of the scores and what those miss of completeness.
    measured: Vec<(Vec<f32>, f64)>,
    /// What the accepted pieces miss of completeness.
    missed: f64,
    at_zero: f64,
    at_one: f64,
    nodes_taken: usize,
}

impl Path {
    fn new() -> Self {
        Self {
            // Two pieces: one alone could meet completeness by chance.
            open: vec![0.0..0.5, 0.5..1.0],
            measured: Vec::new(),
            missed: 0.0,
            at_zero: 0.0,
            at_one: 0.0,
            nodes_taken: 0,
        }
    }

    /// The nodes of some open pieces; where there are fewer, nodes of no weight in their place.
    fn nodes(&self, pieces: Range<usize>) -> Vec<Node> {
        let of_piece = |index: usize| {
            let piece = self.open.get(index);
            LOBATTO.map(|(alpha, weight)| match piece {
                Some(&Range { start, end }) => {
                    (start + alpha * (end - start), weight * (end - start))
                }
                None => (1.0, 0.0),
            })
        };
        pieces.flat_map(of_piece).collect()
    }

    /// Notes what the next open pieces came to: their parts of the scores, and the target's values at their nodes.
    fn measure(&mut self, sums: Vec<Vec<f32>>, values: &[f32]) {
        for (sum, values) in sums.into_iter().zip(values.chunks(LOBATTO.len())) {
            let (Some(piece), [first, .., last]) = (self.open.get(self.measured.len()), values)
            else {
                return;
            };
            let (first, last) = (f64::from(*first), f64::from(*last));
            if piece.start == 0.0 {
                self.at_zero = first;
            }
            if piece.end == 1.0 {
                self.at_one = last;
            }
            let total: f64 = sum.iter().map(|&part| f64::from(part)).sum();
            self.measured.push((sum, (total - (last - first)).abs()));
            self.nodes_taken += LOBATTO.len();
        }
    }

    /// Decides on the open pieces, all of which are measured: the parts of those that are good enough. The others are halved,
    /// unless that would take more than `most` nodes in all.
    fn judge(&mut self, tolerance: f64, most: usize) -> Vec<Vec<f32>> {
        let difference = (self.at_one - self.at_zero).abs();
        let rounding = ROUNDING * self.at_one.abs().max(self.at_zero.abs());
        let allowed = (tolerance * difference).max(rounding);
        let errors = self.measured.iter().map(|(_, error)| error);
        let is_enough = self.missed + errors.sum::<f64>() <= allowed;
        let is_good = |piece: &Range<f64>, error: f64| error <= allowed * (piece.end - piece.start);
        let pieces = self.open.iter().zip(&self.measured);
        let bad = pieces.filter(|(piece, (_, error))| !is_good(piece, *error));
        let is_end = self.nodes_taken + bad.count() * 2 * LOBATTO.len() > most;
        let mut parts = Vec::new();
        let pieces = std::mem::take(&mut self.open).into_iter();
        for (piece, (part, error)) in pieces.zip(self.measured.drain(..)) {
            if is_enough || is_end || is_good(&piece, error) {
                self.missed += error;
                parts.push(part);
            } else {
                let middle = f64::midpoint(piece.start, piece.end);
                self.open.extend([piece.start..middle, middle..piece.end]);
            }
        }
        parts
    }
}
