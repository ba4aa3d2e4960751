import { expect, test } from "vitest";
import "../../www/src/views/top-share";
import { store } from "../../www/src/services/store";
import { control, enter, set, show } from "./support";

const STATE = { shape: { n_layers: 3, d_mlp: 8 }, selection: { layer: 1, percent: 25 } };

test("the controls hold the selection at hand, the slider the square root of its share", async () => {
  const view = await show("top-share", STATE);
  expect(control(view, "layer").value).toBe("1");
  expect(control(view, "percent-number").value).toBe("25");
  expect(control(view, "percent").value).toBe("50");
  await set({ selection: { layer: 2, percent: 1 } });
  expect(control(view, "layer").value).toBe("2");
  expect(control(view, "percent").value).toBe("10");
});

test("a share that cannot be gives way to the one in use, with a word", async () => {
  const view = await show("top-share", STATE);
  await enter(control(view, "percent-number"), "200");
  expect(control(view, "percent-number").value).toBe("25");
  expect(store.state.notice).toContain("up to 100");
});
