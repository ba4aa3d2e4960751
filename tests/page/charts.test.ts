import { expect, test, vi } from "vitest";
import { calibrationChart } from "../../www/src/views/calibration-chart";
import { lineChart, type Line } from "../../www/src/views/line-chart";
import "../../www/src/views/plot-figure";
import { draw } from "./support";

const FIRST: Line = {
  name: "after",
  kind: "first",
  points: [
    { x: 0, y: 0 },
    { x: 10, y: 0.5, low: 0.25, high: 0.75 },
    { x: 20, y: 1 },
  ],
  best: 10,
};

/** The library is fetched for the first chart. */
function drawnChart(selector: string): Promise<Element> {
  return vi.waitFor(() => {
    const found = document.querySelector(selector);
    if (!found) throw new Error(`there is no ${selector}`);
    return found;
  }, 5000);
}

test("curves go from the first step at the left to the last at the right, with their intervals and the best of them", async () => {
  draw(lineChart("Accuracy", [FIRST], 20, { low: 0, high: 1 }));
  // 380 × 176, with margins of 44, 10, 10 and 30.
  expect((await drawnChart(".line.first path")).getAttribute("d")).toBe("M44,146L207,78L370,10");
  const whisker = document.querySelector(".whiskers.first line");
  expect(["x1", "x2", "y1", "y2"].map((name) => Number(whisker?.getAttribute(name)))).toEqual([207, 207, 112, 44]);
  expect(document.querySelectorAll(".dots.first circle")).toHaveLength(3);
  expect(document.querySelectorAll(".best.first circle")).toHaveLength(1);
  expect(document.querySelector("[role=img]")?.getAttribute("aria-label")).toBe("Accuracy; last values after: 1.00");
  // Inline styles are what the page's policy forbids.
  expect(document.querySelector("plot-figure style")).toBeNull();
});

test("a curve that grows is drawn again with what is there by then", async () => {
  draw(lineChart("Loss", [FIRST], 20, null));
  await drawnChart(".line.first path");
  for (const y of [2, 3, 4])
    draw(
      lineChart(
        "Loss",
        [
          {
            ...FIRST,
            points: [
              { x: 0, y: 0 },
              { x: 20, y },
            ],
          },
        ],
        20,
        { low: 0, high: 8 },
      ),
    );
  await vi.waitFor(() => expect(document.querySelector(".line.first path")?.getAttribute("d")).toBe("M44,146L370,78"), 5000);
});

test("of a calibration, bins with items are bars as high as their accuracy", async () => {
  const bin = { low: 0.5, high: 1, items: 4, accuracy: 0.75, confidence: 0.9 };
  draw(calibrationChart({ bins: [{ ...bin, low: 0, high: 0.5, items: 0 }, bin], expected_error: 0.15, confidence: 0.9 }));
  const bar = await drawnChart(".calibration .bin rect");
  // Within 114 pixels each way, 26 from the left and 10 from the top, 1 apart from the next bar.
  expect(["x", "y", "width", "height"].map((name) => Number(bar.getAttribute(name)))).toEqual([84, 38.5, 55, 85.5]);
  expect(document.querySelectorAll(".calibration .bin rect")).toHaveLength(1);
  expect(document.querySelector("figcaption")?.textContent).toContain("expected error");
});
