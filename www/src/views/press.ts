// The mouse while it is pressed: a click needs its element to stay where it is from the press to the release.

interface Press {
  on: Node;
  released: Promise<void>;
  release(): void;
}

let press: Press | null = null;

function begin({ target }: MouseEvent): void {
  end();
  // What a slider does is drawn while it is moved, and what is drawn on a picture.
  const isFollowed = target instanceof HTMLCanvasElement || (target instanceof HTMLInputElement && target.type === "range");
  if (!(target instanceof Node) || isFollowed) return;
  let release = (): void => undefined;
  const released = new Promise<void>((resolve) => {
    release = resolve;
  });
  press = { on: target, released, release };
}

function end(): void {
  press?.release();
  press = null;
}

addEventListener("mousedown", begin, true);
// The click comes right after.
for (const name of ["mouseup", "dragend"]) addEventListener(name, () => setTimeout(end), true);
// The list of a select may swallow the release.
addEventListener(
  "mousemove",
  ({ buttons }) => {
    if (buttons === 0) end();
  },
  true,
);

/** Resolves once the mouse is not pressed within an element any more; null where it is not. */
export function released(element: Element): Promise<void> | null {
  return press && element.contains(press.on) ? press.released : null;
}
