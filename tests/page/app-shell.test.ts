import { expect, test } from "vitest";
import "../../www/src/views/app-shell";
import { runJob } from "../../www/src/services/jobs";
import { store, type Job } from "../../www/src/services/store";
import { drawn, show } from "./support";

const JOB: Job = { title: "Scoring", stage: "", done: 0, total: 2, first: 0, started_ms: 0, stopping: false, cancel: () => undefined };

test("the end of a job is said by one line that is always there", async () => {
  const shell = await show("app-shell");
  const news = shell.querySelector("[data-result=news]");
  expect([news?.getAttribute("role"), news?.textContent]).toEqual(["status", ""]);
  await runJob("Attribution", async () => undefined);
  await drawn();
  expect(news?.textContent).toBe("Attribution: done.");
});

test("what the page is at stands on its body at once, also while a control is pressed", async () => {
  const shell = await show("app-shell");
  expect(document.body.dataset).toMatchObject({ engine: "starting", job: "none", study: "saved" });
  const chip = shell.querySelector("[data-key=device-chip]") as Element;
  chip.dispatchEvent(new MouseEvent("mousedown", { bubbles: true }));
  store.view({ job: JOB, is_unsaved: true });
  store.engine({ status: "ready" });
  await Promise.resolve();
  expect(document.body.dataset).toMatchObject({ engine: "ready", job: "running", study: "changed" });
  // The view itself waits until the mouse is released.
  expect(chip.textContent).toBe("engine starting …");
  document.body.dispatchEvent(new MouseEvent("mouseup", { bubbles: true }));
  await drawn();
  await drawn();
  expect(chip.textContent).toBe("no engine");
});
