// Paints the points of prominence against harm. Each is a stamp of some pixels that is laid over the picture by hand: tens of
// thousands of circles would take a canvas a second.

import { placeOn, type Picture } from "./harm-picture";

type Rgb = readonly [number, number, number];

const COLOURS: Readonly<Record<"light" | "dark", { ink: Rgb; pruned: Rgb }>> = {
  light: { ink: [22, 24, 29], pruned: [20, 86, 107] },
  dark: { ink: [236, 234, 228], pruned: [124, 192, 212] },
};

/** How much of each pixel of a square a shape covers. */
interface Stamp {
  reach: number;
  cover: Float32Array;
}

type Shape = "disc" | "diamond";

/** Samples of a pixel along each side. */
const FINE = 4;

/** A shape of some radius in device pixels; a hollow one is as wide a line as `stroke`. */
function stamp(shape: Shape, radius: number, stroke: number | null): Stamp {
  const reach = Math.ceil(radius);
  const side = 2 * reach + 1;
  const cover = new Float32Array(side * side);
  const distance = (x: number, y: number): number => (shape === "disc" ? Math.hypot(x, y) : Math.abs(x) + Math.abs(y));
  for (let pixel = 0; pixel < side * side; pixel += 1) {
    for (let sample = 0; sample < FINE * FINE; sample += 1) {
      const x = (pixel % side) - reach + ((sample % FINE) + 0.5) / FINE - 0.5;
      const y = Math.floor(pixel / side) - reach + (Math.floor(sample / FINE) + 0.5) / FINE - 0.5;
      const away = distance(x, y);
      if (away <= radius && (stroke === null || away > radius - stroke)) cover[pixel] = (cover[pixel] ?? 0) + 1 / FINE ** 2;
    }
  }
  return { reach, cover };
}

/** Lays a colour over the pixels that a stamp covers. */
function press({ data, width, height }: ImageData, { reach, cover }: Stamp, x: number, y: number, [r, g, b]: Rgb, strength: number): void {
  const side = 2 * reach + 1;
  for (let row = 0; row < side; row += 1) {
    const top = y - reach + row;
    if (top < 0 || top >= height) continue;
    for (let column = 0; column < side; column += 1) {
      const left = x - reach + column;
      const over = (cover[row * side + column] ?? 0) * strength;
      if (over === 0 || left < 0 || left >= width) continue;
      const at = (top * width + left) * 4;
      const under = ((data[at + 3] ?? 0) / 255) * (1 - over);
      const alpha = over + under;
      const mixed = (channel: number, colour: number): number => (colour * over + (data[at + channel] ?? 0) * under) / alpha;
      data[at] = mixed(0, r);
      data[at + 1] = mixed(1, g);
      data[at + 2] = mixed(2, b);
      data[at + 3] = alpha * 255;
    }
  }
}

/** From so many points on they are smaller and fainter. */
const MANY = 3000;

/** Draws all points, those of the mask last and as diamonds; `ratio` device pixels are a CSS pixel. */
export function paint(
  context: CanvasRenderingContext2D,
  { points, x, y }: Picture,
  marked: Uint8Array,
  ratio: number,
  isDark: boolean,
): void {
  const { width, height } = context.canvas;
  const image = context.createImageData(width, height);
  const { ink, pruned } = COLOURS[isDark ? "dark" : "light"];
  const isMany = points.harm.length > MANY;
  const radius = (isMany ? 1.8 : 2.8) * ratio;
  const stroke = Math.max(1, ratio);
  const plain = [stamp("disc", radius, stroke), stamp("disc", radius, null)] as const;
  const own = [stamp("diamond", radius + 1.7 * ratio, 1.4 * stroke), stamp("diamond", radius + 1.7 * ratio, null)] as const;
  const draw = (index: number, stamps: readonly [Stamp, Stamp], colour: Rgb, strength: number): void => {
    const left = Math.round(placeOn(x, points.prominence[index] ?? 0) * (width - 1));
    const top = Math.round((1 - placeOn(y, points.harm[index] ?? 0)) * (height - 1));
    press(image, stamps[points.exact[index] ? 1 : 0], left, top, colour, strength);
  };
  marked.forEach((isPruned, index) => {
    if (!isPruned) draw(index, plain, ink, isMany ? 0.4 : 0.6);
  });
  marked.forEach((isPruned, index) => {
    if (isPruned) draw(index, own, pruned, 0.9);
  });
  context.putImageData(image, 0, 0);
}
