// The running job: what it does, how far it is, how long it takes, and the way out.

import { html, nothing } from "lit";
import { bytes, duration } from "../format";
import type { Job } from "../services/store";
import { View, type Drawn, type Reads } from "./view";

/** Jobs shorter than this show nothing. */
const QUIET_MS = 250;

const IN_BYTES = new Set(["downloading", "copying", "fetching", "verifying", "reconnecting at"]);

class JobBar extends View {
  protected readonly reads: Reads = ({ view }) => [view.job];
  #timer = 0;

  override connectedCallback(): void {
    super.connectedCallback();
    this.hidden = true;
  }

  protected override willUpdate(): void {
    if (this.state.view.job) {
      this.#timer ||= window.setTimeout(() => {
        this.hidden = this.state.view.job === null;
      }, QUIET_MS);
    } else {
      clearTimeout(this.#timer);
      this.#timer = 0;
      this.hidden = true;
    }
  }

  protected override render(): Drawn {
    const { job } = this.state.view;
    const share = job && job.total > 0 ? job.done / job.total : nothing;
    return html`<progress max="1" aria-label="Progress" value=${share}></progress><span class="text"><b>${job?.title}</b><span
      class="detail">${job && words(job)}</span></span><button class="small" data-key="cancel" ?disabled=${job?.stopping}
      @click=${() => this.state.view.job?.cancel()}>${job?.stopping ? "Stopping …" : "Cancel"}</button>`;
  }
}

function words({ stage, done, total, first, started_ms }: Job): string {
  if (!stage) return " …";
  const size = IN_BYTES.has(stage) ? bytes : String;
  const share = total > 0 ? `${size(done)} of ${size(total)}` : size(done);
  const seconds = (performance.now() - started_ms) / 1000;
  // An estimate from less than half a second or a fiftieth of the work would only jump about.
  const isKnown = total > 0 && done > first && seconds > 0.5 && (done - first) / (total - first) > 0.02 && done < total;
  const left = (seconds * (total - done)) / (done - first);
  const rest = isKnown ? `, ${left < 1 ? "less than a second" : `about ${duration(left)}`} left` : "";
  return ` ${stage} ${share}${rest}`;
}

customElements.define("job-bar", JobBar);
