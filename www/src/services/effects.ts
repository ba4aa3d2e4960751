// Has the engine measure what every neuron does to the gold margin, and holds what there is of it, also while it is measured.

import type { AttributionSettings, Positions, Progress } from "../wire/engine";
import { put, unfitting } from "./actions";
import { DEFAULT_SETTINGS } from "./edited";
import { engine } from "./engine";
import { joined, openLayers, packed, packedLayer, type HeldEffects } from "./harm";
import { runJob } from "./jobs";
import { isEqual } from "./made-of";
import { store, type State } from "./store";

/** Time that a cancelled measurement gets to end its pass and answer with what it has. */
const PATIENCE_MS = 10_000;

/** Where neurons are set to zero if nobody says otherwise: where the attribution scales them. */
export function usualPositions({ study, shown }: State): Positions {
  return (shown.attribution?.settings ?? study.attribution).positions;
}

/** How neurons are measured: by the gold margin of every item. */
function settingsAt(positions: Positions): AttributionSettings {
  const { preset: _, ...fast } = DEFAULT_SETTINGS;
  return { ...fast, method: "ablation", target: "gold_margin", positions, steps: 1, rule: "right", confidence_threshold: 0 };
}

/** On which items neurons are measured, and at which positions of their prompts. */
export interface Measurement {
  set: string;
  positions: Positions;
}

/** The effects at hand that a measurement of a set goes on from. */
export function effectsToGoOnFrom({ shown }: State, { set, positions }: Measurement): HeldEffects | null {
  const effects = shown.effects[set];
  return effects && isEqual(effects.settings, settingsAt(positions)) ? effects : null;
}

/** Measures the neurons of a layer, or of all, as far as that was not done before. */
export function measureEffects(asked: Measurement, layer: number | null): Promise<boolean> {
  const done = runJob(
    "Measuring every neuron",
    async (onProgress) => {
      const { set, positions } = asked;
      const earlier = effectsToGoOnFrom(store.state, asked);
      const n_layers = store.state.engine.model?.info.n_layers ?? 0;
      const settings = settingsAt(positions);
      const layers = openLayers(earlier, n_layers, layer);
      const live = new Map(earlier?.layers.filter(({ exact }) => exact).map((known) => [known.layer, known]));
      const follow = (progress: Progress): void => {
        onProgress(progress);
        const { detail } = progress;
        if (!detail || !("mean" in detail)) return;
        live.set(detail.layer, packedLayer(detail));
        store.view({ live_effects: { settings, set, layers: [...live.values()] } });
      };
      const { made_of, ...found } = await engine.call(
        "effects",
        [{ set, settings, layers }],
        Object.assign(follow, { signal: onProgress.signal }),
      );
      if (!put("effects", { result: joined(earlier, packed(found)), made_of })) unfitting("The measurement");
    },
    PATIENCE_MS,
  );
  // What is on screen from then on is the result.
  return done.finally(() => store.view({ live_effects: null }));
}
