// The index files beside the page: the catalogue of models, and the bundled sets of items.

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
