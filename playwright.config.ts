import { existsSync } from "node:fs";
import { delimiter, join } from "node:path";
import { defineConfig } from "@playwright/test";
import type { Options } from "./tests/browser/support";

const NAMES = ["chromium", "chromium-browser", "google-chrome", "chrome"];

/** A Chromium that is installed here; Playwright's own is not downloaded. */
function chromium(): string | undefined {
  const named = process.env["SECATEUR_CHROMIUM"] ?? process.env["CHROMIUM"];
  if (named) return named;
  const folders = (process.env["PATH"] ?? "").split(delimiter);
  return folders.flatMap((folder) => NAMES.map((name) => join(folder, name))).find((path) => existsSync(path));
}

const executablePath = chromium();
const url = process.env["SECATEUR_URL"];
/** What is measured instead of tested: `speed` or `profile`. */
const bench = process.env["SECATEUR_BENCH"];

/** A software adapter is the same everywhere, so tests have it; what is measured is the machine's own GPU, where it has one. */
const hasGpu = process.platform !== "linux" || ["/dev/nvidia0", "/dev/dri/renderD128"].some((path) => existsSync(path));
const adapter =
  bench && hasGpu
    ? [
        "--ignore-gpu-blocklist",
        "--use-angle=vulkan",
        "--enable-features=Vulkan,VulkanFromANGLE,DefaultANGLEVulkan",
        "--disable-vulkan-surface",
      ]
    : ["--use-webgpu-adapter=swiftshader"];

export default defineConfig<Options>({
  testDir: "tests/browser",
  testMatch: bench ? `${bench}.bench.ts` : "*.spec.ts",
  projects: bench
    ? [{ name: "bench" }]
    : [
        { name: "chromium" },
        // The engine's numbers once more on one core and without relaxed SIMD.
        {
          name: "plain",
          testMatch: ["attribution.spec.ts", "families.spec.ts", "path.spec.ts"],
          grepInvert: /webgpu/,
          use: { serviceWorkers: "block", plain: true },
        },
      ],
  outputDir: "test-results",
  // What is measured has the machine to itself. Tests wait for pages half of the time, so two of them share two cores well.
  workers: bench ? 1 : 2,
  timeout: 240_000,
  expect: { timeout: 60_000 },
  use: {
    baseURL: url ?? "http://localhost:4173/",
    viewport: { width: 1280, height: 720 },
    acceptDownloads: true,
    launchOptions: {
      ...(executablePath ? { executablePath } : {}),
      args: [
        "--no-sandbox",
        "--enable-unsafe-webgpu",
        ...adapter,
        // Without it a timestamp is rounded to a tenth of a millisecond.
        ...(bench === "profile" ? ["--enable-webgpu-developer-features"] : []),
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        "--no-first-run",
      ],
    },
  },
  // Without an address given, the built page in dist/ is served.
  ...(url ? {} : { webServer: { command: "npx vite preview", url: "http://localhost:4173/", reuseExistingServer: true } }),
});
