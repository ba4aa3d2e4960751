// onnxruntime-web on WebAssembly.

import * as ort from "./node_modules/onnxruntime-web/dist/ort.wasm.min.mjs";

const MODEL = new URL("model/model.onnx", import.meta.url).href;

export async function start({ threads }) {
  ort.env.wasm.numThreads = threads;
  ort.env.wasm.wasmPaths = new URL("node_modules/onnxruntime-web/dist/", import.meta.url).href;
  const session = await ort.InferenceSession.create(MODEL, {
    executionProviders: ["wasm"],
    externalData: [{ path: "model.onnx.data", data: `${MODEL}.data` }],
    graphOptimizationLevel: "all",
  });
  return {
    async forward({ ids }) {
      const tensor = new ort.Tensor("int64", BigInt64Array.from(ids, BigInt), [1, ids.length]);
      const { logits } = await session.run({ ids: tensor });
      return { logits: await logits.getData() };
    },
  };
}
