import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["tests/page/*.test.ts"],
    environment: "happy-dom",
    // One process for all: they are short, and the machine may have few cores.
    pool: "threads",
    isolate: true,
  },
});
