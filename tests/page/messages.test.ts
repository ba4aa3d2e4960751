import { expect, test, vi } from "vitest";
import "../../www/src/views/job-bar";
import "../../www/src/views/message-bar";
import { store, type Job } from "../../www/src/services/store";
import { control, drawn, set, show } from "./support";

const JOB: Job = {
  title: "Download",
  stage: "downloading",
  done: 0,
  total: 4e6,
  first: 0,
  started_ms: 0,
  stopping: false,
  cancel: () => undefined,
};

/** Texts of the banners, without their buttons. */
function said(bar: HTMLElement): (string | undefined)[] {
  return [...bar.querySelectorAll(".banner p")].map((text) => text.textContent?.trim());
}

test("an error is a sentence with what to do about it, and is gone once it is read", async () => {
  const bar = await show("message-bar", { view: { error: { code: "file", message: "the file ends early", hint: "Choose it again." } } });
  expect(said(bar)).toEqual(["The file ends early. Choose it again."]);
  expect(bar.querySelector(".banner")?.getAttribute("role")).toBe("alert");
  control<HTMLButtonElement>(bar, "close-error").click();
  await drawn();
  expect(said(bar)).toEqual([]);
});

test("a file's name begins an error as it is written", async () => {
  const bar = await show("message-bar", { view: { error: { code: "file", message: "config.json is no JSON", hint: "" } } });
  expect(said(bar)).toEqual(["config.json is no JSON."]);
});

test("only an engine that came to its end is offered to be started again, and not while a job runs", async () => {
  const bar = await show("message-bar", {
    engine: { status: "failed" },
    view: { job: JOB, error: { code: "crashed", message: "it stopped", hint: "" } },
  });
  expect(control<HTMLButtonElement>(bar, "again-close-error").disabled).toBe(true);
  await set({ view: { job: null } });
  expect(control<HTMLButtonElement>(bar, "again-close-error").disabled).toBe(false);
  await set({ engine: { status: "ready" } });
  expect(bar.querySelector("[data-key=again-close-error]")).toBeNull();
});

test("a short job shows nothing; a longer one what it does, how far it is, and a way out", async () => {
  const cancel = vi.fn(() => store.view({ job: { ...JOB, stopping: true } }));
  const bar = await show("job-bar", { view: { job: { ...JOB, cancel } } });
  expect(bar.hidden).toBe(true);
  await vi.waitFor(() => expect(bar.hidden).toBe(false));
  // A quarter, after 10 s: three times as long is left.
  await set({ view: { job: { ...JOB, done: 1e6, started_ms: performance.now() - 10_000, cancel } } });
  expect(bar.querySelector(".text")?.textContent).toBe("Download downloading 1.0 MB of 4.0 MB, about 30 s left");
  expect(bar.querySelector("progress")?.getAttribute("value")).toBe("0.25");
  control<HTMLButtonElement>(bar, "cancel").click();
  await drawn();
  expect(control<HTMLButtonElement>(bar, "cancel").disabled).toBe(true);
  expect(control(bar, "cancel").textContent).toBe("Stopping …");
  await set({ view: { job: null } });
  expect(bar.hidden).toBe(true);
});
