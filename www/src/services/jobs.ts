// One job at a time: its progress, its cancel, its error.

import type { Progress, SecateurError } from "../wire/engine";
import { CANCELLED, engine, isEnd, isError, type OnProgress } from "./engine";
import { store } from "./store";

/** How long a cancelled job may take to come to an end before its worker is ended. */
const PATIENCE_MS = 1000;

/** Any thrown thing as something to show. */
export function toError(thrown: unknown): SecateurError {
  if (isError(thrown)) return thrown;
  const message = thrown instanceof Error ? thrown.message : String(thrown);
  return { code: "unexpected", message, hint: "Try again; if it stays, reload the page." };
}

export function report(thrown: unknown): void {
  const error = toError(thrown);
  // The user asked for it: nothing to explain. And who starts the engine again says why it ended.
  if (error.code !== "cancelled" && !isEnd(error)) store.view({ error });
}

/** What comes of it; null where it failed, which is told. */
export async function attempt<T>(work: Promise<T>): Promise<T | null> {
  try {
    return await work;
  } catch (thrown) {
    report(thrown);
    return null;
  }
}

function isIdle(): boolean {
  return store.state.view.job === null && store.state.engine.status !== "starting";
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

/** Rejects when a cancelled job does not come to its end in time. What it has the worker do ends with the worker. */
function stuck(signal: AbortSignal, patience_ms: number): Promise<never> {
  return new Promise((_, reject) => {
    signal.addEventListener("abort", () =>
      setTimeout(() => {
        engine.stop(signal);
        reject(CANCELLED);
      }, patience_ms),
    );
  });
}

/**
 * Runs a job with progress and cancel; whether it came to its end. Errors go to the banner. While one runs, no other
 * starts. What is asked of the engine with the progress that `work` is given is cancelled with the job, whenever it is
 * asked. `news` says what came of it.
 */
export async function runJob(
  title: string,
  work: (onProgress: OnProgress) => Promise<void>,
  patience_ms = PATIENCE_MS,
  news = () => `${title}: done.`,
): Promise<boolean> {
  if (store.state.view.job) return false;
  const controller = new AbortController();
  const { signal } = controller;
  const cancel = (): void => {
    const { job } = store.state.view;
    if (job) store.view({ job: { ...job, stopping: true } });
    controller.abort();
  };
  store.view({
    error: null,
    job: { title, stage: "", done: 0, total: 0, first: 0, started_ms: performance.now(), stopping: false, cancel },
  });
  const tell = ({ stage, done, total }: Progress): void => {
    const { job } = store.state.view;
    if (!job) return;
    // A new stage counts anew, and so does its estimate.
    const isNew = stage !== job.stage || done < job.first;
    const began = isNew ? { first: done, started_ms: performance.now() } : {};
    store.view({ job: { ...job, stage, done, total, ...began } });
  };
  try {
    await Promise.race([work(Object.assign(tell, { signal })), stuck(signal, patience_ms)]);
    store.view({ news: news() });
    return true;
  } catch (thrown) {
    report(thrown);
    return false;
  } finally {
    store.view({ job: null });
  }
}
