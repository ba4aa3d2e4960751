// What a model's weights take when they are held in fewer bits.

import type { Precision } from "./types";

/** Bytes a weight; eight bits come with a 32-bit scale for every 32 of them. */
const BYTES: Record<Precision, number> = { f32: 4, f16: 2, int8: 1.125 };

/** Memory of a model's weights, from what they take in 32-bit floats. */
export function weightBytes(f32_bytes: number, precision: Precision): number {
  return (f32_bytes / BYTES.f32) * BYTES[precision];
}

export function bytesPerWeight(precision: Precision): number {
  return BYTES[precision];
}
