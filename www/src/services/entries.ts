// Steps as entries of the browser's history: Back leads to the step before, and not away from the page.

import { STEPS, store, type Step } from "./store";

/** The step that an entry is of. */
function stepOf(state: unknown): Step | undefined {
  return STEPS.find((step) => step === (state as { step?: unknown } | null)?.step);
}

/** Makes an entry of each step that the user goes to, and goes to the step of an entry that the browser goes back to. */
export function followSteps(): void {
  let at = store.state.view.step;
  history.replaceState({ step: at }, "");
  store.listen(() => {
    const { step } = store.state.view;
    if (step === at) return;
    at = step;
    // Where the page goes by itself there is nothing to go back to.
    if (navigator.userActivation?.isActive === false) history.replaceState({ step }, "");
    else history.pushState({ step }, "");
  });
  addEventListener("popstate", ({ state }) => {
    const step = stepOf(state);
    if (step === undefined) return;
    at = step;
    // An entry may be older than the study on screen, whose fragment is the address's.
    const { shared_fragment } = store.state.view;
    history.replaceState({ step }, "", `${location.pathname}${location.search}${shared_fragment ?? ""}`);
    store.view({ step });
  });
}
