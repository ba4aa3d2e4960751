// Models that cannot be loaded, and the one that was there before.

import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { engine } from "../../www/src/services/engine";
import { load } from "../../www/src/services/models";
import { store } from "../../www/src/services/store";
import type { Report } from "../../www/src/wire/engine";
import lesson from "../../models/lesson-planted/report.json";
import { answer } from "./support";

const REPORT = lesson as unknown as Report;
const OFFLINE = { code: "network", message: "there is no connection", hint: "" };

beforeEach(() => {
  answer(() => ({ template: "plain@1" }));
  vi.spyOn(engine, "storage").mockResolvedValue({ models: [] } as never);
  vi.spyOn(engine, "load").mockRejectedValue(OFFLINE);
  store.engine({ model: { info: REPORT.model, name: "lesson", source: { kind: "stored", id: "lesson" } } });
});

afterEach(() => vi.restoreAllMocks());

test("a download that fails leaves the model that the engine holds", async () => {
  vi.spyOn(engine, "held").mockResolvedValue(REPORT.model.sha256);
  expect(await load({ kind: "stored", id: "other" })).toBe(false);
  expect(store.state.engine.model?.name).toBe("lesson");
  expect(engine.load).toHaveBeenCalledOnce();
  expect(store.state.view.error).toEqual(OFFLINE);
});

test("a model that the engine let go of and that cannot be had again is said to be gone", async () => {
  vi.spyOn(engine, "held").mockResolvedValue(null);
  await load({ kind: "stored", id: "other" });
  expect(engine.load).toHaveBeenCalledTimes(2);
  expect(store.state.engine.model).toBeNull();
  expect(store.state.view.messages[0]?.message).toBe("The model “lesson” could not be loaded again either.");
  expect(store.state.view.error).toEqual(OFFLINE);
});
