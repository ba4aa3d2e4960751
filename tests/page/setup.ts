// After each test the page is empty and the store as it was.

import { afterEach } from "vitest";
import { INITIAL, store } from "../../www/src/services/store";

afterEach(() => {
  document.body.replaceChildren();
  store.set(INITIAL);
});
