// How long a request to another host is waited for: a connection may stay open, and silent for good.

/** A request's signal: it is aborted with the caller's own, and when nothing was heard for a time. */
export class Patience {
  #aborter = new AbortController();
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(
    readonly seconds: number,
    readonly caller: AbortSignal,
  ) {
    caller.addEventListener("abort", this.#stop);
    if (caller.aborted) this.#stop();
    this.heard();
  }

  get signal(): AbortSignal {
    return this.#aborter.signal;
  }

  /** Whether it ended since nothing was heard. */
  get isOver(): boolean {
    return this.signal.aborted && !this.caller.aborted;
  }

  /** Something came: the time begins anew. */
  heard(): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#aborter.abort(), this.seconds * 1000);
  }

  /** Nothing more is waited for. */
  end(): void {
    clearTimeout(this.#timer);
    this.caller.removeEventListener("abort", this.#stop);
  }

  #stop = (): void => this.#aborter.abort(this.caller.reason);
}
