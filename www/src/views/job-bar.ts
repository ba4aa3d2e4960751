// The running job: what it does, how far it is, how long it takes, and the way out.

import { h, View } from "../dom";
import { bytes, duration } from "../format";

/** Jobs shorter than this show nothing. */
const QUIET_MS = 250;

const IN_BYTES = new Set(["downloading", "copying", "fetching", "verifying", "reconnecting at"]);

class JobBar extends View {
  protected readonly keys = ["job"] as const;
  protected override readonly followsProgress = true;
  #title = h("b", {});
  #detail = h("span", { class: "detail" });
  #bar = h("progress", { max: 1, "aria-label": "Progress" });
  #cancel = h("button", { class: "small", "data-key": "cancel", onclick: () => this.state.job?.cancel() }, "Cancel");
  #timer = 0;

  protected override setup(): void {
    this.setAttribute("role", "status");
    this.hidden = true;
    this.replaceChildren(this.#bar, h("span", { class: "text" }, this.#title, this.#detail), this.#cancel);
  }

  protected render(): void {
    const { job } = this.state;
    if (!job) {
      clearTimeout(this.#timer);
      this.#timer = 0;
      this.hidden = true;
      return;
    }
    if (!this.#timer) {
      this.#timer = window.setTimeout(() => {
        this.hidden = this.state.job === null;
      }, QUIET_MS);
    }
    this.#title.textContent = job.title;
    this.#cancel.disabled = job.stopping;
    this.#cancel.textContent = job.stopping ? "Stopping …" : "Cancel";
    if (job.total > 0) this.#bar.value = job.done / job.total;
    else this.#bar.removeAttribute("value");
    this.#detail.textContent = job.stage ? ` ${this.#words()}` : " …";
  }

  #words(): string {
    const { job } = this.state;
    if (!job) return "";
    const { stage, done, total, first, started_ms } = job;
    const size = IN_BYTES.has(stage) ? bytes : (value: number): string => String(value);
    const share = total > 0 ? `${size(done)} of ${size(total)}` : size(done);
    const seconds = (performance.now() - started_ms) / 1000;
    // An estimate from less than half a second or a fiftieth of the work would only jump about.
    const isKnown = total > 0 && done > first && seconds > 0.5 && (done - first) / (total - first) > 0.02 && done < total;
    const rest = isKnown ? `, about ${duration((seconds * (total - done)) / (done - first))} left` : "";
    return `${stage} ${share}${rest}`;
  }
}

customElements.define("job-bar", JobBar);
