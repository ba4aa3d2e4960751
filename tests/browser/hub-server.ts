// A small server in the hub's shape for the tests: the built page, and repositories made of the fixtures, with the
// hub's lists, redirects, ETags and byte ranges. It can cut a connection, hold it, ignore ranges, or answer wrong bytes.

import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { extname, join, normalize, resolve } from "node:path";
import type { AddressInfo } from "node:net";
import { test as base } from "@playwright/test";

export interface HubFile {
  bytes: Buffer;
  /** Large files are told with their SHA-256 and come from another address, small ones with Git's hash. */
  lfs: boolean;
}

export interface HubRepository {
  commit: string;
  licence?: string;
  gated?: boolean;
  files: Record<string, HubFile>;
}

/** What goes wrong with a file; a cut or held connection is used up by the request that meets it, the others stay. */
export interface Fault {
  /** The connection is cut after so many bytes. */
  cutAfter?: number;
  /** The rest never comes after so many bytes, until the browser gives up. */
  holdAfter?: number;
  noRange?: boolean;
  /** Other bytes of the same length. */
  wrong?: boolean;
  /** Another version of the file, by its name. */
  etag?: string;
}

export interface Served {
  path: string;
  range: string | null;
  /** Bytes of the body that were sent. */
  sent: number;
  status: number;
}

const TYPES: Record<string, string> = {
  ".html": "text/html",
  ".js": "text/javascript",
  ".css": "text/css",
  ".wasm": "application/wasm",
  ".json": "application/json",
  ".svg": "image/svg+xml",
};

const DIST = resolve("dist");

/** A server for each test, with these repositories; the page takes it for the hub. */
export function withHub(repositories: () => Record<string, HubRepository>) {
  return base.extend<{ hub: HubServer }>({
    hub: async ({ context }, use) => {
      const hub = await HubServer.start(repositories());
      // The page names the hub in its first message to the worker; here it names this server.
      await context.addInitScript((address) => {
        const post = Worker.prototype.postMessage;
        Worker.prototype.postMessage = function (this: Worker, message: { request?: { hub?: string } }, ...rest: []): void {
          if (message.request?.hub) message.request.hub = address;
          post.call(this, message, ...rest);
        } as typeof post;
      }, `${hub.origin}/hub`);
      await use(hub);
      await hub.stop();
    },
  });
}

export function sha256(bytes: Buffer): string {
  return createHash("sha256").update(bytes).digest("hex");
}

/** Git's hash of a file: of its type, its length and its bytes. */
function gitHash(bytes: Buffer): string {
  return createHash("sha1").update(`blob ${bytes.length}\0`).update(bytes).digest("hex");
}

export class HubServer {
  readonly served: Served[] = [];
  readonly faults = new Map<string, Fault>();
  /** What the page's worker runs before all else, so that its browser is another one. */
  stub = "";
  /** The hub takes questions, and answers none. */
  isSilent = false;
  /** A newer version of the page is in the place of the one that is open: what that one has not fetched yet is gone. */
  isNewer = false;
  #server: Server;

  private constructor(readonly repositories: Record<string, HubRepository>) {
    this.#server = createServer((request, response) => this.#answer(request, response));
  }

  static async start(repositories: Record<string, HubRepository>): Promise<HubServer> {
    const hub = new HubServer(repositories);
    await new Promise<void>((done) => hub.#server.listen(0, "127.0.0.1", done));
    return hub;
  }

  get origin(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** Requests of a file's bytes since the last call. */
  take(name: string): Served[] {
    const taken = this.served.filter(({ path }) => path.endsWith(`/${name}`));
    this.served.length = 0;
    return taken;
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((done) => this.#server.close(done));
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    const { pathname } = new URL(request.url ?? "/", this.origin);
    const api = /^\/hub\/api\/models\/([^/]+\/[^/]+)\/(revision|tree)\/([^/]+)$/.exec(pathname);
    if (api) return this.#api(response, api[1] ?? "", api[2] ?? "", decodeURIComponent(api[3] ?? ""));
    const file = /^\/hub\/([^/]+\/[^/]+)\/resolve\/([^/]+)\/(.+)$/.exec(pathname);
    if (file) return this.#resolve(request, response, file[1] ?? "", file[2] ?? "", decodeURIComponent(file[3] ?? ""));
    const cdn = /^\/cdn\/([^/]+\/[^/]+)\/(.+)$/.exec(pathname);
    if (cdn) return this.#bytes(request, response, cdn[1] ?? "", decodeURIComponent(cdn[2] ?? ""));
    return this.#page(response, pathname);
  }

  #json(response: ServerResponse, status: number, value: unknown, headers: Record<string, string> = {}): void {
    response.writeHead(status, { "content-type": "application/json", ...headers });
    response.end(JSON.stringify(value));
  }

  #api(response: ServerResponse, name: string, kind: string, revision: string): void {
    if (this.isSilent) return;
    const repository = this.repositories[name];
    // The hub tells strangers no difference between a private repository and none.
    if (!repository) return this.#json(response, 401, { error: "Invalid username or password." });
    if (revision !== "main" && revision !== repository.commit) return this.#json(response, 404, { error: "Invalid rev id" });
    if (kind === "revision") {
      return this.#json(response, 200, {
        id: name,
        sha: repository.commit,
        private: false,
        gated: repository.gated ? "manual" : false,
        cardData: repository.licence ? { license: repository.licence } : undefined,
      });
    }
    const tree = Object.entries(repository.files).map(([path, { bytes, lfs }]) => ({
      type: "file",
      path,
      size: bytes.length,
      oid: lfs ? gitHash(Buffer.from(sha256(bytes))) : gitHash(bytes),
      ...(lfs ? { lfs: { oid: sha256(bytes), size: bytes.length, pointerSize: 134 } } : {}),
    }));
    return this.#json(response, 200, [{ type: "directory", path: "onnx", size: 0, oid: "0" }, ...tree]);
  }

  #resolve(request: IncomingMessage, response: ServerResponse, name: string, commit: string, path: string): void {
    const repository = this.repositories[name];
    if (repository?.gated) return this.#json(response, 401, {}, { "x-error-code": "GatedRepo" });
    const file = commit === repository?.commit ? repository.files[path] : undefined;
    if (!file) return this.#json(response, 404, { error: "Entry not found" });
    if (!file.lfs) return this.#bytes(request, response, name, path);
    response.writeHead(302, { location: `/cdn/${name}/${path}` });
    response.end();
  }

  #bytes(request: IncomingMessage, response: ServerResponse, name: string, path: string): void {
    const file = this.repositories[name]?.files[path];
    if (!file) return this.#json(response, 404, {});
    const fault = this.faults.get(path) ?? {};
    const { cutAfter, holdAfter, ...lasting } = fault;
    this.faults.set(path, lasting);
    const all = fault.wrong ? Buffer.from(file.bytes).fill(7, file.bytes.length - 8) : file.bytes;
    const range = fault.noRange ? undefined : request.headers.range;
    const from = Number(/^bytes=(\d+)-$/.exec(range ?? "")?.[1] ?? 0);
    const rest = all.subarray(from);
    const limit = cutAfter ?? holdAfter ?? rest.length;
    const entry: Served = {
      path: request.url ?? "",
      range: request.headers.range ?? null,
      sent: Math.min(limit, rest.length),
      status: range ? 206 : 200,
    };
    this.served.push(entry);
    response.writeHead(entry.status, {
      "content-type": "application/octet-stream",
      "content-length": rest.length,
      etag: fault.etag ?? `"${sha256(file.bytes)}"`,
      "accept-ranges": "bytes",
      ...(range ? { "content-range": `bytes ${from}-${all.length - 1}/${all.length}` } : {}),
    });
    response.write(rest.subarray(0, limit));
    if (limit >= rest.length) response.end();
    // What was written has to be on its way first.
    else if (cutAfter !== undefined) setTimeout(() => response.socket?.destroy(), 300);
  }

  #page(response: ServerResponse, pathname: string): void {
    const inside = normalize(pathname).replace(/^\/secateur\/?/, "");
    const path = join(DIST, inside === "" ? "index.html" : inside);
    try {
      if (this.isNewer && inside.startsWith("assets/")) throw new Error("it has another name now");
      const isWorker = /\/worker-[^/]*\.js$/.test(path);
      const bytes = Buffer.concat([Buffer.from(isWorker ? this.stub : ""), readFileSync(path)]);
      response.writeHead(200, { "content-type": TYPES[extname(path)] ?? "application/octet-stream", "cache-control": "no-cache" });
      response.end(bytes);
    } catch {
      response.writeHead(404, { "content-type": "text/plain" });
      response.end("not found");
    }
  }
}
