// What a model's weights take when they are held in fewer bits.

import type { Precision } from "./wire/engine";

/** Bytes a weight; eight bits come with a 32-bit scale for every 32 of them. */
const BYTES: Record<Precision, number> = { f32: 4, f16: 2, int8: 1.125 };

/** Memory of a model's weights, from what they take in 32-bit floats. */
function weightBytes(f32_bytes: number, precision: Precision): number {
  return (f32_bytes / BYTES.f32) * BYTES[precision];
}

/** A model's size in 32-bit floats: its weights, and its largest tensor where that is known. */
export interface ModelSize {
  memory_bytes: number;
  largest_tensor_bytes?: number;
}

/** Most memory that a model takes: its weights, and beside them, while they are read, its largest tensor in 32-bit floats. */
export function loadBytes({ memory_bytes, largest_tensor_bytes = 0 }: ModelSize, precision: Precision): number {
  return weightBytes(memory_bytes, precision) + largest_tensor_bytes;
}

/** Parameters of a model with this largest tensor that a memory holds. */
export function parametersWithin(limit: number, { largest_tensor_bytes = 0 }: ModelSize, precision: Precision): number {
  return Math.max(0, Math.floor((limit - largest_tensor_bytes) / BYTES[precision]));
}

export function bytesPerWeight(precision: Precision): number {
  return BYTES[precision];
}

/** In the words of the page. */
export const PRECISIONS: readonly (readonly [Precision, string])[] = [
  ["f32", "32-bit floats (exact)"],
  ["f16", "16-bit floats (half the memory)"],
  ["int8", "8-bit integers (a quarter)"],
];
