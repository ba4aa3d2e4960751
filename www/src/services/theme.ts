// Dark, light, or as the system has it.

export type Theme = "system" | "light" | "dark";
const KEY = "secateur-theme";

export function theme(): Theme {
  try {
    const kept = localStorage.getItem(KEY);
    return kept === "light" || kept === "dark" ? kept : "system";
  } catch {
    return "system";
  }
}

export function setTheme(wanted: Theme): void {
  try {
    localStorage.setItem(KEY, wanted);
  } catch {
    // Without storage the choice holds until the reload.
  }
  apply(wanted);
}

const system = matchMedia("(prefers-color-scheme: dark)");
export const themeChanges = new EventTarget();
let current: Theme = "system";

export function isDark(): boolean {
  return current === "dark" || (current === "system" && system.matches);
}

function apply(wanted: Theme): void {
  current = wanted;
  document.documentElement.dataset["theme"] = isDark() ? "dark" : "light";
  themeChanges.dispatchEvent(new Event("change"));
}

export function installTheme(): void {
  apply(theme());
  system.addEventListener("change", () => apply(current));
}
