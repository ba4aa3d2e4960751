import { expect, test } from "vitest";
import "../../www/src/views/top-share";
import { EMPTY_MASK, EMPTY_STUDY, type EditedStudy } from "../../www/src/services/edited";
import { control, enter, set, show } from "./support";

const MODEL = { id: "m", sha256: "0", shape: { n_layers: 3, d_mlp: 8 } };

/** A study with a selection. */
function selected(layer: number, percent: number): { study: EditedStudy } {
  return { study: { ...EMPTY_STUDY, model: MODEL, pruning: { mask: EMPTY_MASK, selection: { layer, percent } } } };
}

test("the controls hold the selection at hand, the slider the square root of its share", async () => {
  const view = await show("top-share", selected(1, 25));
  expect(control(view, "layer").value).toBe("1");
  expect(control(view, "percent-number").value).toBe("25");
  expect(control(view, "percent").value).toBe("50");
  await set(selected(2, 1));
  expect(control(view, "layer").value).toBe("2");
  expect(control(view, "percent").value).toBe("10");
});

test("a share that cannot be gives way to the one in use, with a word", async () => {
  const view = await show("top-share", selected(1, 25));
  await enter(control(view, "percent-number"), "200");
  expect(control(view, "percent-number").value).toBe("25");
  expect(view.querySelector(".warning")?.textContent).toBe("a number from 0.01 to 100");
});
