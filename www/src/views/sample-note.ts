// What the items of a bundled set are about.

import { html, nothing } from "lit";
import { visible } from "../format";
import type { PageSet } from "../services/edited";
import type { SampleSet } from "../site";
import type { Drawn } from "./view";

/** Said of a set that is a sample, whole or in part; nothing of others. */
export function sampleNote({ name, sample }: PageSet, samples: readonly SampleSet[]): Drawn {
  const of = samples.find((other) => other.name === sample);
  return of ? html`<p class="note" data-result="sample">“${visible(name)}”: ${of.description}</p>` : nothing;
}
