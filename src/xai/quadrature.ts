/** Points in [0, 1] and their weights. */
export interface Quadrature {
  readonly nodes: Float64Array;
  readonly weights: Float64Array;
}

export const quadratureRules = ["gauss-legendre", "linspace", "left", "right", "midpoint", "trapezoid"] as const;
export type QuadratureRule = (typeof quadratureRules)[number];

/** A rule of fixed length, or one that grows for each image until its map stands still. */
export type PathRule = QuadratureRule | "adaptive";

/**
 * A rule with this many evaluations. `linspace` is the plain mean over both ends that the course practical takes: neither
 * the trapezoid nor a left sum.
 */
export function quadrature(rule: QuadratureRule, steps: number): Quadrature {
  const at = (f: (index: number) => number): Float64Array =>
    Float64Array.from({ length: steps }, (_, index) => f(index));
  const even = new Float64Array(steps).fill(1 / steps);
  switch (rule) {
    case "gauss-legendre":
      return gaussLegendre(steps);
    case "linspace":
      return { nodes: at((index) => (steps === 1 ? 0 : index / (steps - 1))), weights: even };
    case "left":
      return { nodes: at((index) => index / steps), weights: even };
    case "right":
      return { nodes: at((index) => (index + 1) / steps), weights: even };
    case "midpoint":
      return { nodes: at((index) => (index + 0.5) / steps), weights: even };
    case "trapezoid": {
      if (steps === 1) return { nodes: at(() => 0.5), weights: even };
      const inner = 1 / (steps - 1);
      return {
        nodes: at((index) => index * inner),
        weights: at((index) => (index === 0 || index === steps - 1 ? inner / 2 : inner)),
      };
    }
    default:
      return rule satisfies never;
  }
}

/** Gauss–Legendre on [0, 1]: the roots of P_n by Newton's method from Tricomi's estimate (Press et al., Numerical Recipes, 4.6). */
function gaussLegendre(count: number): Quadrature {
  const nodes = new Float64Array(count);
  const weights = new Float64Array(count);
  for (let index = 0; index < count; index++) {
    let x = -Math.cos((Math.PI * (index + 0.75)) / (count + 0.5));
    let derivative = 1;
    for (let iteration = 0; iteration < 100; iteration++) {
      const { value, slope } = legendre(count, x);
      derivative = slope;
      const step = value / slope;
      x -= step;
      if (Math.abs(step) < 1e-16) break;
    }
    nodes[index] = (x + 1) / 2;
    weights[index] = 1 / ((1 - x * x) * derivative * derivative);
  }
  return { nodes, weights };
}

/** P_n(x) and its derivative by the three-term recurrence. */
function legendre(degree: number, x: number): { value: number; slope: number } {
  let previous = 1;
  let value = x;
  for (let n = 2; n <= degree; n++) [previous, value] = [value, ((2 * n - 1) * x * value - (n - 1) * previous) / n];
  return { value, slope: (degree * (x * value - previous)) / (x * x - 1) };
}
