import { defineConfig } from "vite";

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
  },
  worker: { format: "es" },
  preview: { port: 4173, strictPort: true },
});
