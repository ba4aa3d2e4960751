import { html, type TemplateResult } from "lit";
import { expect, test } from "vitest";
import { store, type Job } from "../../www/src/services/store";
import { View, type Reads } from "../../www/src/views/view";
import { drawn, set, show } from "./support";

const JOB: Job = { title: "Scoring", stage: "", done: 0, total: 2, first: 0, started_ms: 0, stopping: false, cancel: () => undefined };

class Probe extends View {
  protected readonly reads: Reads = ({ view }) => [view.step, view.job !== null];
  times = 0;

  protected override render(): TemplateResult {
    this.times += 1;
    return html`<p>${this.state.view.step}</p>`;
  }
}

customElements.define("a-probe", Probe);

test("a view is drawn in the light DOM, and again when what it reads changes, once for all writes of a turn", async () => {
  const probe = (await show("a-probe")) as Probe;
  expect(probe.shadowRoot).toBeNull();
  expect(probe.textContent).toBe("start");
  await set({ view: { notice: "not read here" } });
  expect(probe.times).toBe(1);
  store.view({ step: "model" });
  store.view({ step: "items" });
  await drawn();
  expect(probe.textContent).toBe("items");
  expect(probe.times).toBe(2);
});

test("a job's progress draws nothing, its begin and its end do", async () => {
  const probe = (await show("a-probe")) as Probe;
  await set({ view: { job: JOB } });
  expect(probe.times).toBe(2);
  await set({ view: { job: { ...JOB, done: 1 } } });
  expect(probe.times).toBe(2);
  await set({ view: { job: { ...JOB, done: 2 }, step: "scores" } });
  expect(probe.textContent).toBe("scores");
  await set({ view: { job: null } });
  expect(probe.times).toBe(4);
});

test("a view that is out of the page rests, and shows what changed when it comes back", async () => {
  const probe = (await show("a-probe")) as Probe;
  probe.remove();
  await set({ view: { step: "result" } });
  expect(probe.times).toBe(1);
  document.body.append(probe);
  await drawn();
  expect(probe.textContent).toBe("result");
});

/** Presses or releases the mouse. */
function mouse(kind: "mousedown" | "mouseup", target: Element): void {
  target.dispatchEvent(new MouseEvent(kind, { bubbles: true }));
}

test("nothing moves around a control that the mouse is pressed on, until it is released", async () => {
  const probe = (await show("a-probe")) as Probe;
  const other = (await show("a-probe")) as Probe;
  mouse("mousedown", probe.querySelector("p") as Element);
  await set({ view: { step: "model" } });
  expect([probe.textContent, other.textContent]).toEqual(["start", "model"]);
  mouse("mouseup", document.body);
  await drawn();
  await drawn();
  expect(probe.textContent).toBe("model");
});

test("what a slider does is drawn while it is moved, and what is drawn on a picture", async () => {
  const slider = Object.assign(document.createElement("input"), { type: "range" });
  for (const control of [slider, document.createElement("canvas")]) {
    const probe = (await show("a-probe")) as Probe;
    probe.append(control);
    mouse("mousedown", control);
    await set({ view: { step: "model" } });
    expect(probe.querySelector("p")?.textContent).toBe("model");
    mouse("mouseup", control);
    await set({ view: { step: "start" } });
  }
});
