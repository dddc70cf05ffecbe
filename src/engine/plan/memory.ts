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
 * the slabs grow least (greedy by size: Pisarchyk and Lee 2020, with the colouring added), or in their order, which is that of
 * time, whichever takes less. Where that leaves too much, the colours are improved and the slabs packed again.
 */
export function planMemory(lifetimes: readonly Lifetime[], maxSlab: number, reuse = true): MemoryPlan {
  if (!reuse) return separate(lifetimes);
  const byTime = lifetimes.map((_, index) => index);
  const bySize = [...byTime].sort((a, b) => lifetimes[b].bytes - lifetimes[a].bytes || a - b);
  const plan = smaller(place(lifetimes, bySize, maxSlab), place(lifetimes, byTime, maxSlab));
  if (total(plan) <= enough * plan.lowerBound) return plan;
  return smaller(plan, place(lifetimes, bySize, maxSlab, recolour(lifetimes, plan)));
}

/** Colours are improved while a plan is this far above its lower bound. */
const enough = 1.15;
const rounds = 8;
const trialsOfRound = 500;
const kicksOfRound = 3;

const total = ({ slabs }: MemoryPlan): number => slabs.reduce((sum, bytes) => sum + bytes, 0);

const smaller = (a: MemoryPlan, b: MemoryPlan): MemoryPlan => (total(b) < total(a) ? b : a);

function largest(load: Float64Array): number {
  let most = 0;
  for (let step = 0; step < load.length; step++) most = Math.max(most, load[step]);
  return most;
}

/** The first step at which each slab holds most. */
const peaksOf = (loads: readonly Float64Array[]): number[] => loads.map((load) => load.indexOf(largest(load)));

/**
 * Slabs of values such that the sum over slabs of the most that each holds at one step is less. A trial exchanges two slabs along a
 * chain of values that must be apart (Kempe 1879) and is taken back if the sum grows. A round begins at the best colours so far
 * with a few exchanges that stay whatever they cost (iterated local search: Lourenço, Martin and Stützle 2003).
 */
function recolour(lifetimes: readonly Lifetime[], { placements, slabs, lowerBound }: MemoryPlan): number[] {
  // Numbers of a linear congruential generator, so that the same graph always gets the same plan.
  let state = 3;
  const below = (limit: number): number => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * limit);
  };
  let best = placements.map(({ slab }) => slab);
  let least = Number.POSITIVE_INFINITY;
  for (let round = 0; round < rounds && least > enough * lowerBound; round++) {
    let colours = best;
    let peaks = peaksOf(loadsOf(lifetimes, colours, slabs.length));
    let sum = 0;
    for (let trial = 0; trial < trialsOfRound; trial++) {
      const isAtPeak = (index: number): boolean => {
        const { from, to } = lifetimes[index];
        return from <= peaks[colours[index]] && peaks[colours[index]] <= to;
      };
      let first = below(colours.length);
      // Every other trial begins with a value that is alive where its slab holds most.
      while (trial % 2 === 0 && !isAtPeak(first)) first = below(colours.length);
      const one = colours[first];
      const other = (one + 1 + below(slabs.length - 1)) % slabs.length;
      const chain = new Set([first]);
      for (const index of chain)
        for (const next of lifetimes[index].apart)
          if (colours[next] === one || colours[next] === other) chain.add(next);
      const changed = colours.map((colour, index) => (!chain.has(index) ? colour : colour === one ? other : one));
      const loads = loadsOf(lifetimes, changed, slabs.length);
      const now = loads.reduce((held, load) => held + largest(load), 0);
      if (trial < kicksOfRound || now <= sum) [colours, peaks, sum] = [changed, peaksOf(loads), now];
    }
    if (sum < least) [best, least] = [colours, sum];
  }
  return best;
}

/** Bytes of each slab that are alive at each step; the loop that {@link recolour} spends its time in. */
function loadsOf(lifetimes: readonly Lifetime[], colours: readonly number[], slabs: number): Float64Array[] {
  let steps = 0;
  for (const { to } of lifetimes) steps = Math.max(steps, to + 2);
  const loads = Array.from({ length: slabs }, () => new Float64Array(steps));
  for (let index = 0; index < colours.length; index++) {
    const { bytes, from, to } = lifetimes[index];
    loads[colours[index]][from] += align(bytes);
    loads[colours[index]][to + 1] -= align(bytes);
  }
  for (const load of loads) for (let step = 1; step < load.length; step++) load[step] += load[step - 1];
  return loads;
}

/** Places the values in this order, each in the slab that grows least: of its colour, or without colours of those it may share. */
function place(
  lifetimes: readonly Lifetime[],
  order: readonly number[],
  maxSlab: number,
  colours?: readonly number[],
): MemoryPlan {
  const placements: (Placement | undefined)[] = lifetimes.map(() => undefined);
  const slabs: number[] = [];
  const members: number[][] = [];
  for (const index of order) {
    const value = lifetimes[index];
    const apart = new Set(value.apart.map((other) => placements[other]?.slab));
    const isForbidden = (slab: number): boolean =>
      colours ? members[slab]?.some((other) => colours[other] !== colours[index]) : apart.has(slab);
    let best: { slab: number; offset: number; growth: number } | undefined;
    for (let slab = 0; slab <= slabs.length; slab++) {
      if (isForbidden(slab)) continue;
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

const lowerBound = (lifetimes: readonly Lifetime[]): number =>
  largest(
    loadsOf(
      lifetimes,
      lifetimes.map(() => 0),
      1,
    )[0],
  );
