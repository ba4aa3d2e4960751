//! What a mask's file says of its effect.

use super::{
    Claim, Contradiction, accuracy, in_set, items_of, of_control, of_layers, of_study, same_count,
};
use crate::model::Neuron;
use crate::pruning::Mask;
use crate::pruning::effect::{ControlReport, SetEffect};
use crate::study::{MadeOf, PruningSpec, Study};

/// A mask and what is said to have been measured with it.
pub struct Measured<'a> {
    /// What the measurement was made of.
    pub made_of: MadeOf,
    /// The mask.
    pub mask: &'a Mask,
    /// Layers of the model that it was made for, and neurons of each, where that model is known.
    pub shape: Option<(usize, usize)>,
    /// How it was found.
    pub study: Option<&'a Study>,
    /// What it does.
    pub effects: &'a [SetEffect],
    /// What random masks of its size do.
    pub control: Option<&'a ControlReport>,
}

impl Measured<'_> {
    /// Whether what is said agrees with itself and with its study.
    ///
    /// # Errors
    ///
    /// [`Contradiction`].
    pub fn check(&self) -> Result<(), Contradiction> {
        self.claims().map_err(Contradiction)
    }

    fn claims(&self) -> Claim {
        if let Some(shape) = self.shape {
            self.of_shape(shape)?;
        }
        if let Some(study) = self.study {
            of_study(&self.made_of, study)?;
        }
        if let Some(spec) = self.study.and_then(|study| study.pruning.as_ref()) {
            self.of_spec(spec)?;
        }
        for (index, effect) in self.effects.iter().enumerate() {
            let mut before = self.effects.iter().take(index);
            if before.any(|other| other.set == effect.set) {
                return Err(format!("`{}` is there twice", effect.set));
            }
            in_set(&effect.set, self.of_set(effect))?;
        }
        let Some(control) = self.control else {
            return Ok(());
        };
        let asked = self.study.and_then(|study| study.control);
        of_control::check(control, self.mask, asked, |set| {
            let effect = self.effects.iter().find(|effect| effect.set == set)?;
            Some(effect.after)
        })
    }

    fn of_shape(&self, (n_layers, d_mlp): (usize, usize)) -> Claim {
        let is_inside = |neuron: Neuron| neuron.layer < n_layers && neuron.index < d_mlp;
        match self.mask.neurons().all(is_inside) {
            true => Ok(()),
            false => Err(format!(
                "the mask prunes more than the {n_layers} layers of {d_mlp} neurons that its model has"
            )),
        }
    }

    fn of_spec(&self, spec: &PruningSpec) -> Claim {
        let Some(selection) = &spec.selection else {
            return Ok(());
        };
        if let Some((_, d_mlp)) = self.shape {
            let size = selection
                .n_neurons(d_mlp)
                .map_err(|error| error.to_string())?;
            let own = self.mask.n_neurons();
            same_count("the size of the selected mask", own, size.unwrap_or(own))?;
        }
        of_layers(selection, &self.mask.layers)
    }

    fn of_set(&self, effect: &SetEffect) -> Claim {
        let SetEffect {
            before,
            after,
            flipped,
            ..
        } = effect;
        accuracy("the accuracy without the mask", before)?;
        accuracy("the accuracy with the mask", after)?;
        same_count(
            "the number of items with the mask",
            after.total,
            before.total,
        )?;
        // Each flipped answer makes one right answer more or less, or none.
        if *flipped > before.total || *flipped < before.correct.abs_diff(after.correct) {
            return Err(format!(
                "{flipped} of {} answers are said to have changed, and {} were right before and {} after",
                before.total, before.correct, after.correct
            ));
        }
        match self
            .study
            .map(|study| items_of(study, &effect.set))
            .transpose()?
            .flatten()
        {
            Some(items) => same_count("the number of items", before.total, items.len()),
            None => Ok(()),
        }
    }
}
