// What the page and its worker say to each other. One request, any number of progress messages, one answer; or the end.

import type { CatalogEntry } from "../site";
import type { AttributionSettings, DeviceInfo, Engine, ModelInfo, Precision, Progress, SecateurError, Template } from "../wire/engine";
import type { DownloadPlan, StoredModel, UnfinishedModel } from "./plan";

export type DeviceChoice = "auto" | "webgpu" | "wasm";

/** Where a model's files are. */
export type ModelSource =
  /** Part of this site: nothing to keep. */
  | { kind: "site"; entry: CatalogEntry }
  /** Kept in the browser from an earlier visit; `sha256` is given where it has to be that very model. */
  | { kind: "stored"; id: string; sha256?: string }
  /** To be fetched, verified and kept. */
  | { kind: "catalog"; entry: CatalogEntry }
  /** The same, chosen from a repository of the hub. */
  | { kind: "hub"; plan: DownloadPlan }
  /** Begun earlier, to be gone on with. */
  | { kind: "unfinished"; id: string }
  /** Picked or dropped by the user, to be kept where there is room; the catalogue's model where the contents are its. */
  | { kind: "files"; name: string; files: File[]; catalog: readonly CatalogEntry[] };

export interface Started {
  version: string;
  device: DeviceInfo;
  templates: Template[];
  presets: Record<string, AttributionSettings>;
}

export interface Loaded {
  info: ModelInfo;
  /** Where it computes: with the automatic choice, the faster one for this model. */
  device: DeviceInfo;
  name: string;
  /** Whether a reload finds the model without the user. */
  kept: boolean;
  warning?: string;
}

export interface StorageInfo {
  models: StoredModel[];
  unfinished: UnfinishedModel[];
  /** Bytes; 0 where the browser does not tell. */
  used: number;
  quota: number;
  /** Whether the browser has promised not to clear it by itself. */
  persisted: boolean;
  /** The browser does not answer when it is asked for it: nothing that it may hold can be had. */
  isSilent: boolean;
}

export type EngineMethod = keyof Engine;
export type EngineArguments<M extends EngineMethod> = Parameters<Engine[M]> extends [infer First, ...unknown[]] ? [First] : [];
export type EngineResult<M extends EngineMethod> = Awaited<ReturnType<Engine[M]>>;

export type Request =
  /** `hub` is where models are fetched from: an origin, with a path where there is one, without a slash at its end. */
  | { kind: "start"; device: DeviceChoice; hub: string }
  | { kind: "look"; text: string }
  | { kind: "load"; source: ModelSource; precision: Precision }
  | { kind: "held" }
  | { kind: "storage" }
  | { kind: "forget"; id: string }
  | { kind: "call"; method: EngineMethod; arguments: unknown[] };

/** A cancel names the request that it is of, begun or not. */
export type ToWorker = { id: number; request: Request } | { cancel: number };

export type FromWorker =
  | { id: number; progress: Progress }
  | { id: number; value: unknown }
  | { id: number; error: SecateurError }
  /** More is known of where it computes. */
  | { device: DeviceInfo }
  /** The engine is at its end, whatever it was asked. */
  | { ended: SecateurError };
