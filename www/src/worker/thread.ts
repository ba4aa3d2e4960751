// One of the engine's threads beside its own.

import { startKernels } from "./kernels-module";
import { Board, type ThreadStart } from "./threads";

onmessage = async ({ data }: MessageEvent<ThreadStart>) => {
  const { module, memory, stack, index } = data;
  const { product } = await startKernels(module, memory, stack);
  const board = new Board(data.board);
  postMessage("started");
  try {
    board.serve(index, product);
  } catch (error) {
    board.fail();
    throw error;
  }
};
