type Style = Partial<Record<string, string | undefined>>;

/** Set properties of an element's style through its object, which the policy of the server allows. */
export function css(node: HTMLElement | SVGElement, style: Style) {
  const set = (next: Style) => {
    for (const [name, value] of Object.entries(next)) node.style.setProperty(name, value ?? null);
  };
  set(style);
  return { update: set };
}

/** Tint an element for 600 ms whenever the value changes. */
export function changed(node: HTMLElement, value: unknown) {
  let last = value;
  return {
    update(next: unknown) {
      if (next === last) return;
      last = next;
      node.classList.remove("changed");
      void node.offsetWidth;
      node.classList.add("changed");
    },
  };
}

export async function copy(text: string): Promise<void> {
  await navigator.clipboard.writeText(text);
}
