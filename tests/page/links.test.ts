// A link that is run beside a study on which work goes on.

import { afterEach, expect, test, vi } from "vitest";
import { engine } from "../../www/src/services/engine";
import { setRule } from "../../www/src/services/items";
import { openLink, runLink } from "../../www/src/services/links";
import * as session from "../../www/src/services/session";
import { store } from "../../www/src/services/store";
import type { ItemsRequest, Report, RuleRequest, SharedStudy } from "../../www/src/wire/engine";
import lesson from "../../models/lesson-planted/report.json";
import { items } from "./studies";
import { answer } from "./support";

const REPORT = lesson as unknown as Report;

afterEach(() => vi.restoreAllMocks());

test("a fragment that is no link is said to hold no study", async () => {
  for (const fragment of ["#garbage", "#xs1.abc"]) {
    await openLink(fragment);
    expect(store.state.view.error?.message, fragment).toBe("this address holds no study that can be read");
    store.view({ error: null });
  }
});

test("what is changed while a link is run is no part of it, also for the engine", async () => {
  vi.spyOn(session, "setAside").mockResolvedValue(true);
  vi.spyOn(session, "keep").mockReturnValue(undefined);
  vi.spyOn(engine, "storage").mockResolvedValue({ models: [] } as never);
  const item_sets = REPORT.study.item_sets.map((set) => ({ ...set, items: items(2) }));
  const shared = { study: { ...REPORT.study, item_sets } } as SharedStudy;
  const rules: string[] = [];
  const sent: string[] = [];
  answer(async (method, request: ItemsRequest & RuleRequest) => {
    if (method === "set_rule") rules.push(request.rule);
    if (method === "set_items") sent.push(request.name);
    if (method === "by_rule") return [];
    if (method === "reproduce") {
      // It waits for its turn behind the run.
      await setRule("per_byte");
      return { report: { ...REPORT, study: shared.study }, reproduction: {} };
    }
    return { template: shared.study.template, sha256: item_sets.find(({ name }) => name === request.name)?.sha256 };
  });
  store.engine({ model: { info: REPORT.model, name: "" } });
  store.view({ shared });
  await runLink();
  expect(store.state.view).toMatchObject({ error: null, of_link: true });
  expect(rules).toEqual(["per_byte", "sum"]);
  expect(store.state.study.scoring.rule).toBe("sum");
  expect(sent).toEqual(item_sets.map(({ name }) => name));
});
