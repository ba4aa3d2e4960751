// Will a model fit this device? Told before anything is fetched; the engine itself refuses what it cannot hold.

import { bytes } from "../format";
import { loadBytes, parametersWithin, type ModelSize } from "../precision";
import type { DeviceInfo, Precision } from "../wire/engine";

export interface Fit {
  verdict: "fits" | "tight" | "no" | "unknown";
  /** For people; empty where all is well or nothing is known. */
  text: string;
}

const UNKNOWN: Fit = { verdict: "unknown", text: "" };

/** Gigabytes of this computer, as far as the browser tells: rounded, and in many browsers never more than 8. */
function computerGigabytes(): number | null {
  return (navigator as Navigator & { deviceMemory?: number }).deviceMemory ?? null;
}

/** What loading takes, and as much again for the runs and the rest of the computer. */
const COMFORT = 2;

/** Compares a model's size with what is known of the device. */
export function fitOf(size: ModelSize | null, precision: Precision, device: DeviceInfo | null): Fit {
  if (size === null || !device) return UNKNOWN;
  const memory_bytes = loadBytes(size, precision);
  const limit = device.limits?.memory_bytes ?? null;
  if (limit !== null && memory_bytes > limit) {
    const parameters = Math.floor(parametersWithin(limit, size, precision) / 1e6);
    return {
      verdict: "no",
      text: `too large: it needs ${bytes(memory_bytes)}, and this device holds ${bytes(limit)}. A model of up to ${parameters.toLocaleString("en")} million parameters fits`,
    };
  }
  const gigabytes = computerGigabytes();
  if (gigabytes !== null && memory_bytes * COMFORT > gigabytes * 1e9) {
    return {
      verdict: "tight",
      text: `may not fit: it needs ${bytes(memory_bytes)}, and this computer has, as far as the browser tells, ${gigabytes} GB in all`,
    };
  }
  return limit === null && gigabytes === null ? UNKNOWN : { verdict: "fits", text: "" };
}
