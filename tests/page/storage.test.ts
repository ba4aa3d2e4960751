// The browser's storage of models, as several tabs use it at once.

import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { info, isAvailable } from "../../www/src/worker/storage";

/** A folder in memory, with what of its surface is used here. */
class Folder {
  readonly kind = "directory";
  readonly inside = new Map<string, Folder | File>();

  constructor(readonly name: string) {}

  async getDirectoryHandle(name: string): Promise<Folder> {
    const found = this.inside.get(name) ?? new Folder(name);
    this.inside.set(name, found);
    return found as Folder;
  }

  async getFileHandle(name: string, { create = false } = {}): Promise<object> {
    if (create) this.inside.set(name, new File([], name));
    if (!this.inside.has(name)) throw new DOMException("there is none", "NotFoundError");
    return { getFile: async () => this.inside.get(name), createSyncAccessHandle: async () => ({ close: () => undefined }) };
  }

  async removeEntry(name: string): Promise<void> {
    if (!this.inside.delete(name)) throw new DOMException("there is none", "NotFoundError");
  }

  async *values(): AsyncGenerator<Folder | File> {
    yield* [...this.inside.values()];
  }
}

let models: Folder;

beforeEach(async () => {
  const top = new Folder("");
  models = await top.getDirectoryHandle("models");
  const storage = { getDirectory: async () => top, estimate: async () => ({}), persisted: async () => false };
  Object.defineProperty(navigator, "storage", { value: storage, configurable: true });
});

afterEach(() => {
  vi.restoreAllMocks();
  for (const name of ["storage", "locks"]) Reflect.deleteProperty(navigator, name);
});

test("a folder that another tab has begun in meanwhile is not swept away, and an empty one is", async () => {
  const begun = await models.getDirectoryHandle("begun");
  await models.getDirectoryHandle("empty");
  const plan = JSON.stringify({ id: "begun", name: "begun", files: [] });
  const request = async (name: string, _: unknown, work: (lock: object) => unknown): Promise<unknown> => {
    // The other tab has let go of its lock by now.
    if (name.endsWith("begun")) begun.inside.set("download.json", new File([plan], "download.json"));
    return work({});
  };
  Object.defineProperty(navigator, "locks", { value: { request }, configurable: true });
  await info();
  expect([...models.inside.keys()]).toEqual(["begun"]);
});

test("two tabs that try the storage at once do not take each other's file", async () => {
  const remove = vi.spyOn(models, "removeEntry");
  expect(await Promise.all([isAvailable(), isAvailable()])).toEqual([true, true]);
  expect(new Set(remove.mock.calls.flat()).size).toBe(2);
  expect([...models.inside.keys()]).toEqual([]);
});
