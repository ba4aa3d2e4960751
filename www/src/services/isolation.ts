// All of the processor's cores: a browser gives them to a page that is isolated from other sites.

/** The page was opened anew for it in this tab. */
const TRIED = "isolation-tried";
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
 * Isolates the page by its service worker where its host does not, which takes a reload: before anything else happens, once.
 * Whether it reloads. Where it cannot be isolated, the engine computes on one core and says so.
 */
export async function reloadIsolated(): Promise<boolean> {
  const container = navigator.serviceWorker as ServiceWorkerContainer | undefined;
  if (crossOriginIsolated || !container || !import.meta.env.PROD) return false;
  try {
    if (sessionStorage.getItem(TRIED)) return false;
    sessionStorage.setItem(TRIED, "yes");
    await container.register(new URL("service-worker.js", document.baseURI));
    await isControlled(container);
  } catch {
    // A browser that keeps nothing has no service workers.
    return false;
  }
  location.reload();
  return true;
}
