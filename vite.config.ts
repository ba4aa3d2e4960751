import { defineConfig } from "vite";

/** A page that is isolated from other sites may use several threads; where a host does not send these headers, its service worker adds them. */
const headers = { "Cross-Origin-Opener-Policy": "same-origin", "Cross-Origin-Embedder-Policy": "require-corp" };

export default defineConfig({
  // Relative addresses: the built page works on any host and below any path.
  base: "./",
  publicDir: false,
  // No fallback to index.html: a missing model file must answer 404, not a page.
  appType: "mpa",
  build: {
    target: "es2022",
    outDir: "dist",
    emptyOutDir: true,
    // The Content-Security-Policy has no room for data: scripts and styles.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    // The libraries in the page go with their licences.
    license: { fileName: "licenses.md" },
    rollupOptions: {
      input: { index: "index.html", "service-worker": "www/src/service-worker.ts" },
      output: {
        // A service worker has its place: it serves what lies beside and below it.
        entryFileNames: ({ name }) => (name === "service-worker" ? "[name].js" : "assets/[name]-[hash].js"),
      },
    },
  },
  worker: { format: "es" },
  server: { headers },
  preview: { port: 4173, strictPort: true, headers },
});
