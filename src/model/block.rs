//! One block's weights: put together from its family's list, and taken apart again.

use super::Config;
use super::attention::{Attention, QkNorm};
use super::family::list::{Slot, Weight};
use super::feed_forward::FirstProjections;
use super::layers::{Linear, Norm};
use crate::kernels::WayBack;

/// The weights of one block.
#[derive(Clone)]
pub struct Block {
    pub(super) attention_norm: Option<Norm>,
    pub(super) attention: Attention,
    pub(super) attention_post_norm: Option<Norm>,
    pub(super) feed_forward_norm: Option<Norm>,
    pub(super) first: FirstProjections,
    pub(super) down: Linear,
    pub(super) feed_forward_post_norm: Option<Norm>,
}

/// What is in a slot.
pub(super) enum Part {
    Norm(Norm),
    Projection(Linear),
}

/// The parts of one block.
struct Parts(Vec<(Slot, Part)>);

impl Parts {
    fn take(&mut self, slot: Slot) -> Option<Part> {
        let place = self.0.iter().position(|(of, _)| *of == slot)?;
        Some(self.0.swap_remove(place).1)
    }

    fn norm(&mut self, slot: Slot) -> Option<Norm> {
        match self.take(slot)? {
            Part::Norm(norm) => Some(norm),
            Part::Projection(_) => None,
        }
    }

    #[allow(
        clippy::expect_used,
        reason = "every family lists every projection; a test of the families holds it"
    )]
    fn projection(&mut self, slot: Slot) -> Linear {
        let part = self.take(slot).and_then(|part| match part {
            Part::Norm(_) => None,
            Part::Projection(linear) => Some(linear),
        });
        part.expect("a listed projection")
    }
}

impl Block {
    /// Of norms, and of projections as they are held, those of one input side by side ([`Slot::held_in`]).
    pub(super) fn new(config: &Config, parts: Vec<(Slot, Part)>) -> Self {
        let mut parts = Parts(parts);
        let qk_norms = (parts.norm(Slot::QNorm)).zip(parts.norm(Slot::KNorm));
        Self {
            attention_norm: parts.norm(Slot::AttentionNorm),
            attention: Attention {
                qkv: parts.projection(Slot::Qkv),
                qk_norm: qk_norms.map(|(q, k)| QkNorm::new(config, q, k)),
                o: parts.projection(Slot::Output),
            },
            attention_post_norm: parts.norm(Slot::AttentionPostNorm),
            feed_forward_norm: parts.norm(Slot::FeedForwardNorm),
            first: FirstProjections::new(config, parts.projection(Slot::Gate)),
            down: parts.projection(Slot::Down),
            feed_forward_post_norm: parts.norm(Slot::FeedForwardPostNorm),
        }
    }

    /// The same with another way back through what is not linear; attention is left alone, but for norms of its queries and keys.
    pub(super) fn going_back(self, back: WayBack) -> Self {
        let norm = |norm: Option<Norm>| norm.map(|norm| Norm { back, ..norm });
        Self {
            attention_norm: norm(self.attention_norm),
            attention: Attention {
                qk_norm: (self.attention.qk_norm).map(|norm| norm.going_back(back)),
                ..self.attention
            },
            attention_post_norm: norm(self.attention_post_norm),
            feed_forward_norm: norm(self.feed_forward_norm),
            first: FirstProjections { back, ..self.first },
            feed_forward_post_norm: norm(self.feed_forward_post_norm),
            ..self
        }
    }

    /// Of every listed weight by itself, in the list's order; in f32 where some are held side by side.
    pub(super) fn of_each(
        config: &Config,
        each: impl IntoIterator<Item = (&'static Weight, Part)>,
    ) -> Self {
        let mut parts = Vec::new();
        let mut groups: Vec<(Slot, Vec<Linear>)> = Vec::new();
        for (weight, part) in each {
            let held_in = weight.slot.held_in();
            match (part, groups.last_mut()) {
                (Part::Projection(linear), Some((slot, group))) if *slot == held_in => {
                    group.push(linear);
                }
                (Part::Projection(linear), _) => groups.push((held_in, vec![linear])),
                (norm, _) => parts.push((weight.slot, norm)),
            }
        }
        for (slot, group) in groups {
            parts.extend(Linear::join(group).map(|linear| (slot, Part::Projection(linear))));
        }
        Self::new(config, parts)
    }

    /// Every listed weight by itself, in f32 where some are held side by side.
    pub(super) fn each(&self, config: &Config) -> Vec<(&'static Weight, Part)> {
        let mut parts = Vec::new();
        for group in config.weights.groups() {
            let held = group
                .first()
                .and_then(|weight| self.projection(weight.slot));
            match (group, held) {
                ([weight], Some(linear)) => parts.push((weight, Part::Projection(linear))),
                (group, Some(linear)) => {
                    let widths = group
                        .iter()
                        .filter_map(|weight| weight.dims(config).first().copied());
                    let projections = linear.split(&widths.collect::<Vec<usize>>());
                    parts.extend(
                        group
                            .iter()
                            .zip(projections.into_iter().map(Part::Projection)),
                    );
                }
                (group, None) => {
                    let norm = |weight: &'static Weight| {
                        Some((weight, Part::Norm(self.norm(config, weight.slot)?)))
                    };
                    parts.extend(group.iter().filter_map(norm));
                }
            }
        }
        parts
    }

    fn norm(&self, config: &Config, slot: Slot) -> Option<Norm> {
        let qk_norm = self.attention.qk_norm.as_ref();
        match slot {
            Slot::AttentionNorm => self.attention_norm.clone(),
            Slot::QNorm => qk_norm.map(|norm| norm.parts(config).0),
            Slot::KNorm => qk_norm.map(|norm| norm.parts(config).1),
            Slot::AttentionPostNorm => self.attention_post_norm.clone(),
            Slot::FeedForwardNorm => self.feed_forward_norm.clone(),
            Slot::FeedForwardPostNorm => self.feed_forward_post_norm.clone(),
            _ => None,
        }
    }

    /// The projection that a slot's weight lies in.
    fn projection(&self, slot: Slot) -> Option<Linear> {
        match slot.held_in() {
            Slot::Qkv => Some(self.attention.qkv.clone()),
            Slot::Output => Some(self.attention.o.clone()),
            Slot::Gate => Some(self.first.whole()),
            Slot::Down => Some(self.down.clone()),
            _ => None,
        }
    }
}
