/** Which class of each image is explained. */
import { UsageError } from "../../engine/errors.ts";
import type { Classifier } from "../../nn/classifier.ts";
import type { Target } from "../../xai/explanation.ts";
import type { LoadedImages } from "../images.ts";
import { type ClassScore, readLabels, topClasses } from "../labels.ts";

export interface ChosenTarget {
  readonly target: Target;
  readonly class: number;
  readonly label: string;
  readonly probability: number;
  /** The class that it is held against. */
  readonly versus?: Pick<ClassScore, "class" | "label" | "probability">;
}

export interface TargetOptions {
  /** `top`, a class number, or a class name. */
  readonly target: string;
  /** Like `target`; `second` is the likeliest of the others. */
  readonly versus?: string;
  /** A file of class names. */
  readonly labels?: string;
}

/** One class of an image's ranking. */
function pick(ranked: readonly ClassScore[], wanted: string, option: string): ClassScore {
  if (wanted === "top") return ranked[0];
  const number = Number(wanted);
  const found = ranked.find((entry) =>
    Number.isInteger(number) ? entry.class === number : entry.label.toLowerCase() === wanted.toLowerCase(),
  );
  if (!found)
    throw new UsageError(
      `${option} expects top, a class name or a number from 0 to ${ranked.length - 1}, found "${wanted}"`,
    );
  return found;
}

/** @throws UsageError for a class that the model does not have, or one held against itself. */
export async function chooseTargets(
  classifier: Classifier,
  { files, pixels }: LoadedImages,
  { target, versus, labels }: TargetOptions,
): Promise<ChosenTarget[]> {
  const { logits, probabilities, classes } = await classifier.predict(pixels);
  const names = labels === undefined ? classifier.classNames : readLabels(labels, classes);
  return files.map((file, index) => {
    const range = [index * classes, (index + 1) * classes] as const;
    const ranked = topClasses(logits.subarray(...range), probabilities.subarray(...range), classes, names);
    const chosen = pick(ranked, target, "--target");
    const { class: chosenClass, label, probability } = chosen;
    if (versus === undefined) return { target: chosenClass, class: chosenClass, label, probability };
    const other =
      versus === "second" ? (ranked.find((entry) => entry !== chosen) as ClassScore) : pick(ranked, versus, "--versus");
    if (other === chosen)
      throw new UsageError(`${file}: expected another class than ${label} for --versus; use --versus second`);
    return {
      target: { class: chosenClass, versus: other.class },
      class: chosenClass,
      label,
      probability,
      versus: { class: other.class, label: other.label, probability: other.probability },
    };
  });
}
