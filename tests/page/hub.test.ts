// Names and addresses of models on the hub, and what a failed load says of files.

import { expect, test } from "vitest";
import { parse } from "../../www/src/worker/hub";
import { areUseless } from "../../www/src/worker/plan";

test("a repository is known by its name or by the address of a page", () => {
  expect(parse("owner/name")).toEqual({ repo: "owner/name", revision: "main" });
  expect(parse("owner/name@v2")).toEqual({ repo: "owner/name", revision: "v2" });
  expect(parse("https://huggingface.co/owner/name/blob/dev/config.json?x=1")).toEqual({ repo: "owner/name", revision: "dev" });
});

test("a revision may be a pull request, and need not be encoded", () => {
  for (const revision of ["refs/pr/1", "refs%2Fpr%2F1"]) {
    expect(parse(`https://huggingface.co/owner/name/tree/${revision}`), revision).toEqual({ repo: "owner/name", revision: "refs/pr/1" });
  }
  expect(parse("owner/name/tree/50%")).toEqual({ repo: "owner/name", revision: "50%" });
});

test("files are useless that no load can do with, and not those that could not be read", () => {
  expect(areUseless("model_file", "f32")).toBe(true);
  expect(areUseless("unsupported", "int8")).toBe(false);
  expect(areUseless("file_read", "f32")).toBe(false);
});
