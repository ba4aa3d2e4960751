// The files beside the page keep their names in every version: what an earlier visit left is asked about, or taken offline.

import { afterEach, expect, test, vi } from "vitest";
import { fetchCurrent } from "../../www/src/site";

afterEach(() => vi.unstubAllGlobals());

test("a file is had as it is now and, without a connection, as it was", async () => {
  const asked: unknown[] = [];
  let isOnline = true;
  vi.stubGlobal("fetch", async (_: string, { cache }: RequestInit) => {
    asked.push(cache);
    if (!isOnline && cache !== "force-cache") throw new TypeError("no connection");
    return new Response(isOnline ? "now" : "then");
  });
  expect(await (await fetchCurrent("models/catalog.json")).text()).toBe("now");
  isOnline = false;
  expect(await (await fetchCurrent("models/catalog.json")).text()).toBe("then");
  expect(asked).toEqual(["no-cache", "no-cache", "force-cache"]);
});
