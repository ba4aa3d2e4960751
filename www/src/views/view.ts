// The base of the views: elements in the light DOM that draw what the store says.

import { LitElement, type nothing, type TemplateResult } from "lit";
import { store, type State } from "../services/store";
import { themeChanges } from "../services/theme";
import { released } from "./press";

/** What a template may be made of. */
export type Drawn = TemplateResult | typeof nothing;

/** Takes out of the state what a view shows. */
export type Reads = (state: State) => readonly unknown[];

/** An element that is drawn again whenever something that it reads of the store is another, or the colours are. */
export abstract class View extends LitElement {
  /** What this view shows. A job is another at each step of it: who asks only whether there is one reads just that. */
  protected abstract readonly reads: Reads;
  #read: readonly unknown[] = [];
  #stop: (() => void) | null = null;

  protected get state(): State {
    return store.state;
  }

  /** Whether a job or a missing engine keeps the buttons from working. */
  protected get isBlocked(): boolean {
    return this.state.view.job !== null || this.state.engine.status !== "ready";
  }

  /** The same of buttons that need a model. */
  protected get isBusy(): boolean {
    return this.isBlocked || this.state.engine.model === null;
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
    this.#read = this.reads(this.state);
    const stop = store.listen(() => this.#follow());
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

  #follow(): void {
    const now = this.reads(this.state);
    if (now.every((value, index) => value === this.#read[index])) return;
    this.#read = now;
    this.requestUpdate();
  }
}
