// What the model gets of an item, as it is shown while that is being changed.

import { afterEach, expect, test, vi } from "vitest";
import { store } from "../../www/src/services/store";
import "../../www/src/views/prompt-settings";
import { set as itemSet, study } from "./studies";
import { answer, drawn, set, show } from "./support";

afterEach(() => vi.restoreAllMocks());

test("the preview is asked for again when the set that its shots come from has other items", async () => {
  let asked = 0;
  answer((method) => {
    if (method === "prompt") asked += 1;
    return method === "prompt" ? { prompt: `asked ${asked}`, choices: [], tokens: [], gold: 0 } : [];
  });
  const changed = async (name: string, hash: string): Promise<number> => {
    const item_sets = store.state.study.item_sets.map((one) => (one.name === name ? { ...one, sha256: hash } : one));
    await set({ study: { ...store.state.study, item_sets } });
    await drawn();
    return asked;
  };
  await show("prompt-settings", { study: study({ few_shot: { k: 1, set: "u" } }) }, { "data-set": "t" });
  await drawn();
  expect(asked).toBe(1);
  expect(await changed("u", "other")).toBe(2);
  expect(await changed("v", "other")).toBe(2);
  await set({ study: study({ few_shot: { k: 1 }, item_sets: [itemSet("t", "T"), itemSet("u", "U")] }) });
  await drawn();
  expect(asked).toBe(3);
  expect(await changed("t", "other")).toBe(4);
  expect(await changed("u", "other")).toBe(4);
});
