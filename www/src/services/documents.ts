// Files that this page or the command line wrote, picked or dropped: a study and a report are opened as a link would be,
// a mask is taken.

import { clip, visible } from "../format";
import { importMask } from "./actions";
import { report, whenIdle } from "./jobs";
import { openText } from "./links";
import { store } from "./store";

const ELSEWHERE = "Items are dropped on step 2, a model's files on step 1.";

/** What a document says it is; null for one of others. */
function formatOf(text: string): string | null {
  if (!text.trimStart().startsWith("{")) return null;
  try {
    const { format } = JSON.parse(text) as { format?: unknown };
    return typeof format === "string" && format.startsWith("secateur-") ? format : null;
  } catch {
    return null;
  }
}

/** Opens a text that is one of this program's documents; false where it is none. */
export async function openDocument(text: string): Promise<boolean> {
  const format = formatOf(text);
  if (format === null) return false;
  if (store.state.view.job) store.view({ notice: "The file is opened once the job under way is done." });
  await whenIdle();
  if (format === "secateur-mask") await importMask(text);
  else await openText(text);
  return true;
}

/** Opens the first document among files that were dropped where none are asked for, and says of the others where they go. */
export function openDropped(files: readonly File[]): void {
  const document = files.find(({ name }) => name.endsWith(".json"));
  const others = files.filter((file) => file !== document).map(({ name }) => `“${clip(visible(name), 60)}”`);
  if (document) void openFile(document);
  if (others.length > 0) store.view({ notice: `Not opened: ${others.join(", ")}. ${ELSEWHERE}` });
}

/** Opens a file that holds one of this program's documents; another one is said to be none. */
export async function openFile(file: File): Promise<void> {
  try {
    const text = await file.text();
    if (await openDocument(text)) return;
    store.view({
      error: {
        code: "document",
        message: `“${file.name}” is no study, report or mask of this program.`,
        hint: ELSEWHERE,
      },
    });
  } catch (thrown) {
    report(thrown);
  }
}
