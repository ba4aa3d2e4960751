// Paints the heat map. Pruned neurons get a tick in a track below their row, so that colour is not the only sign.

import { columns, neuronAt, rowHeight, strongest, type Geometry, type Picture } from "./heat-map-picture";
import { color, place } from "./scale";

export function paint(context: CanvasRenderingContext2D, picture: Picture, geometry: Geometry): void {
  const { width, row, track } = geometry;
  const { n_layers, d_mlp, scores, largest, isRoot, isDark, pruned } = picture;
  context.clearRect(0, 0, context.canvas.width, context.canvas.height);
  const image = context.createImageData(width, row);
  const background = isDark ? "rgb(255 255 255 / 7%)" : "rgb(0 0 0 / 5%)";
  const ink = isDark ? "#f4f1ea" : "#14161a";
  for (let layer = 0; layer < n_layers; layer += 1) {
    const top = layer * rowHeight(geometry);
    const marked = pruned.get(layer);
    const ticks: number[] = [];
    for (let x = 0; x < width; x += 1) {
      const [first, end] = columns(picture, width, x);
      const neuron = strongest(picture, layer, first, end);
      const shade = color(place(scores[layer * d_mlp + neuron] ?? 0, largest, isRoot), isDark);
      for (let y = 0; y < row; y += 1) {
        image.data.set([...shade, 255], (y * width + x) * 4);
      }
      if (!marked) continue;
      for (let position = first; position < end; position += 1) {
        if (marked.has(neuronAt(picture, layer, position))) {
          ticks.push(x);
          break;
        }
      }
    }
    context.putImageData(image, 0, top);
    context.fillStyle = background;
    context.fillRect(0, top + row, width, track);
    context.fillStyle = ink;
    for (const x of ticks) context.fillRect(x, top + row, 1, track);
    if (marked) strike(context, picture, geometry, layer, top, ink);
  }
}

/** Zoomed in, a pruned neuron is also struck through. */
function strike(
  context: CanvasRenderingContext2D,
  picture: Picture,
  { width, row }: Geometry,
  layer: number,
  top: number,
  ink: string,
): void {
  const cell = width / picture.span;
  if (cell < 6) return;
  const marked = picture.pruned.get(layer);
  context.strokeStyle = ink;
  context.lineWidth = Math.max(1, Math.min(2, cell / 8));
  context.beginPath();
  for (let position = picture.start; position < picture.start + picture.span; position += 1) {
    if (!marked?.has(neuronAt(picture, layer, position))) continue;
    const left = Math.round((position - picture.start) * cell);
    context.moveTo(left + 1, top + row - 1);
    context.lineTo(left + cell - 1, top + 1);
  }
  context.stroke();
}
