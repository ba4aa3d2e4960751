// Whether a model fits the device is said before it is fetched, as far as anybody knows.

import { afterEach, expect, test } from "vitest";
import { fitOf } from "../../www/src/services/fit";
import type { DeviceInfo } from "../../www/src/wire/engine";

/** A device of which only its memory is told, or not even that. */
function device(memory_bytes: number | null): DeviceInfo {
  return { limits: { binding_bytes: null, memory_bytes } } as DeviceInfo;
}

/** The computer has so many gigabytes. */
function tell(deviceMemory: number): void {
  Object.defineProperty(navigator, "deviceMemory", { value: deviceMemory, configurable: true });
}

function verdict(gigabytes: number, limit: number | null): string {
  return fitOf({ memory_bytes: gigabytes * 1e9 }, "f32", device(limit)).verdict;
}

afterEach(() => Reflect.deleteProperty(navigator, "deviceMemory"));

test("a graphics card that tells of no memory is in a computer that does, however much it has", () => {
  for (const gigabytes of [4, 8, 32]) {
    tell(gigabytes);
    expect([gigabytes, verdict(gigabytes / 4, null)]).toEqual([gigabytes, "fits"]);
    expect([gigabytes, verdict(gigabytes, null)]).toEqual([gigabytes, "tight"]);
  }
  expect(fitOf({ memory_bytes: 32e9 }, "f32", device(null)).text).toContain("it needs 32.00 GB, and this computer has");
});

test("what a device cannot hold is refused, and what nobody knows is said by nobody", () => {
  tell(8);
  expect(verdict(4, 3e9)).toBe("no");
  Reflect.deleteProperty(navigator, "deviceMemory");
  expect(verdict(4, null)).toBe("unknown");
});
