import { isZone } from "./times.js";

export type Theme = "system" | "light" | "dark";
export type Density = "dense" | "comfortable";

const STORE = "ingenium.settings";

interface Saved {
  theme: Theme;
  density: Density;
  swapped: boolean;
  zone: string;
  narrowRail: boolean;
}

const local = Intl.DateTimeFormat().resolvedOptions().timeZone;

function saved(): Saved {
  const first: Saved = { theme: "system", density: "dense", swapped: false, zone: "UTC", narrowRail: false };
  try {
    const found = JSON.parse(localStorage.getItem(STORE) ?? "{}") as Partial<Saved>;
    return { ...first, ...found, zone: found.zone !== undefined && isZone(found.zone) ? found.zone : first.zone };
  } catch {
    return first;
  }
}

export const settings = $state<Saved>(saved());
export const LOCAL_ZONE = local;

const dark = matchMedia("(prefers-color-scheme: dark)");
const system = $state({ dark: dark.matches });
dark.addEventListener("change", (event) => (system.dark = event.matches));

export const isDark = (): boolean => (settings.theme === "system" ? system.dark : settings.theme === "dark");

/** Write the settings onto the page and keep them; call it inside an effect. */
export function applySettings(): void {
  const root = document.documentElement;
  root.dataset["theme"] = isDark() ? "dark" : "light";
  root.dataset["density"] = settings.density;
  root.dataset["swapped"] = String(settings.swapped);
  localStorage.setItem(STORE, JSON.stringify(settings));
}

/** The colour of a token, for a canvas. */
export function token(name: string): string {
  return getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
}
