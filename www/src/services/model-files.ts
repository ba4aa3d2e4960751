// Files that the user picked or dropped: which of them make a model, and what is missing.

import type { CatalogEntry } from "../site";
import type { ModelSource } from "../worker/protocol";

/** A file and the folder it lies in, below what was picked; empty for a file picked by itself. */
export interface PickedFile {
  folder: string;
  file: File;
}

const INDEX = "model.safetensors.index.json";
/** An index of more bytes is none. */
const LARGEST_INDEX_BYTES = 64e6;
/** A dropped folder is searched so far and no further: it may be a whole disk. */
const DEPTH_AT_MOST = 4;
const FILES_AT_MOST = 5000;

/** Files of a file or folder dialog. */
export function ofDialog(files: readonly File[]): PickedFile[] {
  return files.map((file) => {
    const path = file.webkitRelativePath;
    return { folder: path.includes("/") ? path.slice(0, path.lastIndexOf("/")) : "", file };
  });
}

function readBatch(reader: FileSystemDirectoryReader): Promise<FileSystemEntry[]> {
  return new Promise((resolve, reject) => reader.readEntries(resolve, reject));
}

function fileOf(entry: FileSystemFileEntry): Promise<File> {
  return new Promise((resolve, reject) => entry.file(resolve, reject));
}

async function collect(entry: FileSystemEntry, folder: string, depth: number, found: PickedFile[]): Promise<void> {
  if (entry.name.startsWith(".") || found.length >= FILES_AT_MOST) return;
  if (entry.isFile) {
    found.push({ folder, file: await fileOf(entry as FileSystemFileEntry) });
    return;
  }
  if (depth === 0) return;
  const reader = (entry as FileSystemDirectoryEntry).createReader();
  const inside = folder ? `${folder}/${entry.name}` : entry.name;
  // The reader gives a hundred at a time, and none at the end.
  for (let batch = await readBatch(reader); batch.length > 0; batch = await readBatch(reader)) {
    for (const child of batch) await collect(child, inside, depth - 1, found);
  }
}

/** Files of a drop, those in dropped folders as well. To be called while the drop is handled. */
export async function ofDrop(transfer: DataTransfer): Promise<PickedFile[]> {
  const entries = [...transfer.items].map((item) => item.webkitGetAsEntry?.() ?? null);
  // Files made by a program have no entries.
  if (entries.every((entry) => entry === null)) return ofDialog([...transfer.files]);
  const found: PickedFile[] = [];
  for (const entry of entries) if (entry) await collect(entry, "", DEPTH_AT_MOST, found);
  return found;
}

function lastPart(folder: string): string {
  return folder.slice(folder.lastIndexOf("/") + 1);
}

function list(names: readonly string[]): string {
  return names.length < 2 ? names.join("") : `${names.slice(0, -1).join(", ")} and ${names.at(-1)}`;
}

/** The shards that an index names; a text where it is none. */
async function shardsOf(index: File): Promise<string[] | string> {
  const damaged = `${INDEX} is damaged: it names no files. Fetch it again.`;
  if (index.size > LARGEST_INDEX_BYTES) return damaged;
  try {
    const { weight_map } = JSON.parse(await index.text()) as { weight_map?: Record<string, string> };
    const names = [...new Set(Object.values(weight_map ?? {}))].sort();
    return names.length > 0 ? names : damaged;
  } catch {
    return damaged;
  }
}

/** The weight files among those of one folder, with their index where there is one; a text says what is wrong. */
async function weightsAmong(files: readonly File[]): Promise<File[] | string> {
  const named = (name: string): File | undefined => files.find((file) => file.name === name);
  const safetensors = files.filter((file) => file.name.endsWith(".safetensors"));
  const single = named("model.safetensors") ?? (safetensors.length === 1 ? safetensors[0] : undefined);
  const index = named(INDEX);
  if (index && !named("model.safetensors")) {
    const names = await shardsOf(index);
    if (typeof names === "string") return names;
    const missing = names.filter((name) => !named(name));
    if (missing.length > 0) return `${INDEX} also names ${list(missing)}: choose all of them together.`;
    return [index, ...names.map(named).filter((file) => file !== undefined)];
  }
  if (single && !/-of-\d{5}\.safetensors$/.test(single.name)) return [single];
  return `These are parts of a model (${list(safetensors.map((file) => file.name).slice(0, 3))}): choose them together with ${INDEX}.`;
}

/** A part of a GGUF model in several files: `stem-00001-of-00003.gguf`. */
const PART = /^(.+)-(\d{5})-of-(\d{5})\.gguf$/;
/** More parts than these have no model's files. */
const PARTS_AT_MOST = 1000;

/** The one GGUF model among files: its file, or all its parts in their order; a text says what is wrong. */
function ggufAmong(files: readonly File[]): { name: string; files: File[] } | string {
  const [first] = files;
  const [, stem, , count] = PART.exec(first?.name ?? "") ?? [];
  const parts = Math.min(Number(count ?? 0), PARTS_AT_MOST);
  const names =
    parts > 0
      ? Array.from({ length: parts }, (_, index) => `${stem}-${String(index + 1).padStart(5, "0")}-of-${count}.gguf`)
      : files.slice(0, 1).map((file) => file.name);
  if (files.some((file) => !names.includes(file.name))) {
    return `These are several models (${list(files.map((file) => file.name).slice(0, 4))}): choose one of them.`;
  }
  const missing = names.filter((name) => !files.some((file) => file.name === name));
  if (missing.length > 0) {
    return (
      `${first?.name} is one of ${Number(count)} parts of a model, and ${list(missing.slice(0, 4))} ${missing.length > 1 ? "are" : "is"} missing: `
      + "choose all parts together."
    );
  }
  const inOrder = names.map((name) => files.find((file) => file.name === name)).filter((file) => file !== undefined);
  return { name: stem ?? (first?.name ?? "").replace(/\.gguf$/, ""), files: inOrder };
}

/** What a set of picked or dropped files is, or what is wrong with it. */
export async function sourceOfFiles(picked: readonly PickedFile[], catalog: readonly CatalogEntry[]): Promise<ModelSource | string> {
  const gguf = picked.filter(({ file }) => file.name.endsWith(".gguf"));
  const home = picked.find(({ file }) => file.name.endsWith(".safetensors")) ?? picked.find(({ file }) => file.name === INDEX);
  if (gguf.length > 0 && !home) {
    const found = ggufAmong(gguf.map(({ file }) => file));
    return typeof found === "string" ? found : { kind: "files", ...found, catalog };
  }
  if (!home) {
    return "There are no weights among these files. Choose one .gguf file, or a folder with safetensors, config.json and tokenizer.json.";
  }
  const beside = picked.filter(({ folder }) => folder === home.folder).map(({ file }) => file);
  const weights = await weightsAmong(beside);
  if (typeof weights === "string") return weights;
  const named = (name: string): File | undefined => beside.find((file) => file.name === name);
  const missing = ["config.json", "tokenizer.json"].filter((name) => !named(name));
  if (missing.length > 0) return `${list(missing)} ${missing.length > 1 ? "are" : "is"} missing: choose all files together.`;
  const companions = ["config.json", "tokenizer.json", "tokenizer_config.json", "chat_template.jinja"]
    .map(named)
    .filter((file) => file !== undefined);
  const plain = weights.at(-1)?.name.replace(/\.safetensors$/, "") ?? "model";
  return { kind: "files", name: lastPart(home.folder) || plain, files: [...weights, ...companions], catalog };
}
