// What is to be fetched, and from where, and what has come of it. A plan is kept beside an unfinished download, so that a
// later visit can go on with it.

import type { ModelSize } from "../precision";
import type { Precision } from "../wire/engine";

/** A repository of the hub at one commit. */
export interface HubSource {
  repo: string;
  commit: string;
}

export interface PlannedFile {
  /** As the engine knows it, and as it is kept: without folders. */
  name: string;
  bytes: number;
  /** Null where the hub tells none: it is noted when the file is there. */
  sha256: string | null;
  /** Git's hash of the file (SHA-1 of a header and the bytes): all that the hub tells of small files. */
  git_sha1?: string;
  /** To be tried in this order. */
  urls: string[];
  /** What the server called this version of the file, where it told. */
  etag?: string;
}

export interface DownloadPlan {
  id: string;
  name: string;
  /** Where it is kept, if not under its id: a newer version is fetched beside an older one. */
  place?: string;
  source?: HubSource;
  licence?: string;
  files: PlannedFile[];
}

/** A download that broke off and can go on. */
export interface UnfinishedModel {
  /** Its place, where that is not its model's id. */
  id: string;
  name: string;
  source?: HubSource;
  /** Bytes that are there. */
  held: number;
  /** Bytes of the whole model. */
  bytes: number;
}

/** Whether a load failed by what the files are, so that they would fail at the next visit too; a read that failed (`file_read`) says nothing of
 * them. */
export function areUseless(code: string, precision: Precision): boolean {
  // In fewer bits it may be the device that does not support them.
  return code === "file" || code === "model_file" || (code === "unsupported" && precision === "f32");
}

/** A model kept in the browser. */
export interface StoredModel {
  id: string;
  name: string;
  /** As in its plan. */
  place?: string;
  bytes: number;
  /** An earlier version noted no hash of the user's own files. */
  files: { name: string; bytes: number; sha256: string | null }[];
  /** Milliseconds since 1970. */
  stored_at: number;
  /** The repository of the hub, and its commit. */
  source?: HubSource;
  licence?: string;
  /** Of the weights, as the engine has it. */
  sha256?: string;
}

/** One way to take a model from a repository: its safetensors, or one of its GGUF models. */
export interface HubChoice {
  /** For people: `model.safetensors`, `3 shards`, or a GGUF file's path, with the number of its parts. */
  label: string;
  bytes: number;
  /** Null where the repository does not tell. */
  size: ModelSize | null;
  n_parameters: number | null;
  /** Why the engine will not run it. */
  problem?: string;
  plan: DownloadPlan;
}

/** What a repository of the hub offers. */
export interface HubListing extends HubSource {
  /** As asked for: a branch, a tag or a commit. */
  revision: string;
  licence: string | null;
  choices: HubChoice[];
}
