// How the engine's threads share a job.

import { describe, expect, test } from "vitest";
import { Board, type Job } from "../../www/src/worker/threads";

const job = (parts: number, piece: number): Job => ({ call: 1, out: 2, parts, piece, scratch: 100, share: 10 });

/** What each thread was given, in the order of time. */
type Taken = [from: number, to: number][];

function take(taken: Taken) {
  return (_call: number, _out: number, from: number, to: number): void => void taken.push([from, to]);
}

describe("a board", () => {
  test("gives out every part once, the last piece being what is left", () => {
    const board = new Board();
    const taken: Taken = [];
    board.run(job(100, 36), take(taken));
    expect(taken).toEqual([
      [0, 36],
      [36, 72],
      [72, 100],
    ]);
    // The next job is another one.
    taken.length = 0;
    board.run(job(24, 12), take(taken));
    expect(taken).toEqual([
      [0, 12],
      [12, 24],
    ]);
  });

  test("gives each thread memory of its own to work in", () => {
    const board = new Board();
    const scratches: number[] = [];
    board.run(job(12, 12), (_call, _out, _from, _to, scratch) => void scratches.push(scratch));
    expect(scratches).toEqual([100]);
  });

  test("has a job end with an error once a thread has failed", () => {
    const board = new Board();
    const other = new Board(board.buffer);
    const lost = (): void => {
      // A thread took the second piece, and does not come back from it.
      Atomics.add(new Int32Array(board.buffer), 0, 1);
      other.fail();
    };
    let isFirst = true;
    expect(() =>
      board.run(job(36, 12), () => {
        if (isFirst) lost();
        isFirst = false;
      }),
    ).toThrow("a thread of the engine failed");
  });
});
