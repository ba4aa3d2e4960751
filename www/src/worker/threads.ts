// Threads for the engine's kernels. All of them run the kernels' module on the engine's memory. The engine's own thread gives out
// a job in pieces, works on them with the others, and goes on when all are done.

/** A call: the kernels' own words for it. */
export interface Job {
  call: number;
  out: number;
  /** Columns of a product, or chunks of another kernel's output. */
  parts: number;
  /** Parts of a piece. */
  piece: number;
  /** Memory to work in, `share` bytes for each thread. */
  scratch: number;
  share: number;
}

export type Fill = (call: number, out: number, from: number, to: number, scratch: number) => void;

/** What a thread needs to start. */
export interface ThreadStart {
  module: WebAssembly.Module;
  memory: WebAssembly.Memory;
  stack: number;
  board: SharedArrayBuffer;
  /** Its place among the threads; the engine's own is the first. */
  index: number;
}

/** What a thread says: once that it is there, or that it cannot go on. */
export type FromThread = "started" | "failed";

/** What lies where on the board. */
enum At {
  /** The job's number in the upper half, the next piece that nobody has taken in the lower one. */
  Next,
  Pieces,
  Done,
  Failed,
  Call,
  Out,
  Parts,
  Piece,
  Scratch,
  Share,
  Length,
}

/** No piece of a job: the board is being written. */
const CLOSED = 0xffff;
/** How often a thread looks for what it waits for before it sleeps: to wake it takes as long as many a piece. */
const LOOKS = 1 << 14;
/** After so long a look is taken whether a thread failed. */
const LOOK_MS = 1000;

/** What the threads tell each other. */
export class Board {
  #words: Int32Array;

  constructor(readonly buffer = new SharedArrayBuffer(At.Length * Int32Array.BYTES_PER_ELEMENT)) {
    this.#words = new Int32Array(buffer);
  }

  /** Works on a job with all threads. */
  run(job: Job, fill: Fill): void {
    const words = this.#words;
    const { call, out, parts, piece, scratch, share } = job;
    const pieces = Math.ceil(parts / piece);
    const number = Atomics.load(words, At.Next) >>> 16;
    // Nobody takes a piece of the last job as one of this.
    Atomics.store(words, At.Next, (number << 16) | CLOSED);
    const entries: [At, number][] = [
      [At.Pieces, pieces],
      [At.Done, 0],
      [At.Call, call],
      [At.Out, out],
      [At.Parts, parts],
      [At.Piece, piece],
      [At.Scratch, scratch],
      [At.Share, share],
    ];
    for (const [at, value] of entries) Atomics.store(words, at, value);
    Atomics.store(words, At.Next, (number + 1) << 16);
    Atomics.notify(words, At.Next);
    while (this.#work(0, fill)) {
      /* the next piece */
    }
    for (let done = 0; (done = this.#changed(At.Done, (done) => done >= pieces)) < pieces;) {
      if (Atomics.load(words, At.Failed)) throw new WebAssembly.RuntimeError("a thread of the engine failed");
      Atomics.wait(words, At.Done, done, LOOK_MS);
    }
  }

  /** Works on whatever comes, for good. */
  serve(index: number, fill: Fill): never {
    for (;;) {
      const next = Atomics.load(this.#words, At.Next);
      if (this.#work(index, fill)) continue;
      if (this.#changed(At.Next, (now) => now !== next) === next) Atomics.wait(this.#words, At.Next, next);
    }
  }

  /** What stands at a place once it is as wanted, or after a while. */
  #changed(at: At, isWanted: (value: number) => boolean): number {
    let value = Atomics.load(this.#words, at);
    for (let look = 0; look < LOOKS && !isWanted(value); look += 1) value = Atomics.load(this.#words, at);
    return value;
  }

  /** Says that a thread cannot go on. */
  fail(): void {
    Atomics.store(this.#words, At.Failed, 1);
    Atomics.notify(this.#words, At.Done);
  }

  /** Takes a piece and fills it; whether there was one. */
  #work(index: number, fill: Fill): boolean {
    const words = this.#words;
    const next = Atomics.load(words, At.Next);
    const taken = next & CLOSED;
    const pieces = Atomics.load(words, At.Pieces);
    if (taken === CLOSED || taken >= pieces) return false;
    // Only who finds it as it was has the piece. Until it is done the job stays on the board.
    if (Atomics.compareExchange(words, At.Next, next, next + 1) !== next) return true;
    const load = (at: At): number => Atomics.load(words, at);
    const [parts, piece] = [load(At.Parts), load(At.Piece)];
    const from = taken * piece;
    fill(load(At.Call), load(At.Out), from, Math.min(from + piece, parts), load(At.Scratch) + index * load(At.Share));
    if (Atomics.add(words, At.Done, 1) + 1 === pieces) Atomics.notify(words, At.Done);
    return true;
  }
}

/** Threads beside the engine's own. */
export interface Helpers {
  count: number;
  board: Board;
  end(): void;
}

/** Starts threads beside the engine's own, one for each stack; none where one does not start. */
export async function startHelpers(module: WebAssembly.Module, memory: WebAssembly.Memory, stacks: readonly number[]): Promise<Helpers> {
  const board = new Board();
  const workers: Worker[] = [];
  const end = (): void => {
    for (const worker of workers) worker.terminate();
  };
  const started = stacks.map(
    (stack, at) =>
      new Promise<void>((resolve, reject) => {
        const worker = new Worker(new URL("./thread.ts", import.meta.url), { type: "module" });
        workers.push(worker);
        worker.onmessage = ({ data }: MessageEvent<FromThread>) =>
          data === "started" ? resolve() : reject(new Error("a thread does not start"));
        worker.onerror = (event) => {
          event.preventDefault();
          board.fail();
          reject(new Error(event.message));
        };
        worker.postMessage({ module, memory, stack, board: board.buffer, index: at + 1 } satisfies ThreadStart);
      }),
  );
  try {
    await Promise.all(started);
    return { count: workers.length, board, end };
  } catch {
    end();
    return { count: 0, board: new Board(), end: () => undefined };
  }
}
