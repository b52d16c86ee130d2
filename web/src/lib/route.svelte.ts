/**
 * The view is in the fragment of the URL: `#/transactions?symbol=ACME`. The server never sees it,
 * so that filters are in no log of requests, and a page needs no rule on the server.
 */
import { isZone } from "./times.js";
import { settings } from "./settings.svelte.js";

interface Route {
  path: readonly string[];
  query: URLSearchParams;
}

function read(): Route {
  const [path = "", query = ""] = location.hash.replace(/^#/, "").split("?", 2);
  return {
    path: path
      .split("/")
      .filter(Boolean)
      .map((part) => {
        try {
          return decodeURIComponent(part);
        } catch {
          return part;
        }
      }),
    query: new URLSearchParams(query),
  };
}

function takeZone(route: Route): Route {
  const zone = route.query.get("zone");
  if (zone !== null && isZone(zone)) settings.zone = zone;
  return route;
}

const current = $state<{ route: Route }>({ route: takeZone(read()) });
addEventListener("hashchange", () => (current.route = takeZone(read())));

export const route = {
  get page(): string {
    return current.route.path[0] ?? "overview";
  },
  get path(): readonly string[] {
    return current.route.path;
  },
  get(name: string): string {
    return current.route.query.get(name) ?? "";
  },
};

type Query = Record<string, string | undefined>;

/** The address of a view; the chosen zone goes with it, so that a link shows the same times. */
export function href(path: string, query: Query = {}): string {
  const params = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) if (value) params.set(name, value);
  if (settings.zone !== "UTC") params.set("zone", settings.zone);
  const text = params.toString();
  return `#/${path}${text ? "?" + text : ""}`;
}

export const pathOf = (...parts: string[]): string => parts.map(encodeURIComponent).join("/");

export function go(path: string, query: Query = {}): void {
  location.hash = href(path, query);
}

/** Change parts of the view; `replace` leaves no entry for Back, as for each letter typed. */
export function change(query: Query, replace = false): void {
  const params = new URLSearchParams(current.route.query);
  for (const [name, value] of Object.entries(query)) {
    if (value) params.set(name, value);
    else params.delete(name);
  }
  const text = params.toString();
  const url = `#/${pathOf(...(current.route.path.length ? current.route.path : ["overview"]))}${text ? "?" + text : ""}`;
  if (url === location.hash) return;
  if (replace) history.replaceState(null, "", url);
  else history.pushState(null, "", url);
  current.route = read();
}
