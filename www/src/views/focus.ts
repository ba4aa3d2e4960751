// Where the keyboard is: a button that starts a job cannot be pressed while it runs, so that it loses the focus, and gets it back.

import { store } from "../services/store";

/** What had the focus when a job began. */
let pressed: Element | null = null;

function isLost(): boolean {
  const { activeElement } = document;
  return activeElement === null || activeElement === document.body || !activeElement.checkVisibility();
}

function giveBack(): void {
  if (!pressed || store.state.view.job) return;
  const [to, workspace] = [pressed, document.querySelector<HTMLElement>("#workspace")];
  pressed = null;
  if (!isLost()) return;
  if (to instanceof HTMLElement && to.isConnected && !to.matches(":disabled")) to.focus({ preventScroll: true });
  // It went with what the job changed.
  else workspace?.focus({ preventScroll: true });
}

/** Gives the focus back after each job, unless it is elsewhere by then. */
export function keepFocus(): void {
  let wasRunning = false;
  store.listen(() => {
    const isRunning = store.state.view.job !== null;
    if (isRunning === wasRunning) return;
    wasRunning = isRunning;
    if (isRunning && !isLost()) pressed = document.activeElement;
    // Once the views are drawn anew, and where no other job follows at its heels.
    if (!isRunning) setTimeout(giveBack);
  });
}
