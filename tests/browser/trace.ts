// A trace of everything that the engine's worker asks of WebGPU: its shaders, a time for every dispatch, its calls.

import type { Page, Worker } from "@playwright/test";

/** The dispatches of one kernel. */
export interface Kernel {
  /** The compute shader, as WGSL. */
  wgsl: string;
  count: number;
  /** On the GPU; absent where the adapter has no timestamps. */
  milliseconds?: number;
  /** Workgroups of the longest dispatch. */
  grid: string;
}

export interface Trace {
  adapter: string;
  dispatches: number;
  submits: number;
  maps: number;
  writes: number;
  kernels: Kernel[];
}

/** What the worker's realm holds for the functions below. */
interface Tracer {
  shaders(): string[];
  start(): void;
  stop(): Promise<Trace>;
}

/** From the next load on, the worker is traced. Call it before the page is opened. */
export async function traceGpu(page: Page): Promise<void> {
  await page.route(/\/worker-[^/]*\.js$/, async (route) => {
    const response = await route.fetch();
    await route.fulfill({ response, body: `(${install.toString()})();\n${await response.text()}` });
  });
}

/** The engine's worker; its further threads have none of its state. */
function worker(page: Page): Worker {
  const last = page
    .workers()
    .filter((worker) => !worker.url().includes("thread"))
    .at(-1);
  if (!last) throw new Error("the page has no worker");
  return last;
}

/** Every shader that the engine has compiled so far. */
export async function shaders(page: Page): Promise<string[]> {
  return worker(page).evaluate(() => (self as unknown as { tracer: Tracer }).tracer.shaders());
}

/** Traces what happens during `work`. */
export async function traced(page: Page, work: () => Promise<void>): Promise<Trace> {
  await worker(page).evaluate(() => (self as unknown as { tracer: Tracer }).tracer.start());
  await work();
  return worker(page).evaluate(() => (self as unknown as { tracer: Tracer }).tracer.stop());
}

/** Runs in the worker, before its own code. */
function install(): void {
  /** Timestamps of one query set, two a dispatch. */
  const QUERIES = 4096;
  interface Dispatch {
    pipeline: GPUComputePipeline | undefined;
    grid: string;
    query?: number;
  }
  const sources: string[] = [];
  const sourceOf = new WeakMap<object, string>();
  let device: GPUDevice | undefined;
  let adapter = "";
  let isTracing = false;
  let dispatches: Dispatch[] = [];
  let sets: GPUQuerySet[] = [];
  let queries = 0;
  const calls = { submits: 0, maps: 0, writes: 0 };

  const wrap = <T extends object, K extends keyof T>(target: T, name: K, around: (inner: T[K]) => T[K]): void => {
    target[name] = around(target[name]);
  };
  wrap(
    GPUAdapter.prototype,
    "requestDevice",
    (inner) =>
      async function (this: GPUAdapter, descriptor) {
        const features = [...(descriptor?.requiredFeatures ?? [])];
        if (this.features.has("timestamp-query")) features.push("timestamp-query");
        device = await inner.call(this, { ...descriptor, requiredFeatures: features });
        adapter = [this.info.vendor, this.info.architecture, this.info.description].filter(Boolean).join(", ");
        return device;
      },
  );
  wrap(
    GPUDevice.prototype,
    "createShaderModule",
    (inner) =>
      function (this: GPUDevice, descriptor) {
        const module = inner.call(this, descriptor);
        sources.push(descriptor.code);
        sourceOf.set(module, descriptor.code);
        return module;
      },
  );
  wrap(
    GPUDevice.prototype,
    "createComputePipeline",
    (inner) =>
      function (this: GPUDevice, descriptor) {
        const pipeline = inner.call(this, descriptor);
        sourceOf.set(pipeline, sourceOf.get(descriptor.compute.module) ?? "");
        return pipeline;
      },
  );
  wrap(
    GPUQueue.prototype,
    "submit",
    (inner) =>
      function (this: GPUQueue, buffers) {
        calls.submits += 1;
        return inner.call(this, buffers);
      },
  );
  wrap(
    GPUQueue.prototype,
    "writeBuffer",
    (inner) =>
      function (this: GPUQueue, ...parts: Parameters<GPUQueue["writeBuffer"]>) {
        calls.writes += 1;
        return inner.apply(this, parts);
      },
  );
  wrap(
    GPUBuffer.prototype,
    "mapAsync",
    (inner) =>
      function (this: GPUBuffer, ...parts: Parameters<GPUBuffer["mapAsync"]>) {
        calls.maps += 1;
        return inner.apply(this, parts);
      },
  );
  // While tracing, every dispatch is a pass of its own: a timestamp is taken where a pass begins and ends.
  wrap(
    GPUCommandEncoder.prototype,
    "beginComputePass",
    (inner) =>
      function (this: GPUCommandEncoder, descriptor) {
        if (!isTracing) return inner.call(this, descriptor);
        let pipeline: GPUComputePipeline | undefined;
        const groups: [number, GPUBindGroup][] = [];
        const dispatch = (...size: [number, number?, number?]): void => {
          const record: Dispatch = { pipeline, grid: size.join(" × ") };
          const timed: GPUComputePassDescriptor = {};
          if (device?.features.has("timestamp-query")) {
            const set = Math.floor(queries / QUERIES);
            const querySet = (sets[set] ??= device.createQuerySet({ type: "timestamp", count: QUERIES }));
            const first = queries % QUERIES;
            timed.timestampWrites = { querySet, beginningOfPassWriteIndex: first, endOfPassWriteIndex: first + 1 };
            record.query = queries;
            queries += 2;
          }
          const pass = inner.call(this, timed);
          if (pipeline) pass.setPipeline(pipeline);
          for (const [index, group] of groups) pass.setBindGroup(index, group);
          pass.dispatchWorkgroups(...size);
          pass.end();
          dispatches.push(record);
        };
        const pass = {
          setPipeline: (next: GPUComputePipeline) => {
            pipeline = next;
          },
          setBindGroup: (index: number, group: GPUBindGroup) => {
            groups[index] = [index, group];
          },
          dispatchWorkgroups: dispatch,
          end: () => undefined,
          pushDebugGroup: () => undefined,
          popDebugGroup: () => undefined,
          insertDebugMarker: () => undefined,
        };
        return pass as unknown as GPUComputePassEncoder;
      },
  );

  /** Nanoseconds of every query so far. */
  async function times(): Promise<bigint[]> {
    const all: bigint[] = [];
    for (let from = 0; device && from < queries; from += QUERIES) {
      const count = Math.min(QUERIES, queries - from);
      const resolved = device.createBuffer({ size: 8 * count, usage: GPUBufferUsage.QUERY_RESOLVE | GPUBufferUsage.COPY_SRC });
      const read = device.createBuffer({ size: 8 * count, usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST });
      const encoder = device.createCommandEncoder();
      encoder.resolveQuerySet(sets[from / QUERIES] as GPUQuerySet, 0, count, resolved, 0);
      encoder.copyBufferToBuffer(resolved, 0, read, 0, 8 * count);
      device.queue.submit([encoder.finish()]);
      await read.mapAsync(GPUMapMode.READ);
      all.push(...new BigUint64Array(read.getMappedRange()));
      resolved.destroy();
      read.destroy();
    }
    return all;
  }

  const tracer: Tracer = {
    shaders: () => sources,
    start() {
      [dispatches, sets, queries] = [[], [], 0];
      Object.assign(calls, { submits: 0, maps: 0, writes: 0 });
      isTracing = true;
    },
    async stop() {
      isTracing = false;
      const counted = { ...calls };
      const nanoseconds = await times();
      const kernels = new Map<string, Kernel & { longest: number }>();
      for (const { pipeline, grid, query } of dispatches) {
        const wgsl = (pipeline && sourceOf.get(pipeline)) ?? "";
        const kernel = kernels.get(wgsl) ?? { wgsl, count: 0, grid, longest: 0 };
        kernel.count += 1;
        const [begin, end] = query === undefined ? [] : nanoseconds.slice(query, query + 2);
        if (begin !== undefined && end !== undefined) {
          const milliseconds = Number(end - begin) / 1e6;
          kernel.milliseconds = (kernel.milliseconds ?? 0) + milliseconds;
          if (milliseconds > kernel.longest) Object.assign(kernel, { grid, longest: milliseconds });
        }
        kernels.set(wgsl, kernel);
      }
      return { adapter, dispatches: dispatches.length, ...counted, kernels: [...kernels.values()] };
    },
  };
  Object.assign(self, { tracer });
}
