import type { CounterRandom } from "../../engine/random.ts";

/** A positive float64 from (0, 1]: its logarithm is finite. */
const open = (random: CounterRandom): number => 1 - random.uniform();

/** The logarithm of a Gamma(shape, 1) number (Marsaglia and Tsang 2000); logarithms, because small shapes underflow. */
function logGamma(random: CounterRandom, shape: number): number {
  if (shape < 1) return logGamma(random, shape + 1) + Math.log(open(random)) / shape;
  const d = shape - 1 / 3;
  const c = 1 / Math.sqrt(9 * d);
  for (;;) {
    const x = random.normal();
    const v = (1 + c * x) ** 3;
    const u = open(random);
    if (v > 0 && Math.log(u) < 0.5 * x * x + d - d * v + d * Math.log(v)) return Math.log(d) + Math.log(v);
  }
}

/** A number of Beta(a, b), both above 0. */
export function drawBeta(random: CounterRandom, a: number, b: number): number {
  const first = logGamma(random, a);
  return 1 / (1 + Math.exp(logGamma(random, b) - first));
}

/** `count` weights of the symmetric Dirichlet distribution; their sum is 1. */
export function drawDirichlet(random: CounterRandom, alpha: number, count: number): number[] {
  const logs = Array.from({ length: count }, () => logGamma(random, alpha));
  const highest = Math.max(...logs);
  const weights = logs.map((log) => Math.exp(log - highest));
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  return weights.map((weight) => weight / total);
}
