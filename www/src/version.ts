// Parts of the page that are fetched when they are needed: once a newer version is in the place of this one, they are gone.

import type { SecateurError } from "./wire/engine";

const OUTDATED: SecateurError = {
  code: "outdated",
  message: "a newer version of this page is there, and a part of the older one that is needed now is gone",
  hint: "Reload the page: the study is kept.",
};

/** Whether the host has this version no more. The file that this code is in has its contents' hash in its name, as each part has. */
async function isGone(): Promise<boolean> {
  try {
    const { status, headers } = await fetch(import.meta.url, { method: "HEAD", cache: "no-store" });
    // A host may answer a missing file with a page.
    return status === 404 || status === 410 || (headers.get("content-type") ?? "").startsWith("text/html");
  } catch {
    return false;
  }
}

/** Why a part cannot be loaded: what was thrown, or else that there is a newer version. */
export async function reasonOf<T>(thrown: T): Promise<T | SecateurError> {
  return (await isGone()) ? OUTDATED : thrown;
}

/** Loads a part. */
export async function part<T>(load: () => Promise<T>): Promise<T> {
  try {
    return await load();
  } catch (thrown) {
    throw await reasonOf(thrown);
  }
}
