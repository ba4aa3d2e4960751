// One job at a time: its progress, its cancel, its error.

import type { Progress, SecateurError } from "../types";
import { engine, isError } from "./engine";
import { store } from "./store";

/** Any thrown thing as something to show. */
export function toError(thrown: unknown): SecateurError {
  if (isError(thrown)) return thrown;
  const message = thrown instanceof Error ? thrown.message : String(thrown);
  return { code: "unexpected", message, hint: "Try again; if it stays, reload the page." };
}

export function report(thrown: unknown): void {
  const error = toError(thrown);
  // The user asked for it: nothing to explain.
  if (error.code !== "cancelled") store.set({ error });
}

function isIdle(): boolean {
  return store.state.job === null && store.state.engine !== "starting";
}

/** Resolves once no job runs, nor one that follows at its heels, and the engine is not starting. */
export async function whenIdle(): Promise<void> {
  do {
    await new Promise<void>((resolve) => {
      const look = (): void => {
        if (!isIdle()) return;
        stop();
        resolve();
      };
      const stop = store.listen(look);
      look();
    });
    await new Promise((resolve) => setTimeout(resolve));
  } while (!isIdle());
}

/**
 * Runs a job with progress and cancel; whether it came to its end. Errors go to the banner. While one runs, no other
 * starts.
 */
export async function runJob(
  title: string, work: (onProgress: (progress: Progress) => void) => Promise<void>, patience_ms?: number,
): Promise<boolean> {
  if (store.state.job) return false;
  const cancel = (): void => {
    const { job } = store.state;
    if (!job || job.stopping) return;
    store.set({ job: { ...job, stopping: true } });
    engine.cancel(patience_ms);
  };
  store.set({
    error: null,
    job: { title, stage: "", done: 0, total: 0, first: 0, started_ms: performance.now(), stopping: false, cancel },
  });
  const onProgress = ({ stage, done, total }: Progress): void => {
    const { job } = store.state;
    if (!job) return;
    // A new stage counts anew, and so does its estimate.
    const isNew = stage !== job.stage || done < job.first;
    const began = isNew ? { first: done, started_ms: performance.now() } : {};
    store.set({ job: { ...job, stage, done, total, ...began } });
  };
  try {
    await work(onProgress);
    return true;
  } catch (thrown) {
    report(thrown);
    return false;
  } finally {
    store.set({ job: null });
  }
}
