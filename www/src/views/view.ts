// The base of the views: elements in the light DOM that draw what the store says.

import { LitElement, type nothing, type TemplateResult } from "lit";
import { store, type State } from "../services/store";
import { themeChanges } from "../services/theme";
import { released } from "./press";

/** What a template may be made of. */
export type Drawn = TemplateResult | typeof nothing;

/** An element that is drawn again whenever one of the store's keys that it reads changes, or the colours do. */
export abstract class View extends LitElement {
  /** Keys of the store that this view reads. */
  protected abstract readonly keys: readonly (keyof State)[];
  /** Whether it is drawn again at every step of a job, and not only when one begins or ends. */
  protected readonly followsProgress: boolean = false;
  #stop: (() => void) | null = null;
  #wasRunning = false;

  protected get state(): Readonly<State> {
    return store.state;
  }

  /** Whether a job or a missing engine keeps the buttons from working. */
  protected get isBusy(): boolean {
    const { job, engine, model } = store.state;
    return job !== null || engine !== "ready" || model === null;
  }

  /** The page has one style sheet, which shadow roots would shut out. */
  protected override createRenderRoot(): this {
    return this;
  }

  /** Waits while the mouse is pressed on a control within: the field that it has left may change what stands above. */
  protected override async scheduleUpdate(): Promise<unknown> {
    await released(this);
    return super.scheduleUpdate();
  }

  override connectedCallback(): void {
    super.connectedCallback();
    this.#wasRunning = store.state.job !== null;
    const stop = store.listen((changed) => this.#follow(changed));
    const redraw = (): void => this.requestUpdate();
    themeChanges.addEventListener("change", redraw);
    this.#stop = () => {
      stop();
      themeChanges.removeEventListener("change", redraw);
    };
    // A view that comes back shows what changed meanwhile.
    this.requestUpdate();
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    this.#stop?.();
  }

  #follow(changed: ReadonlySet<keyof State>): void {
    const read = this.keys.filter((key) => changed.has(key));
    const isRunning = store.state.job !== null;
    const isProgress = isRunning === this.#wasRunning && read.every((key) => key === "job");
    this.#wasRunning = isRunning;
    if (read.length > 0 && (!isProgress || this.followsProgress)) this.requestUpdate();
  }
}

/** Tells the step around a view that another item set is to be looked at. */
export function openSet(view: View, name: string): void {
  view.dispatchEvent(new CustomEvent("open-set", { detail: name, bubbles: true }));
}
