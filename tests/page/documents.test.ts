// Files that are dropped where none are asked for.

import { expect, test } from "vitest";
import { openDropped } from "../../www/src/services/documents";
import { store } from "../../www/src/services/store";

test("of files that are dropped beside the right step it is said where they go", () => {
  openDropped([new File(["a,b"], "quiz.csv"), new File([""], "photo.png")]);
  expect(store.state.view.notice).toBe("Not opened: “quiz.csv”, “photo.png”. Items are dropped on step 2, a model's files on step 1.");
});
