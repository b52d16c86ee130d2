/** Eight colours for categories, after Okabe and Ito and tuned for both themes; the same name has the same one on every page. */
const LIGHT = ["#0b6fb8", "#c05a00", "#00806a", "#a23b82", "#7a6a00", "#5a55c8", "#a83232", "#4b5563"];
const DARK = ["#5ab0f0", "#f0a04b", "#35c4a5", "#e08cc4", "#d6c04a", "#a5a1ff", "#ff8f85", "#a8b3c2"];

export function colourIndex(name: string): number {
  let hash = 2166136261;
  for (let at = 0; at < name.length; at += 1) hash = Math.imul(hash ^ name.charCodeAt(at), 16777619);
  return (hash >>> 0) % LIGHT.length;
}

export const colour = (name: string, dark: boolean): string => (dark ? DARK : LIGHT)[colourIndex(name)] as string;
export const palette = (dark: boolean): readonly string[] => (dark ? DARK : LIGHT);
