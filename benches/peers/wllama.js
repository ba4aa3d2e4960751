// wllama: llama.cpp on WebAssembly, with the 4-bit file as it is. It hands out no logits.

import { Wllama } from "./node_modules/@wllama/wllama/esm/index.js";

const MODEL = new URL("../models/cache/smollm2-135m-instruct/SmolLM2-135M-Instruct.Q4_1.gguf", import.meta.url);

export async function start({ threads }) {
  const wllama = new Wllama(
    { default: new URL("node_modules/@wllama/wllama/esm/wasm/wllama.wasm", import.meta.url).href },
    { allowOffline: true, suppressNativeLog: true },
  );
  const model = await (await fetch(MODEL)).blob();
  await wllama.loadModel([model], { n_ctx: 512, n_batch: 512, n_gpu_layers: 0, n_threads: threads, warmup: true });
  return {
    async forward({ ids, text }) {
      const { timings } = await wllama.createCompletion({ prompt: text, max_tokens: 1, temperature: 0, cache_prompt: false });
      if (timings.prompt_n !== ids.length) throw new Error(`it ran ${timings.prompt_n} tokens, not ${ids.length}`);
      return { seconds: timings.prompt_ms / 1000 };
    },
  };
}
