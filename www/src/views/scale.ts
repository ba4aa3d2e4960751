// The diverging colour scale of the scores: purple below zero, orange above (ColorBrewer's PuOr), safe for colour
// blindness, symmetric about zero. In the dark its middle is the dark.

type Rgb = readonly [number, number, number];

const LIGHT = ["2d004b", "542788", "8073ac", "b2abd2", "d8daeb", "f6f5f2", "fee0b6", "fdb863", "e08214", "b35806", "7f3b08"];
const DARK = ["e2d9ff", "b7a4f4", "8a76cf", "5c4c98", "352d5a", "1c1d22", "4b3013", "86561a", "c27f24", "efb04c", "ffe0a8"];

function rgb(hex: string): Rgb {
  const value = Number.parseInt(hex, 16);
  return [value >> 16, (value >> 8) & 255, value & 255];
}

const STOPS = { light: LIGHT.map(rgb), dark: DARK.map(rgb) };

/** The size of a score on the scale, in -1..1. The square root keeps small scores apart. */
export function place(score: number, largest: number, isRoot: boolean): number {
  if (largest <= 0) return 0;
  const share = Math.min(1, Math.abs(score) / largest);
  return Math.sign(score) * (isRoot ? Math.sqrt(share) : share);
}

/** Colour of a place in -1..1. */
export function color(at: number, isDark: boolean): Rgb {
  const stops = isDark ? STOPS.dark : STOPS.light;
  const position = ((Math.max(-1, Math.min(1, at)) + 1) / 2) * (stops.length - 1);
  const low = Math.min(stops.length - 2, Math.floor(position));
  const [a, b] = [stops[low] as Rgb, stops[low + 1] as Rgb];
  const mix = position - low;
  const mixed = (channel: 0 | 1 | 2): number => Math.round(a[channel] * (1 - mix) + b[channel] * mix);
  return [mixed(0), mixed(1), mixed(2)];
}

/** How strong a shade may be for words on it to be read. */
export const READABLE = 0.4;

export function css(at: number, isDark: boolean): string {
  return `rgb(${color(at, isDark).join(" ")})`;
}
