import { expect, test } from "vitest";
import { store } from "../../www/src/services/store";
import "../../www/src/views/accuracy-table";
import { control, set, show } from "./support";
import { scores, study } from "./studies";

const rows = (view: HTMLElement): string[] => [...view.querySelectorAll<HTMLElement>("tbody tr")].map((row) => row.dataset["set"] ?? "");

test("sets that are scored stand in the study's order, those that are not are to be scored", async () => {
  const view = await show(
    "accuracy-table",
    { study: study(), results: [scores("t"), scores("a")], engine: { status: "ready" } },
    { "data-set": "t" },
  );
  expect(rows(view)).toEqual(["a", "t"]);
  expect(view.querySelector("tr.selected button")?.textContent).toBe("t");
  expect(control(view, "score").textContent?.trim()).toBe("Score the items");
  await set({ results: ["a", "v", "t", "u"].map((name) => scores(name)) });
  expect(rows(view)).toEqual(["a", "v", "t", "u"]);
  expect(control(view, "score").textContent?.trim()).toBe("Score again");
  // Scores by another rule are another result.
  await set({ study: study({ scoring: { rule: "per_byte" } }) });
  expect(view.textContent).toContain("Nothing is scored yet.");
});

test("a set is opened by its name", async () => {
  const view = await show("accuracy-table", { study: study(), results: [scores("t")] });
  control<HTMLButtonElement>(view, "scores-t").click();
  expect(store.state.view.open_set).toBe("t");
});
