// All of the processor's cores: a browser gives them to a page that is isolated from other sites.

/** When the page was last opened anew for it in this tab. */
const TRIED = "isolation-tried";
/** A page that is still not isolated is not opened anew over and over. */
const AGAIN_MS = 60_000;
/** A service worker that takes longer is not waited for: the page works without. */
const PATIENCE_MS = 3000;

function isControlled(container: ServiceWorkerContainer): Promise<void> {
  return new Promise((resolve, reject) => {
    if (container.controller) resolve();
    container.addEventListener("controllerchange", () => resolve(), { once: true });
    setTimeout(() => reject(new Error("the service worker does not start")), PATIENCE_MS);
  });
}

/**
 * Isolates the page by its service worker where its host does not, which takes a reload, before anything else happens: at the first
 * visit, and when a reload with Shift went past the service worker. Whether it reloads. Where it cannot be isolated, the engine computes on one core and says so.
 */
export async function reloadIsolated(): Promise<boolean> {
  const container = navigator.serviceWorker as ServiceWorkerContainer | undefined;
  // A page that came through the service worker and is not isolated cannot be.
  if (crossOriginIsolated || !container || container.controller || !import.meta.env.PROD) return false;
  try {
    if (Date.now() - Number(sessionStorage.getItem(TRIED)) < AGAIN_MS) return false;
    sessionStorage.setItem(TRIED, String(Date.now()));
    const { active } = await container.register(new URL("service-worker.js", document.baseURI));
    // One that is active takes the page at its next load, and no sooner.
    if (!active) await isControlled(container);
  } catch {
    // A browser that keeps nothing has no service workers.
    return false;
  }
  location.reload();
  return true;
}
