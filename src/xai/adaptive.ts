import { NonFiniteError } from "../engine/errors.ts";

export interface AdaptiveOptions {
  /** The largest relative completeness gap; default 1e-2. */
  readonly tolerance?: number;
  /** The largest relative L2 distance between the map and the one with half the points everywhere; default 3e-2. */
  readonly mapTolerance?: number;
  /** Default 1024. */
  readonly maxEvaluations?: number;
}

/** Where `maxEvaluations` is not given. */
export const usualEvaluations = 1024;

/** What an adaptive integral asks of the path: gradients at points of [0, 1], summed on the GPU with a weight for each panel. */
export interface PanelSums {
  /** Adds Σ_n weights[n, panel] · gradient(alphas[n]) to each panel's sum; returns the scores at the points. */
  readonly add: (alphas: Float32Array, weights: Float32Array) => Promise<Float32Array>;
  /** The panels' sums [panels, size] so far. */
  readonly read: () => Promise<Float32Array>;
}

export interface AdaptiveIntegral {
  /** ∫ gradient dα, [size]. */
  readonly integral: Float32Array;
  readonly scores: { readonly baseline: number; readonly image: number };
  readonly evaluations: number;
  /** The last relative distance between successive maps. */
  readonly mapChange: number;
  readonly converged: boolean;
}

/** Panels of equal width; each has its own number of points. */
export const panels = 16;

/** New points of one round, at most: small steps stop soon after the tolerances are met. */
const pointsPerRound = 16;

interface Panel {
  /** The panel has 2^level intervals. */
  level: number;
  /** The panel's integral with its points, and with every second one, times the direction. */
  map: Float32Array;
  coarse: Float32Array;
  /** ‖map − coarse‖². */
  change: number;
}

/**
 * Integrates gradients over [0, 1] by the trapezoid rule on panels that are refined one by one, those first that move the
 * map, or miss the score's change, the most for their cost. The rule nests, so halving the intervals of a panel keeps every
 * evaluation, and the panel's sum on the GPU only changes its factor. It ends when the map agrees with completeness and
 * with the map that takes every second point of every panel. `direction` is x − x₀: the map is direction · ∫ gradient.
 *
 * Gradients of a network of rectified units are piecewise constant along the path, so rules of higher order gain nothing.
 * @throws NonFiniteError when a score on the path is NaN or infinite.
 */
export async function integrateAdaptively(
  sums: PanelSums,
  direction: Float32Array,
  { tolerance = 1e-2, mapTolerance = 3e-2, maxEvaluations = usualEvaluations }: AdaptiveOptions = {},
): Promise<AdaptiveIntegral> {
  const path = new Path(sums);
  await path.add(Array.from({ length: panels + 1 }, (_, index) => index / panels));
  const empty = (): Float32Array => new Float32Array(direction.length);
  const state = Array.from({ length: panels }, (): Panel => ({ level: 0, map: empty(), coarse: empty(), change: 0 }));
  await refreshAll(state, [...state.keys()], sums, direction);
  let chosen = [...state.keys()];
  for (;;) {
    await path.add(chosen.flatMap((index) => midpoints(index, state[index].level)));
    for (const index of chosen) state[index].level++;
    await refreshAll(state, chosen, sums, direction);
    const [baseline, image] = [path.scoreAt(0), path.scoreAt(1)];
    const { mapChange, total, norm } = compare(state);
    const gap = Math.abs(total - (image - baseline));
    const isStill = mapChange <= mapTolerance * norm;
    const converged = isStill && gap <= tolerance * Math.abs(image - baseline);
    chosen = converged ? [] : choose(state, path, isStill, maxEvaluations - path.evaluations);
    if (chosen.length > 0) continue;
    const { evaluations } = path;
    const integral = integralOf(state, await sums.read(), direction.length);
    return { integral, scores: { baseline, image }, evaluations, mapChange: mapChange / (norm || 1), converged };
  }
}

/** The points of the path so far. */
class Path {
  #scores = new Map<number, number>();
  constructor(private readonly sums: PanelSums) {}

  get evaluations(): number {
    return this.#scores.size;
  }

  scoreAt(alpha: number): number {
    return this.#scores.get(alpha) as number;
  }

  /** Evaluates points. Those between two panels count half in each, as the trapezoid rule has it. */
  async add(alphas: readonly number[]): Promise<void> {
    const weights = new Float32Array(alphas.length * panels);
    alphas.forEach((alpha, row) => {
      const place = alpha * panels;
      const isEdge = Number.isInteger(place);
      if (place < panels) weights[row * panels + Math.floor(place)] = isEdge ? 0.5 : 1;
      if (isEdge && place > 0) weights[row * panels + place - 1] = 0.5;
    });
    const scores = await this.sums.add(Float32Array.from(alphas), weights);
    alphas.forEach((alpha, index) => {
      if (!Number.isFinite(scores[index]))
        throw new NonFiniteError(`expected finite scores on the path, got ${scores[index]} at α = ${alpha}`);
      this.#scores.set(alpha, scores[index]);
    });
  }
}

/** The points that halve the intervals of a panel. All are dyadic fractions, so they are exact. */
const midpoints = (panel: number, level: number): number[] =>
  Array.from({ length: 2 ** level }, (_, index) => (panel + (index + 0.5) / 2 ** level) / panels);

const widthOf = ({ level }: Panel): number => 1 / (panels * 2 ** level);

/** Reads the sums of panels that have new points; what they were before becomes the coarse map. */
async function refreshAll(
  state: readonly Panel[],
  changed: readonly number[],
  sums: PanelSums,
  direction: Float32Array,
): Promise<void> {
  const read = await sums.read();
  const size = direction.length;
  for (const index of changed) {
    const panel = state[index];
    [panel.map, panel.coarse] = [panel.coarse, panel.map];
    const { map, coarse } = panel;
    const factor = widthOf(panel);
    panel.change = 0;
    for (let at = 0; at < size; at++) {
      map[at] = factor * read[index * size + at] * direction[at];
      panel.change += (map[at] - coarse[at]) ** 2;
    }
  }
}

/** The sum and the norm of the whole map, and its distance from the whole coarse map. */
function compare(state: readonly Panel[]): { mapChange: number; total: number; norm: number } {
  let [change, total, norm] = [0, 0, 0];
  for (let at = 0; at < state[0].map.length; at++) {
    let [value, coarse] = [0, 0];
    for (const panel of state) {
      value += panel.map[at];
      coarse += panel.coarse[at];
    }
    change += (value - coarse) ** 2;
    total += value;
    norm += value ** 2;
  }
  return { mapChange: Math.sqrt(change), total, norm: Math.sqrt(norm) };
}

/** The panels to refine next: the largest error for the cost, until a round's points are spent or the limit is reached. */
function choose(state: readonly Panel[], path: Path, isStill: boolean, left: number): number[] {
  const gapOf = (index: number): number => {
    const rise = path.scoreAt((index + 1) / panels) - path.scoreAt(index / panels);
    return state[index].map.reduce((sum, value) => sum + value, -rise);
  };
  const gain = state.map((panel, index) => (isStill ? gapOf(index) ** 2 : panel.change) / 2 ** panel.level);
  const ranked = [...state.keys()].sort((a, b) => gain[b] - gain[a]);
  const chosen: number[] = [];
  let points = 0;
  for (const index of ranked) {
    const cost = 2 ** state[index].level;
    if (points + cost > left) continue;
    chosen.push(index);
    points += cost;
    if (points >= pointsPerRound) break;
  }
  return chosen;
}

function integralOf(state: readonly Panel[], sums: Float32Array, size: number): Float32Array {
  const integral = new Float32Array(size);
  state.forEach((panel, index) => {
    const factor = widthOf(panel);
    for (let at = 0; at < size; at++) integral[at] += factor * sums[index * size + at];
  });
  return integral;
}
