/** A value that needs memory while the steps `from` to `to` (inclusive) run. */
export interface Lifetime {
  readonly bytes: number;
  readonly from: number;
  readonly to: number;
  /** Values that a dispatch writes while it reads this one, or the reverse: they must not share a buffer. */
  readonly apart: readonly number[];
}

export interface Placement {
  readonly slab: number;
  readonly offset: number;
}

export interface MemoryPlan {
  readonly placements: readonly Placement[];
  readonly slabs: readonly number[];
  /** The largest sum of bytes alive at one step: no plan can use less. */
  readonly lowerBound: number;
}

const alignment = 256;
export const align = (bytes: number): number => Math.ceil(bytes / alignment) * alignment;

/**
 * Colours values into slabs, then packs each slab. WebGPU tracks usage per buffer, so a dispatch may not read one part of a
 * buffer and write another: an output never shares a slab with its inputs. Values are placed largest first, each where
 * the slabs grow least (greedy by size: Pisarchyk and Lee 2020, with the colouring added). Where that leaves too much, a few
 * orders near it are tried.
 */
export function planMemory(lifetimes: readonly Lifetime[], maxSlab: number, reuse = true): MemoryPlan {
  if (!reuse) return separate(lifetimes);
  const bySize = lifetimes.map((_, index) => index).sort((a, b) => lifetimes[b].bytes - lifetimes[a].bytes || a - b);
  const byTime = lifetimes.map((_, index) => index).sort((a, b) => lifetimes[a].from - lifetimes[b].from || a - b);
  const plans = [bySize, byTime].map((order) => place(lifetimes, order, maxSlab));
  let best = plans.reduce((least, plan) => (total(plan) < total(least) ? plan : least));
  let state = 7;
  for (let trial = 0; trial < maxTrials && total(best) > enough * best.lowerBound; trial++) {
    // Numbers of a linear congruential generator, so that the same graph always gets the same plan.
    const keys = lifetimes.map(({ bytes }) => {
      state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
      return bytes * 2 ** (state / 2 ** 31 - 1);
    });
    const order = [...bySize].sort((a, b) => keys[b] - keys[a] || a - b);
    const plan = place(lifetimes, order, maxSlab);
    if (total(plan) < total(best)) best = plan;
  }
  return best;
}

/** Other orders are tried, sizes taken for up to twice or half of what they are, while a plan is this far above its lower bound. */
const enough = 1.15;
const maxTrials = 64;

const total = ({ slabs }: MemoryPlan): number => slabs.reduce((sum, bytes) => sum + bytes, 0);

function place(lifetimes: readonly Lifetime[], order: readonly number[], maxSlab: number): MemoryPlan {
  const placements: (Placement | undefined)[] = lifetimes.map(() => undefined);
  const slabs: number[] = [];
  const members: number[][] = [];
  for (const index of order) {
    const value = lifetimes[index];
    const forbidden = new Set(value.apart.map((other) => placements[other]?.slab));
    let best: { slab: number; offset: number; growth: number } | undefined;
    for (let slab = 0; slab <= slabs.length; slab++) {
      if (forbidden.has(slab)) continue;
      const offset = firstFit(value, members[slab] ?? [], lifetimes, placements as Placement[]);
      const end = offset + align(value.bytes);
      if (end > maxSlab && offset > 0) continue;
      const growth = Math.max(0, end - (slabs[slab] ?? 0));
      if (!best || growth < best.growth) best = { slab, offset, growth };
      if (growth === 0) break;
    }
    const { slab, offset } = best as { slab: number; offset: number };
    placements[index] = { slab, offset };
    slabs[slab] = Math.max(slabs[slab] ?? 0, offset + align(value.bytes));
    members[slab] ??= [];
    members[slab].push(index);
  }
  return { placements: placements as Placement[], slabs, lowerBound: lowerBound(lifetimes) };
}

/** The lowest offset of a slab that is free for the whole lifetime of the value. */
function firstFit(
  value: Lifetime,
  members: readonly number[],
  lifetimes: readonly Lifetime[],
  placements: readonly Placement[],
): number {
  const busy = members
    .filter((other) => lifetimes[other].from <= value.to && value.from <= lifetimes[other].to)
    .map((other) => ({
      start: placements[other].offset,
      end: placements[other].offset + align(lifetimes[other].bytes),
    }))
    .sort((a, b) => a.start - b.start);
  let offset = 0;
  for (const { start, end } of busy) {
    if (start - offset >= align(value.bytes)) break;
    offset = Math.max(offset, end);
  }
  return offset;
}

function separate(lifetimes: readonly Lifetime[]): MemoryPlan {
  return {
    placements: lifetimes.map((_, slab) => ({ slab, offset: 0 })),
    slabs: lifetimes.map(({ bytes }) => align(bytes)),
    lowerBound: lowerBound(lifetimes),
  };
}

function lowerBound(lifetimes: readonly Lifetime[]): number {
  const change = new Map<number, number>();
  for (const { bytes, from, to } of lifetimes) {
    change.set(from, (change.get(from) ?? 0) + align(bytes));
    change.set(to + 1, (change.get(to + 1) ?? 0) - align(bytes));
  }
  let alive = 0;
  let most = 0;
  for (const step of [...change.keys()].sort((a, b) => a - b)) {
    alive += change.get(step) as number;
    most = Math.max(most, alive);
  }
  return most;
}
