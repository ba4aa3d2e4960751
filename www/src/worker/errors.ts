// Errors of the worker's own, in the page's form.

import type { SecateurError } from "../wire/engine";

export function fail(code: string, message: string, hint: string): never {
  throw { code, message, hint } satisfies SecateurError;
}

export function megabytes(bytes: number): string {
  return `${Math.ceil(bytes / 1e6).toLocaleString("en")} MB`;
}
