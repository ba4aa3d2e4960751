// What a repository of the Hugging Face hub offers this page: asked of its API before anything large is fetched.

import { estimate } from "../../engine/cpu.js";
import type { Estimate } from "../wire/engine";
import { fail } from "./errors";
import { Patience } from "./patience";
import type { DownloadPlan, HubChoice, HubListing, PlannedFile } from "./plan";

/** Answers longer than this are no listing, index or configuration of a model. */
const LARGEST_ANSWER_BYTES = 32e6;
/** Pages of a file list; each has up to 1,000 files. */
const PAGES_AT_MOST = 20;
/** A hub that does not answer in this time is taken for one that cannot be reached. */
const PATIENCE_SECONDS = 20;

const INDEX = "model.safetensors.index.json";
/** Beside safetensors; the last one where there is one. */
const COMPANIONS = ["config.json", "tokenizer.json", "tokenizer_config.json", "chat_template.jinja"] as const;

interface Asked {
  repo: string;
  revision: string;
}

/** The part of `/api/models/{repo}/revision/{revision}` that is read here. */
interface Info {
  sha: string;
  private?: boolean;
  gated?: false | "auto" | "manual";
  cardData?: { license?: string | string[]; license_name?: string };
  gguf?: { total?: number };
}

/** An entry of `/api/models/{repo}/tree/{commit}`. */
interface Entry {
  type: "file" | "directory";
  path: string;
  size: number;
  /** Git's hash of the file itself or, for a large one, of its pointer. */
  oid: string;
  lfs?: { oid: string; size: number };
}

/** `owner/name`, with `@revision` where wanted, or the address of a page of the hub; a pull request's revision is `refs/pr/1`. */
export function parse(text: string): Asked {
  const trimmed = text
    .trim()
    .replace(/^https?:\/\//, "")
    .replace(/^(www\.)?(huggingface\.co|hf\.co)\//, "");
  const match = /^([\w.-]+\/[\w.-]+?)(?:@([^\s?#]+)|\/(?:tree|blob|resolve)\/(refs\/\w+\/[^/?#]+|[^/?#]+)[^?#]*)?\/?(?:[?#].*)?$/.exec(
    trimmed,
  );
  const repo = match?.[1];
  if (!repo) {
    return fail(
      "hub",
      `“${text.trim()}” is no name of a model on the hub`,
      "Type owner/name, such as HuggingFaceTB/SmolLM2-135M, or paste the address of the model's page.",
    );
  }
  return { repo, revision: match[2] ?? (match[3] ? decoded(match[3]) : "main") };
}

/** A part of an address, as it stands where it is not encoded as addresses are. */
function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

const BY_HAND =
  "Download the model's files on the hub's own page (signed in, where it asks for that), and drop them under “Your own files”.";

/** An answer with all of its body, within the time that the hub has for it. */
async function answerOf(url: string, signal: AbortSignal): Promise<Response> {
  const patience = new Patience(PATIENCE_SECONDS, signal);
  try {
    const response = await fetch(url, { signal: patience.signal });
    const { headers, status } = response;
    return new Response(await response.arrayBuffer(), { headers, status });
  } catch {
    signal.throwIfAborted();
    const { host } = new URL(url);
    return fail(
      "hub_unreachable",
      patience.isOver ? `the hub (${host}) did not answer within ${PATIENCE_SECONDS} seconds` : `the hub (${host}) cannot be reached`,
      "Check the connection. Where the hub is blocked, fetch the files elsewhere and drop them under “Your own files”.",
    );
  } finally {
    patience.end();
  }
}

async function ask(url: string, what: string, signal: AbortSignal): Promise<Response> {
  const response = await answerOf(url, signal);
  if (response.ok) return response;
  const reason = response.headers.get("x-error-code");
  if (response.status === 403 || reason === "GatedRepo") {
    return fail("hub_gated", `${what} is open only to those whom its owner lets in`, BY_HAND);
  }
  if (response.status === 401 || response.status === 404) {
    return fail(
      "hub_absent",
      `the hub has no public ${what}`,
      `Check the spelling, capitals included. If it is private or has to be asked for: ${BY_HAND}`,
    );
  }
  const hint = response.status === 429 ? "Too many requests came from here; wait some minutes." : "Try again later.";
  return fail("hub", `the hub answered with status ${response.status} for ${what}`, hint);
}

async function json<T>(response: Response, what: string): Promise<T> {
  const text = await response.text();
  if (text.length > LARGEST_ANSWER_BYTES) fail("hub", `the hub's answer about ${what} is too long`, BY_HAND);
  try {
    return JSON.parse(text) as T;
  } catch {
    return fail("hub", `the hub's answer about ${what} is no JSON`, "Try again later.");
  }
}

/** The address of the next page of a list, from its `Link` header. */
function nextPage(response: Response, hub: string): string | null {
  const next = /<([^>]+)>;\s*rel="next"/.exec(response.headers.get("link") ?? "")?.[1];
  return next && next.startsWith(`${hub}/`) ? next : null;
}

async function list(repo: string, commit: string, hub: string, signal: AbortSignal): Promise<Entry[]> {
  const entries: Entry[] = [];
  let url: string | null = `${hub}/api/models/${repo}/tree/${commit}?recursive=true`;
  for (let page = 0; url && page < PAGES_AT_MOST; page += 1) {
    const response: Response = await ask(url, `model ${repo}`, signal);
    entries.push(...(await json<Entry[]>(response, repo)).filter((entry) => entry.type === "file"));
    url = nextPage(response, hub);
  }
  return entries;
}

function planned({ path, size, oid, lfs }: Entry, root: string): PlannedFile {
  const url = `${root}/${path.split("/").map(encodeURIComponent).join("/")}`;
  const name = path.slice(path.lastIndexOf("/") + 1);
  return lfs ? { name, bytes: lfs.size, sha256: lfs.oid, urls: [url] } : { name, bytes: size, sha256: null, git_sha1: oid, urls: [url] };
}

/** A GGUF model: one file, or the parts of one. */
interface GgufModel {
  /** Of a model in parts, without what says which part it is. */
  path: string;
  /** How many files it has; fewer may be there. */
  count: number;
  files: Entry[];
}

function ggufModels(entries: readonly Entry[]): GgufModel[] {
  const models = new Map<string, GgufModel>();
  for (const entry of [...entries].sort((a, b) => (a.path < b.path ? -1 : 1))) {
    if (!entry.path.endsWith(".gguf")) continue;
    const [, stem, count] = /^(.+)-\d{5}-of-(\d{5})\.gguf$/.exec(entry.path) ?? [];
    const key = stem === undefined ? entry.path : `${stem} ${count}`;
    const model = models.get(key) ?? { path: stem === undefined ? entry.path : `${stem}.gguf`, count: Number(count ?? 1), files: [] };
    models.set(key, { ...model, files: [...model.files, entry] });
  }
  return [...models.values()];
}

/** One repository at one commit. */
class Repository {
  #files: Map<string, Entry>;
  #root: string;

  constructor(
    readonly repo: string,
    readonly commit: string,
    entries: readonly Entry[],
    hub: string,
    readonly info: Info,
    readonly signal: AbortSignal,
  ) {
    this.#files = new Map(entries.map((entry) => [entry.path, entry]));
    this.#root = `${hub}/${repo}/resolve/${commit}`;
  }

  get licence(): string | null {
    const { license, license_name } = this.info.cardData ?? {};
    const known = Array.isArray(license) ? license.join(", ") : license;
    return known === "other" && license_name ? license_name : (known ?? null);
  }

  async choices(): Promise<HubChoice[]> {
    const safetensors = await this.#safetensors();
    // One that lacks a part is the last choice.
    const gguf = ggufModels([...this.#files.values()])
      .map((model) => this.#gguf(model))
      .sort((a, b) => Number("problem" in a) - Number("problem" in b) || a.bytes - b.bytes);
    const choices = safetensors ? [safetensors, ...gguf] : gguf;
    if (choices.length > 0) return choices;
    const pickles = [...this.#files.keys()].some((path) => path.endsWith(".bin"));
    return fail(
      "hub",
      `${this.repo} has neither safetensors nor a GGUF file`,
      pickles
        ? "It has PyTorch's own files only, which can hold programs: look for another repository of the same model."
        : "It may hold an adapter, or no language model at all.",
    );
  }

  #plan(suffix: string, name: string, entries: readonly Entry[]): DownloadPlan {
    const licence = this.licence;
    return {
      id: `${this.repo}${suffix}`.replaceAll("/", "--"),
      name,
      source: { repo: this.repo, commit: this.commit },
      ...(licence ? { licence } : {}),
      files: entries.map((entry) => planned(entry, this.#root)),
    };
  }

  #gguf({ path, count, files }: GgufModel): HubChoice {
    const parameters = this.info.gguf?.total ?? null;
    const plan = this.#plan(`--${path}`, path.slice(path.lastIndexOf("/") + 1).replace(/\.gguf$/, ""), files);
    return {
      label: count === 1 ? path : `${path}, ${count} parts`,
      bytes: plan.files.reduce((sum, file) => sum + file.bytes, 0),
      n_parameters: parameters,
      size: parameters === null ? null : { memory_bytes: 4 * parameters },
      ...(files.length < count ? { problem: `it lacks ${count - files.length} of its ${count} parts` } : {}),
      plan,
    };
  }

  async #safetensors(): Promise<HubChoice | null> {
    const single = this.#files.get("model.safetensors");
    const index = this.#files.get(INDEX);
    if (!single && !index) return null;
    const weights = single ? [single] : await this.#shards(index as Entry);
    const missing = COMPANIONS.slice(0, 2).filter((name) => !this.#files.has(name));
    const companions = COMPANIONS.map((name) => this.#files.get(name)).filter((entry) => entry !== undefined);
    const entries = [...companions, ...(single ? [] : [index as Entry]), ...weights];
    const size = missing.includes("config.json") ? {} : await this.#size();
    const plan = this.#plan("", this.repo.slice(this.repo.indexOf("/") + 1), entries);
    // They are kept without their folders, where one would be written over the other.
    const twice = plan.files.find(({ name }, at) => plan.files.findIndex((other) => other.name === name) < at);
    return {
      label: single ? "model.safetensors" : `safetensors, ${weights.length} shards`,
      bytes: plan.files.reduce((sum, file) => sum + file.bytes, 0),
      n_parameters: null,
      size: null,
      ...size,
      ...(twice ? { problem: `its ${INDEX} names two files ${twice.name}, in different folders` } : {}),
      ...(missing.length > 0 ? { problem: `there is no ${missing.join(" and no ")} in it` } : {}),
      plan,
    };
  }

  async #shards(index: Entry): Promise<Entry[]> {
    const what = `${INDEX} of ${this.repo}`;
    const response = await ask(`${this.#root}/${INDEX}`, what, this.signal);
    const { weight_map } = await json<{ weight_map?: Record<string, string> }>(response, what);
    const names = [...new Set(Object.values(weight_map ?? {}))].sort();
    const shards = names.map(
      (name) =>
        this.#files.get(name) ?? fail("hub", `${this.repo} has no ${name}, which ${index.path} names`, "The repository is incomplete."),
    );
    return shards.length > 0 ? shards : fail("hub", `${what} names no file`, "The repository is damaged.");
  }

  /** What the engine makes of the configuration: the model's size, or why it cannot run. */
  async #size(): Promise<Partial<HubChoice>> {
    const response = await ask(`${this.#root}/config.json`, `config.json of ${this.repo}`, this.signal);
    const bytes = new Uint8Array(await response.arrayBuffer());
    try {
      const { n_parameters, ...size }: Estimate = estimate(bytes);
      return { n_parameters, size };
    } catch (thrown) {
      return { problem: (thrown as { message?: string }).message ?? String(thrown) };
    }
  }
}

/** Asks the hub what a repository offers. Only its lists and small files are fetched. */
export async function look(text: string, hub: string, signal: AbortSignal): Promise<HubListing> {
  const { repo, revision } = parse(text);
  const what = revision === "main" ? `model ${repo}` : `model ${repo} at ${revision}`;
  const response = await ask(`${hub}/api/models/${repo}/revision/${encodeURIComponent(revision)}`, what, signal);
  const info = await json<Info>(response, repo);
  if (info.gated || info.private) {
    return fail("hub_gated", `${repo} asks for consent to its terms before it gives out its files`, BY_HAND);
  }
  const entries = await list(repo, info.sha, hub, signal);
  const repository = new Repository(repo, info.sha, entries, hub, info, signal);
  return { repo, commit: info.sha, revision, licence: repository.licence, choices: await repository.choices() };
}
