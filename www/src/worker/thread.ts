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
    const { fill } = await startKernels(module, memory, stack);
    tell("started");
    board.serve(index, fill);
  } catch {
    board.fail();
    tell("failed");
  }
};
