/** Where components and subjects stand in the graph, and the lines between them. */

export interface Part {
  readonly name: string;
  readonly role: string;
  readonly reads: readonly string[];
  readonly writes: readonly string[];
}

export interface Node {
  readonly id: string;
  readonly kind: "component" | "subject";
  readonly label: string;
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

export interface Edge {
  readonly id: string;
  readonly from: string;
  readonly to: string;
  /** The component at its one end. */
  readonly component: string;
  readonly subject: string;
  readonly isWrite: boolean;
  readonly path: string;
  readonly labelX: number;
  readonly labelY: number;
}

export interface Graph {
  readonly nodes: readonly Node[];
  readonly edges: readonly Edge[];
  readonly width: number;
  readonly height: number;
}

/** Whether two subjects, each perhaps with wildcards of NATS, can be the same one. */
export function meets(a: string, b: string): boolean {
  const left = a.split(".");
  const right = b.split(".");
  for (let at = 0; ; at += 1) {
    const one = left[at];
    const other = right[at];
    if (one === undefined || other === undefined) return one === other;
    if (one === ">" || other === ">") return true;
    if (one !== other && one !== "*" && other !== "*") return false;
  }
}

const LAYERS = ["ingestor", "strategy", "portfolio", "executor"];

/** Listeners that read everything would cover the picture with lines: they are drawn without. */
export const isListener = (part: Part): boolean => part.writes.length === 0 && part.role !== "executor" && part.role !== "portfolio" && part.role !== "strategy";

export function layOut(parts: readonly Part[], isTall: boolean): Graph {
  const shown = parts.filter((part) => LAYERS.includes(part.role));
  const layers = LAYERS.map((role) => shown.filter((part) => part.role === role)).filter((layer) => layer.length > 0);
  const layerOf = new Map(layers.flatMap((layer, at) => layer.map((part) => [part.name, at] as const)));
  const size = isTall ? { along: 60, across: 168 } : { along: 148, across: 60 };
  const pill = isTall ? { along: 24, across: 150 } : { along: 122, across: 24 };
  const gap = { along: isTall ? 40 : 42, across: 16 };

  // A subject that several parts write is one; it stands after the first layer that writes it.
  const subjects = [...new Set(shown.flatMap((part) => part.writes))].filter((subject) => shown.some((part) => part.reads.some((read) => meets(read, subject))));
  const writersOf = (subject: string) => shown.filter((part) => part.writes.includes(subject));
  const readersOf = (subject: string) => shown.filter((part) => part.reads.some((read) => meets(read, subject)));
  const slotOf = new Map(
    subjects.map((subject) => {
      const from = Math.min(...writersOf(subject).map((part) => layerOf.get(part.name) ?? 0));
      const to = Math.max(...readersOf(subject).map((part) => layerOf.get(part.name) ?? 0));
      return [subject, to > from ? from : Math.max(0, from - 1)] as const;
    }),
  );
  const isBack = (subject: string) => readersOf(subject).every((part) => (layerOf.get(part.name) ?? 0) <= Math.min(...writersOf(subject).map((each) => layerOf.get(each.name) ?? 0)));

  const extent = (items: number, across: number) => items * across + Math.max(0, items - 1) * gap.across;
  const forward = (slot: number) => subjects.filter((subject) => slotOf.get(subject) === slot && !isBack(subject));
  const backward = subjects.filter(isBack);
  const lane = 44;
  const inner = Math.max(...layers.map((layer) => extent(layer.length, size.across)), ...layers.map((_, at) => extent(forward(at).length, pill.across)), size.across);
  const middle = lane + inner / 2;

  const placed = new Map<string, { along: number; across: number; sizeAlong: number; sizeAcross: number }>();
  const columns: number[] = [];
  let along = 8;
  layers.forEach((layer, at) => {
    columns.push(along);
    const height = extent(layer.length, size.across);
    layer.forEach((part, index) => placed.set(`c:${part.name}`, { along, across: middle - height / 2 + index * (size.across + gap.across), sizeAlong: size.along, sizeAcross: size.across }));
    along += size.along;
    if (at < layers.length - 1) {
      along += gap.along;
      const here = forward(at);
      const tall = extent(here.length, pill.across);
      here.forEach((subject, index) => placed.set(`s:${subject}`, { along, across: middle - tall / 2 + index * (pill.across + gap.across), sizeAlong: pill.along, sizeAcross: pill.across }));
      along += (here.length > 0 || backward.length > 0 ? pill.along : 0) + gap.along;
    }
  });
  const laneAcross = lane + inner + 24;
  backward.forEach((subject, index) => {
    const slot = Math.min(slotOf.get(subject) ?? 0, layers.length - 2);
    placed.set(`s:${subject}`, { along: Math.max(8, (columns[Math.max(0, slot)] ?? 8) + size.along + gap.along), across: laneAcross + index * (pill.across + 12), sizeAlong: pill.along, sizeAcross: pill.across });
  });
  const total = { along: along + 8, across: laneAcross + (backward.length > 0 ? backward.length * (pill.across + 12) + 8 : 0) };

  const point = (a: number, b: number) => (isTall ? `${b} ${a}` : `${a} ${b}`);
  const edges: Edge[] = [];
  let laneIndex = 0;
  const connect = (from: string, to: string, component: string, subject: string, isWrite: boolean) => {
    const start = placed.get(from);
    const end = placed.get(to);
    if (!start || !end) return;
    let path: string;
    let labelAlong: number;
    let labelAcross: number;
    const startAcross = start.across + start.sizeAcross / 2;
    const endAcross = end.across + end.sizeAcross / 2;
    if (end.along <= start.along && isBack(subject)) {
      // Backwards, below everything: from the end of a part into its subject, and from there up into the reader.
      const startAlong = start.along + (isWrite ? start.sizeAlong / 2 : 0);
      const endAlong = isWrite ? end.along + end.sizeAlong : end.along + end.sizeAlong / 2;
      path = isWrite
        ? `M ${point(startAlong, start.across + start.sizeAcross)} C ${point(startAlong, endAcross)} ${point(startAlong, endAcross)} ${point(endAlong, endAcross)}`
        : `M ${point(startAlong, startAcross)} C ${point(endAlong, startAcross)} ${point(endAlong, startAcross)} ${point(endAlong, end.across + end.sizeAcross)}`;
      labelAlong = (startAlong + endAlong) / 2;
      labelAcross = isWrite ? endAcross : startAcross;
    } else {
      const startAlong = start.along + start.sizeAlong;
      const span = isWrite ? 0 : (layerOf.get(component) ?? 0) - (slotOf.get(subject) ?? 0);
      if (span > 1) {
        // Over what stands between, into the side of the reader.
        const laneAt = lane - 16 - (laneIndex % 3) * 8;
        laneIndex += 1;
        const endAlong = end.along + end.sizeAlong / 2;
        path = `M ${point(startAlong, startAcross)} C ${point(startAlong + 36, startAcross)} ${point(startAlong + 12, laneAt)} ${point(startAlong + 56, laneAt)} L ${point(endAlong - 24, laneAt)} Q ${point(endAlong, laneAt)} ${point(endAlong, end.across)}`;
        labelAlong = endAlong - 60;
        labelAcross = laneAt;
      } else {
        const half = (startAlong + end.along) / 2;
        path = `M ${point(startAlong, startAcross)} C ${point(half, startAcross)} ${point(half, endAcross)} ${point(end.along, endAcross)}`;
        labelAlong = half;
        labelAcross = (startAcross + endAcross) / 2;
      }
    }
    edges.push({ id: `${from} ${to}`, from, to, component, subject, isWrite, path, labelX: isTall ? labelAcross : labelAlong, labelY: isTall ? labelAlong : labelAcross });
  };
  for (const subject of subjects) {
    for (const part of writersOf(subject)) connect(`c:${part.name}`, `s:${subject}`, part.name, subject, true);
    for (const part of readersOf(subject)) connect(`s:${subject}`, `c:${part.name}`, part.name, subject, false);
  }

  const nodes = [...placed].map(([id, box]): Node => {
    const label = id.slice(2);
    const at = isTall ? { x: box.across, y: box.along, width: box.sizeAcross, height: box.sizeAlong } : { x: box.along, y: box.across, width: box.sizeAlong, height: box.sizeAcross };
    return { id, kind: id.startsWith("c:") ? "component" : "subject", label, ...at };
  });
  return { nodes, edges, width: isTall ? total.across : total.along, height: isTall ? total.along : total.across };
}
