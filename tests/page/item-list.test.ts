import { expect, test } from "vitest";
import "../../www/src/views/item-list";
import { EMPTY_STUDY } from "../../www/src/services/edited";
import { store } from "../../www/src/services/store";
import type { Item } from "../../www/src/wire/engine";
import { control, drawn, enter, set, show, type } from "./support";

const item = (id: string, context: string): Item => ({ id, context, choices: ["left", "right", "middle"], gold: 1 });
const SETS = [{ name: "quiz", roles: [], sha256: "", items: [item("one", "First?"), item("two", "Second?")] }];

const list = (): Promise<HTMLElement> =>
  show("item-list", { study: { ...EMPTY_STUDY, item_sets: SETS }, engine: { status: "ready" } }, { "data-set": "quiz" });

async function press(view: HTMLElement, key: string): Promise<void> {
  control<HTMLButtonElement>(view, key).click();
  await drawn();
}

test("items stand with their right choice marked", async () => {
  const view = await list();
  expect([...view.querySelectorAll(".item .context")].map((context) => context.textContent)).toEqual(["First?", "Second?"]);
  expect(view.querySelector(".choices")?.textContent).toBe("leftright ✓middle");
});

test("what the items of a bundled set are about stands above them", async () => {
  const view = await list();
  expect(view.querySelector("[data-result=sample]")).toBeNull();
  const sample = { name: "riddles", file: "", title: "", description: "The name points to a wrong desk.", licence: "", items: 2 };
  await set({ engine: { samples: [sample] }, study: { ...EMPTY_STUDY, item_sets: SETS.map((of) => ({ ...of, sample: "riddles" })) } });
  expect(view.querySelector("[data-result=sample]")?.textContent).toBe("“quiz”: The name points to a wrong desk.");
});

test("a form takes what is typed, and leaves it alone while something else changes", async () => {
  const view = await list();
  await press(view, "edit-0");
  const context = control(view, "edit-context");
  expect(document.activeElement).toBe(context);
  await enter(context, "First of all?");
  expect(store.state.shown.sets[0]?.items[0]?.context).toBe("First of all?");
  type(control(view, "choice-0"), "half typ");
  await set({ engine: { status: "starting" } });
  expect(control(view, "choice-0").value).toBe("half typ");
  expect(control(view, "edit-context")).toBe(context);
});

test("the mark of the right choice goes with its text when one before it is removed", async () => {
  const view = await list();
  await press(view, "edit-1");
  expect(control(view, "drop-1").disabled).toBe(true);
  await press(view, "drop-0");
  expect(store.state.shown.sets[0]?.items[1]).toMatchObject({ choices: ["right", "middle"], gold: 0 });
  expect(control(view, "gold-0").checked).toBe(true);
  expect(control(view, "drop-0").disabled).toBe(true);
  await press(view, "edit-done");
  expect(document.activeElement).toBe(control(view, "edit-1"));
});

test("long lists come in pages, and a new item opens on the last", async () => {
  const many = Array.from({ length: 60 }, (_, at) => item(`i${at}`, `Question ${at}?`));
  const study = { ...EMPTY_STUDY, item_sets: [{ name: "quiz", roles: [], sha256: "", items: many }] };
  const view = await show("item-list", { study, engine: { status: "ready" } }, { "data-set": "quiz" });
  expect(view.querySelectorAll(".item")).toHaveLength(25);
  await press(view, "page1");
  expect(view.querySelector(".item .context")?.textContent).toBe("Question 25?");
  await press(view, "add-item");
  expect(view.querySelectorAll(".item")).toHaveLength(11);
  expect(document.activeElement).toBe(control(view, "edit-context"));
});
