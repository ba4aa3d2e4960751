// jax-js on WebAssembly: the model's forward pass as one writes it there, each block compiled once.

import { defaultDevice, init, jit, nn, numpy as np, random } from "./node_modules/@jax-js/jax/dist/index.js";

const FOLDER = new URL("model/", import.meta.url);

async function readModel() {
  const described = await (await fetch(new URL("weights.json", FOLDER))).json();
  const numbers = new Float32Array(await (await fetch(new URL("weights.f32", FOLDER))).arrayBuffer());
  const read = ({ at, shape }) => numbers.subarray(at, at + shape.reduce((product, side) => product * side, 1));
  return { ...described, read: (name) => read(described.weights[name]), shapeOf: (name) => described.weights[name].shape };
}

/** Cosines and sines `[positions, d_head]` of the rotation. */
function angles({ d_head, theta }, positions) {
  const tables = [new Float32Array(positions * d_head), new Float32Array(positions * d_head)];
  const half = d_head / 2;
  for (let place = 0; place < positions * d_head; place += 1) {
    const angle = Math.floor(place / d_head) * theta ** (-((place % d_head) % half) / half);
    tables[0][place] = Math.cos(angle);
    tables[1][place] = Math.sin(angle);
  }
  return tables.map((table) => np.array(table, { shape: [positions, 1, d_head] }));
}

/** An array is used up by each operation; `.ref` keeps it. */
function forwardOf(model) {
  const { n_layers, n_heads, n_kv_heads, d_head, eps } = model;
  const group = n_heads / n_kv_heads;
  const array = (name) => np.array(model.read(name), { shape: model.shapeOf(name) });
  const norm = (x, weight) => x.ref.div(np.sqrt(np.mean(np.square(x), -1, { keepdims: true }).add(eps))).mul(weight);
  const rotate = (x, cos, sin) => {
    const [first, second] = np.split(x.ref, 2, -1);
    return x.mul(cos).add(np.concatenate([second.neg(), first], -1).mul(sin));
  };
  const block = jit((x, weights, cos, sin, mask) => {
    const positions = x.shape[0];
    const parts = np.dot(norm(x.ref, weights.norm1), weights.qkv);
    const [q, k, v] = np.split(parts, [n_heads * d_head, (n_heads + n_kv_heads) * d_head], -1);
    const query = rotate(q.reshape([positions, n_heads, d_head]), cos.ref, sin.ref).reshape([positions, n_kv_heads, group, d_head]);
    const key = rotate(k.reshape([positions, n_kv_heads, d_head]), cos, sin);
    const scores = np
      .einsum("tghd,sgd->ghts", query, key)
      .mul(d_head ** -0.5)
      .add(mask);
    const mixed = np.einsum("ghts,sgd->tghd", nn.softmax(scores, -1), v.reshape([positions, n_kv_heads, d_head]));
    const mid = x.add(np.dot(mixed.reshape([positions, n_heads * d_head]), weights.out));
    const [gate, up] = np.split(np.dot(norm(mid.ref, weights.norm2), weights.gate_up), 2, -1);
    return mid.add(np.dot(nn.silu(gate).mul(up), weights.down));
  });
  const head = jit((x, weight, embedding) => np.dot(norm(x, weight), np.transpose(embedding)));

  const blocks = Array.from({ length: n_layers }, (_, layer) =>
    Object.fromEntries(["norm1", "qkv", "out", "norm2", "gate_up", "down"].map((name) => [name, array(`${layer}.${name}`)])),
  );
  const [embedding, finalNorm] = [array("embedding"), array("norm")];
  const rows = model.read("embedding");
  const kept = (weights) => Object.fromEntries(Object.entries(weights).map(([name, weight]) => [name, weight.ref]));
  return async ({ ids }) => {
    const width = model.shapeOf("embedding")[1];
    const embedded = new Float32Array(ids.length * width);
    ids.forEach((id, position) => embedded.set(rows.subarray(id * width, (id + 1) * width), position * width));
    let x = np.array(embedded, { shape: [ids.length, width] });
    const [cos, sin] = angles(model, ids.length);
    const mask = np
      .tril(np.ones([ids.length, ids.length]))
      .sub(1)
      .mul(1e9);
    for (const weights of blocks) x = block(x, kept(weights), cos.ref, sin.ref, mask.ref);
    [cos, sin, mask].forEach((one) => one.dispose());
    const last = x.slice([ids.length - 1, ids.length]);
    return { logits: await head(last, finalNorm.ref, embedding.ref).data() };
  };
}

async function productOf([rows, depth, columns]) {
  const [x, weight] = [random.normal(random.key(0), [rows, depth]), random.normal(random.key(1), [depth, columns])];
  await Promise.all([x.ref.data(), weight.ref.data()]);
  const multiply = jit((left, right) => np.dot(left, right));
  // A number of the result is read, since only that waits for it.
  return () => multiply(x.ref, weight.ref).slice(0, 0).data();
}

export async function start() {
  await init();
  defaultDevice("wasm");
  return { forward: forwardOf(await readModel()), product: productOf };
}
