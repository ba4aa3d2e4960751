// One of the engine's threads beside its own.

import { startKernels } from "./kernels-module";
import { Board, type FromThread, type ThreadStart } from "./threads";

function tell(message: FromThread): void {
  postMessage(message);
}

onmessage = async ({ data }: MessageEvent<ThreadStart>) => {
  const { module, memory, stack, index } = data;
  const board = new Board(data.board);
  try {
    const { product } = await startKernels(module, memory, stack);
    tell("started");
    board.serve(index, product);
  } catch {
    board.fail();
    tell("failed");
  }
};
