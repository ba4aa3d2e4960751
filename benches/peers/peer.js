// One engine on one page: `peer.html?engine=NAME&threads=COUNT`. Its module exports `start`, which answers what it can do:
//
// - `forward({ ids, text })`: the last position's logits of these tokens, or none where the engine hands out none; with `seconds`
//   where the engine's own clock leaves out what is not this work
// - `product(shape)`: a function that makes one product of these shapes with random numbers

const query = new URLSearchParams(location.search);
const threads = Number(query.get("threads") ?? 1);
// Engines that do not ask how many threads they may have ask the browser how many cores there are.
Object.defineProperty(navigator, "hardwareConcurrency", { value: threads });

const { start } = await import(`./${query.get("engine")}.js`);
const engine = await start({ threads });

/** The forward pass: its seconds, and its logits where there are any. */
globalThis.forward = async (request) => {
  const started = performance.now();
  const { logits, seconds = (performance.now() - started) / 1000 } = await engine.forward(request);
  return { seconds, logits: logits ? [...logits] : null };
};

const products = new Map();

/** The mean seconds of a few products of `[rows, depth, columns]` in a row. */
globalThis.product = async (shape, times) => {
  const name = shape.join();
  if (!products.has(name)) products.set(name, await engine.product(shape));
  const once = products.get(name);
  const started = performance.now();
  for (let time = 0; time < times; time += 1) await once();
  return (performance.now() - started) / 1000 / times;
};

globalThis.isReady = true;
