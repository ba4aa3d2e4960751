// Progress over all files of a model.

import type { OnProgress } from "../wire/engine";

const INTERVAL_MS = 100;

/** Counts bytes, and tells at most ten times a second. */
export class Meter {
  #last = 0;

  constructor(
    readonly stage: string,
    readonly total: number,
    readonly onProgress: OnProgress,
    private done = 0,
  ) {}

  add(bytes: number): void {
    this.done += bytes;
    const now = performance.now();
    if (now - this.#last < INTERVAL_MS && this.done < this.total) return;
    this.#last = now;
    this.say(this.stage);
  }

  /** Tells where things stand, at once. */
  say(stage: string): void {
    this.onProgress({ stage, done: this.done, total: this.total });
  }
}
