import { type Activation, compileActivations } from "./activations.ts";
import { camExplanation } from "./camExplainer.ts";
import { checkImages, type LayerMaps } from "./camPlan.ts";
import type { Explainer, MethodOptions } from "./explanation.ts";
import type { ExplainableModel } from "./model.ts";

/**
 * The eigenvector of the largest eigenvalue of a symmetric matrix [n, n] that is positive semidefinite, by cyclic Jacobi
 * rotations (Golub and Van Loan, Matrix Computations, 8.5). Its sign is arbitrary.
 */
export function topEigenvector(matrix: Float64Array, n: number): { value: number; vector: Float64Array } {
  const a = matrix.slice();
  const vectors = new Float64Array(n * n);
  for (let i = 0; i < n; i++) vectors[i * n + i] = 1;
  const total = a.reduce((sum, value) => sum + value * value, 0);
  for (let sweep = 0; sweep < 60; sweep++) {
    let off = 0;
    for (let p = 0; p < n; p++) for (let q = p + 1; q < n; q++) off += a[p * n + q] ** 2;
    if (off <= 1e-28 * total) break;
    for (let p = 0; p < n; p++) for (let q = p + 1; q < n; q++) rotate(a, vectors, n, p, q);
  }
  let top = 0;
  for (let i = 1; i < n; i++) if (a[i * n + i] > a[top * n + top]) top = i;
  return { value: a[top * n + top], vector: Float64Array.from({ length: n }, (_, i) => vectors[i * n + top]) };
}

/** One Jacobi rotation in the plane of axes p and q, which makes element (p, q) zero. */
function rotate(a: Float64Array, vectors: Float64Array, n: number, p: number, q: number): void {
  const apq = a[p * n + q];
  if (apq === 0) return;
  const tau = (a[q * n + q] - a[p * n + p]) / (2 * apq);
  const t = Math.sign(tau || 1) / (Math.abs(tau) + Math.sqrt(1 + tau * tau));
  const c = 1 / Math.sqrt(1 + t * t);
  const s = t * c;
  const turn = (data: Float64Array, first: number, second: number): void => {
    const [x, y] = [data[first], data[second]];
    data[first] = c * x - s * y;
    data[second] = s * x + c * y;
  };
  for (let k = 0; k < n; k++) turn(a, k * n + p, k * n + q);
  for (let k = 0; k < n; k++) turn(a, p * n + k, q * n + k);
  for (let k = 0; k < n; k++) turn(vectors, k * n + p, k * n + q);
}

/** x [rows, columns] times its transpose, over the shorter side. */
function gram(x: Float64Array, rows: number, columns: number): { matrix: Float64Array; size: number } {
  const byRows = rows <= columns;
  const size = byRows ? rows : columns;
  const length = byRows ? columns : rows;
  const [step, along] = byRows ? [columns, 1] : [1, columns];
  const matrix = new Float64Array(size * size);
  for (let i = 0; i < size; i++)
    for (let j = i; j < size; j++) {
      let dot = 0;
      for (let k = 0; k < length; k++) dot += x[i * step + k * along] * x[j * step + k * along];
      matrix[i * size + j] = dot;
      matrix[j * size + i] = dot;
    }
  return { matrix, size };
}

/**
 * EigenCAM (Muhammad and Yeasin 2020) as pytorch-grad-cam has it: the places of an activation [h·w, C], centred over the
 * places, projected on their first principal axis. An axis has no sign of its own: it is chosen so that the map agrees
 * with where the activation is strong.
 */
export function firstComponent({ values, height, width, channels }: Omit<Activation, "layer">): Float32Array {
  const places = height * width;
  const centred = Float64Array.from(values);
  for (let c = 0; c < channels; c++) {
    let mean = 0;
    for (let place = 0; place < places; place++) mean += values[place * channels + c] / places;
    for (let place = 0; place < places; place++) centred[place * channels + c] -= mean;
  }
  const { matrix, size } = gram(centred, places, channels);
  const { value, vector } = topEigenvector(matrix, size);
  const map = new Float64Array(places);
  let agreement = 0;
  for (let place = 0; place < places; place++) {
    const row = centred.subarray(place * channels, (place + 1) * channels);
    map[place] =
      size === places
        ? vector[place] * Math.sqrt(Math.max(0, value))
        : row.reduce((sum, entry, c) => sum + entry * vector[c], 0);
    agreement += map[place] * row.reduce((sum, entry) => sum + entry, 0);
  }
  return Float32Array.from(map, (entry) => (agreement < 0 ? -entry : entry));
}

/** EigenCAM says what a layer sees, whatever the target. */
export async function createEigenCam(
  model: ExplainableModel,
  { layers, signed = false }: MethodOptions = {},
): Promise<Explainer> {
  const activations = await compileActivations(model, layers);
  const context = { method: "eigencam", inputSize: model.inputSize, signed, cost: { forwards: 1, gradients: 0 } };
  return {
    async explain(pixels, targets) {
      checkImages(model, pixels, targets.length);
      const size = pixels.length / targets.length;
      const results = [];
      for (let index = 0; index < targets.length; index++) {
        const found = await activations.run(pixels.subarray(index * size, (index + 1) * size));
        const maps = found.map((activation): LayerMaps => {
          const map = firstComponent(activation);
          return { ...activation, maps: signed ? map : map.map((value) => Math.max(0, value)) };
        });
        results.push(camExplanation(maps, 0, targets[index], context));
      }
      return results;
    },
    dispose: () => activations.dispose(),
    [Symbol.dispose]: () => activations.dispose(),
  };
}
