// The files beside the page: the catalogue of models, the bundled sets of items, the lesson.

/** An entry of `models/catalog.json`. */
export interface CatalogEntry {
  id: string;
  name: string;
  family: string;
  licence: string;
  parameters: number;
  memory_bytes: number;
  largest_tensor_bytes: number;
  note: string;
  files: CatalogFile[];
}

export interface CatalogFile {
  name: string;
  bytes: number | null;
  sha256: string | null;
  sources: CatalogSource[];
}

export type CatalogSource =
  { kind: "local"; path: string } | { kind: "hub"; repo: string; revision: string; file: string } | { kind: "pip" } | { kind: "wheels" };

/** An entry of `models/items/index.json`. */
export interface SampleSet {
  name: string;
  file: string;
  title: string;
  description: string;
  licence: string;
  items: number;
}

/**
 * Fetches one of them. They have the same names in every version of the page: so the browser asks whether what it has of an
 * earlier visit is current, and takes that where there is no connection.
 */
export async function fetchCurrent(url: string | URL, signal: AbortSignal | null = null): Promise<Response> {
  try {
    return await fetch(url, { cache: "no-cache", signal });
  } catch {
    return fetch(url, { cache: "force-cache", signal });
  }
}
