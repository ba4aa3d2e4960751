import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["tests/page/*.test.ts"],
    setupFiles: ["tests/page/setup.ts"],
    environment: "happy-dom",
    // A page for each file takes longer than its tests; each of them leaves the page empty.
    isolate: false,
  },
});
