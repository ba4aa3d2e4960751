// Isolates the page from other sites on hosts that cannot: browsers let only such a page share memory between threads, and know it
// by two headers. It keeps nothing and changes nothing else.

interface Life extends Event {
  waitUntil(work: Promise<unknown>): void;
}

interface Fetch extends Event {
  readonly request: Request;
  respondWith(response: Promise<Response>): void;
}

/** What is used here of a service worker's own self. */
declare const self: {
  skipWaiting(): Promise<void>;
  readonly clients: { claim(): Promise<void> };
  addEventListener(name: "install" | "activate", listener: (event: Life) => void): void;
  addEventListener(name: "fetch", listener: (event: Fetch) => void): void;
};

async function isolated(request: Request): Promise<Response> {
  const response = await fetch(request);
  // A redirect is the browser's to follow.
  if (response.status === 0) return response;
  const headers = new Headers(response.headers);
  headers.set("cross-origin-opener-policy", "same-origin");
  headers.set("cross-origin-embedder-policy", "require-corp");
  const { body, status, statusText } = response;
  return new Response(body, { status, statusText, headers });
}

self.addEventListener("install", (event) => event.waitUntil(self.skipWaiting()));
self.addEventListener("activate", (event) => event.waitUntil(self.clients.claim()));
self.addEventListener("fetch", (event) => {
  const { mode, destination } = event.request;
  // The page itself, and its workers; whatever else it loads is its own or allows it.
  if (mode === "navigate" || destination === "worker") event.respondWith(isolated(event.request));
});

// A module, so that its names are its own.
export {};
