import { readFileSync } from "node:fs";
import { FileError } from "../engine/errors.ts";

/**
 * One class name a line. A leading WordNet id (`n01440764 tench`) is taken off, and so is the line `background` that TensorFlow's
 * lists of 1001 classes begin with.
 */
export function readLabels(path: string, classes: number): string[] {
  const lines = readFileSync(path, "utf8")
    .split(/\r?\n/)
    .map((line) => line.trim().replace(/^n\d{8}\s+/, ""))
    .filter((line) => line.length > 0);
  if (lines.length === classes + 1 && lines[0] === "background") lines.shift();
  if (lines.length !== classes)
    throw new FileError(
      `${path}: expected ${classes} class names, one a line, found ${lines.length}; give the labels of this model`,
    );
  return lines;
}

export interface ClassScore {
  readonly class: number;
  readonly label: string;
  readonly probability: number;
  readonly logit: number;
}

/** The k most probable classes of one image. */
export function topClasses(
  logits: Float32Array,
  probabilities: Float32Array,
  k: number,
  names: readonly string[] | null,
): ClassScore[] {
  const order = [...probabilities.keys()].sort((a, b) => probabilities[b] - probabilities[a] || a - b);
  return order.slice(0, k).map((index) => ({
    class: index,
    label: names?.[index] ?? `class ${index}`,
    probability: probabilities[index],
    logit: logits[index],
  }));
}
