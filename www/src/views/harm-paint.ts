// Paints the points of prominence against harm. A canvas would take a second for tens of thousands of circles: each point is a
// stamp instead, which multiplies what some pixels let through.

import { placeOn, type Picture } from "./harm-picture";

type Rgb = readonly [number, number, number];

const COLOURS: Readonly<Record<"light" | "dark", { ink: Rgb; pruned: Rgb }>> = {
  light: { ink: [22, 24, 29], pruned: [20, 86, 107] },
  dark: { ink: [236, 234, 228], pruned: [124, 192, 212] },
};

/** What the pixels let through of what is below them, from 1 for all of it to 0. */
interface Layer {
  width: number;
  height: number;
  through: Float32Array;
}

/** The pixels of a shape, beside its middle, and what each lets through. */
interface Stamp {
  reach: number;
  x: Int8Array;
  y: Int8Array;
  through: Float32Array;
}

type Shape = "disc" | "diamond";

/** Samples of a pixel along each side. */
const FINE = 4;

/** A shape of some radius in device pixels and some opacity; a hollow one is as wide a line as `stroke`. */
function stamp(shape: Shape, radius: number, opacity: number, stroke: number = Infinity): Stamp {
  const reach = Math.ceil(radius);
  const distance = (x: number, y: number): number => (shape === "disc" ? Math.hypot(x, y) : Math.abs(x) + Math.abs(y));
  const isCovered = (x: number, y: number): boolean => distance(x, y) <= radius && distance(x, y) > radius - stroke;
  const samples = Array.from({ length: FINE * FINE }, (_, sample) => [sample % FINE, Math.floor(sample / FINE)] as const);
  const pixels: [number, number, number][] = [];
  for (let y = -reach; y <= reach; y += 1) {
    for (let x = -reach; x <= reach; x += 1) {
      const covered = samples.filter(([across, down]) => isCovered(x + (across + 0.5) / FINE - 0.5, y + (down + 0.5) / FINE - 0.5));
      if (covered.length > 0) pixels.push([x, y, 1 - (opacity * covered.length) / samples.length]);
    }
  }
  return {
    reach,
    x: Int8Array.from(pixels, ([x]) => x),
    y: Int8Array.from(pixels, ([, y]) => y),
    through: Float32Array.from(pixels, ([, , through]) => through),
  };
}

/** Presses a stamp on a layer; what is beyond its edges is cut off. */
function press({ width, height, through }: Layer, stamp: Stamp, left: number, top: number): void {
  for (let pixel = 0; pixel < stamp.x.length; pixel += 1) {
    const x = left + (stamp.x[pixel] ?? 0);
    const y = top + (stamp.y[pixel] ?? 0);
    if (x < 0 || x >= width || y < 0 || y >= height) continue;
    const at = y * width + x;
    through[at] = (through[at] ?? 1) * (stamp.through[pixel] ?? 1);
  }
}

/** One colour over another, as an image. */
function blended(image: ImageData, below: Layer, above: Layer, ink: Rgb, pruned: Rgb): void {
  const { data } = image;
  below.through.forEach((behind, pixel) => {
    const front = above.through[pixel] ?? 1;
    if (behind === 1 && front === 1) return;
    const own = 1 - front;
    const other = (1 - behind) * front;
    const alpha = own + other;
    const at = pixel * 4;
    data[at] = (pruned[0] * own + ink[0] * other) / alpha;
    data[at + 1] = (pruned[1] * own + ink[1] * other) / alpha;
    data[at + 2] = (pruned[2] * own + ink[2] * other) / alpha;
    data[at + 3] = alpha * 255;
  });
}

/** From so many points on they are smaller and fainter. */
const MANY = 3000;

/** Draws all points, those of the mask on top and as diamonds; `ratio` device pixels are a CSS pixel. */
export function paint(
  context: CanvasRenderingContext2D,
  { points, x, y }: Picture,
  marked: Uint8Array,
  ratio: number,
  isDark: boolean,
): void {
  const { width, height } = context.canvas;
  const isMany = points.harm.length > MANY;
  const radius = (isMany ? 1.8 : 2.8) * ratio;
  const line = Math.max(1, ratio);
  const opacity = isMany ? 0.4 : 0.6;
  const layer = (): Layer => ({ width, height, through: new Float32Array(width * height).fill(1) });
  const [below, above] = [layer(), layer()];
  const plain = { hollow: stamp("disc", radius, opacity, line), full: stamp("disc", radius, opacity) };
  const own = { hollow: stamp("diamond", radius + 1.7 * ratio, 0.9, 1.4 * line), full: stamp("diamond", radius + 1.7 * ratio, 0.9) };
  points.harm.forEach((harm, index) => {
    const isPruned = marked[index] === 1;
    const left = Math.round(placeOn(x, points.prominence[index] ?? 0) * (width - 1));
    const top = Math.round((1 - placeOn(y, harm)) * (height - 1));
    press(isPruned ? above : below, (isPruned ? own : plain)[points.exact[index] ? "full" : "hollow"], left, top);
  });
  const { ink, pruned } = COLOURS[isDark ? "dark" : "light"];
  const image = context.createImageData(width, height);
  blended(image, below, above, ink, pruned);
  context.putImageData(image, 0, 0);
}
