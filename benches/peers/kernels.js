// Secateur's own products, without the engine around them: the kernels' module on memory made here.

const MODULE = new URL("engine/kernels-relaxed.wasm", import.meta.url);
const PAGE = 1 << 16;
const STACK_BYTES = 1 << 18;
/** Columns that are worked on together, at most. */
const PANEL = 12;
/** The first kind of call. */
const PRODUCT = 0;
/** The output is held against the definition at so many places. */
const CHECKED = 100;

/** `Call::Product` of `kernels/src/call.rs` as it lies in memory, in words: weights in 32 bits. */
function described({ x, weights }, [rows, depth, columns], isTransposed) {
  const slice = (at, length) => [at, length];
  const inOtherPrecisions = [0, 0, 0];
  const none = [0, 0];
  return [
    PRODUCT,
    ...slice(x, rows * depth),
    0,
    ...slice(weights, columns * depth),
    ...inOtherPrecisions,
    Number(isTransposed),
    ...none,
    ...none,
    rows,
    depth,
    columns,
  ];
}

function check(read, { x, weights, out }, [rows, depth, columns], isTransposed) {
  for (let place = 0; place < CHECKED; place += 1) {
    const [row, column] = [(place * 7919) % rows, (place * 104729) % columns];
    const weight = (step) => (isTransposed ? column * depth + step : step * columns + column);
    let sum = 0;
    for (let step = 0; step < depth; step += 1) sum += read(x, row * depth + step) * read(weights, weight(step));
    const found = read(out, row * columns + column);
    if (!(Math.abs(found - sum) < 1e-3)) throw new Error(`the product is ${found} where it should be ${sum}`);
  }
}

/** Of weights `[columns, depth]`, as a model's file has them, or, where they are not transposed, `[depth, columns]`. */
export async function productOf(shape, isTransposed = true) {
  const [rows, depth, columns] = shape;
  const sizes = { call: 64, x: 4 * rows * depth, weights: 4 * columns * depth, out: 4 * rows * columns, scratch: 4 * depth * PANEL };
  const places = {};
  let end = STACK_BYTES;
  for (const [name, bytes] of Object.entries(sizes)) {
    places[name] = end;
    end += Math.ceil(bytes / 64) * 64;
  }
  const memory = new WebAssembly.Memory({ initial: Math.ceil(end / PAGE), maximum: PAGE, shared: true });
  const { instance } = await WebAssembly.instantiateStreaming(fetch(MODULE), { env: { memory } });
  const { fill, __stack_pointer: stack } = instance.exports;
  stack.value = STACK_BYTES;
  const numbers = new Float32Array(memory.buffer);
  for (const name of ["x", "weights"]) {
    const part = numbers.subarray(places[name] / 4, (places[name] + sizes[name]) / 4);
    for (let place = 0; place < part.length; place += 1) part[place] = Math.random() - 0.5;
  }
  new Uint32Array(memory.buffer).set(described(places, shape, isTransposed), places.call / 4);
  const once = () => fill(places.call, places.out, 0, columns, places.scratch);
  once();
  check((at, place) => numbers[at / 4 + place], places, shape, isTransposed);
  return once;
}

export function start() {
  return { product: productOf };
}
