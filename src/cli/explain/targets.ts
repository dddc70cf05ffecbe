/** Which class of each image is explained. */
import { UsageError } from "../../engine/errors.ts";
import type { Classifier } from "../../nn/classifier.ts";
import type { Target, WeightedClass } from "../../xai/explanation.ts";
import type { LoadedImages } from "../images.ts";
import { type ClassScore, readLabels, topClasses } from "../labels.ts";

export interface ChosenTarget {
  readonly target: Target;
  readonly class: number;
  /** Where several classes are explained together. */
  readonly classes?: readonly number[];
  readonly label: string;
  /** Of all classes that are explained. */
  readonly probability: number;
  /** The class that it is held against. */
  readonly versus?: Pick<ClassScore, "class" | "label" | "probability">;
}

export interface TargetOptions {
  /** `top`, a class number, or a class name; several with + between them. */
  readonly target: string;
  /** What the user called it. */
  readonly option: "--target" | "--class";
  /** One class; `second` is the likeliest of those that are not explained. */
  readonly versus?: string;
  /** A file of class names. */
  readonly labels?: string;
}

/** A list such as ImageNet's has several names for a class: `lion, king of beasts, Panthera leo`. */
const isNamed = (label: string, wanted: string): boolean =>
  [label, ...label.split(",")].some((name) => name.trim().toLowerCase() === wanted.toLowerCase());

/** One class of an image's ranking. */
function pick(ranked: readonly ClassScore[], wanted: string, option: string): ClassScore {
  if (wanted === "top") return ranked[0];
  const number = Number(wanted);
  const found =
    wanted !== "" && Number.isInteger(number)
      ? [ranked.find((entry) => entry.class === number)].filter((entry) => entry !== undefined)
      : ranked.filter((entry) => isNamed(entry.label, wanted));
  if (found.length > 1)
    throw new UsageError(
      `${option} "${wanted}" names the classes ${found.map((entry) => entry.class).join(" and ")}; give the number`,
    );
  if (found.length === 0)
    throw new UsageError(
      `${option} expects top, a class name or a number from 0 to ${ranked.length - 1}, found "${wanted}"`,
    );
  return found[0];
}

/** The classes of `a+b`; a name that holds a plus itself comes first. */
function pickSeveral(ranked: readonly ClassScore[], wanted: string, option: string): readonly ClassScore[] {
  const names = ranked.some((entry) => isNamed(entry.label, wanted)) ? [wanted] : wanted.split("+");
  return [...new Set(names.map((name) => pick(ranked, name.trim(), option)))];
}

/** @throws UsageError for a class that the model does not have, or one held against itself. */
export async function chooseTargets(
  classifier: Classifier,
  { files, pixels }: LoadedImages,
  { target, option, versus, labels }: TargetOptions,
): Promise<ChosenTarget[]> {
  const { logits, probabilities, classes } = await classifier.predict(pixels);
  const names = labels === undefined ? classifier.classNames : readLabels(labels, classes);
  return files.map((file, index) => {
    const range = [index * classes, (index + 1) * classes] as const;
    const ranked = topClasses(logits.subarray(...range), probabilities.subarray(...range), classes, names);
    const chosen = pickSeveral(ranked, target, option);
    const described = {
      class: chosen[0].class,
      ...(chosen.length > 1 ? { classes: chosen.map((entry) => entry.class) } : {}),
      label: chosen.map(({ label }) => label).join(" + "),
      probability: chosen.reduce((total, { probability }) => total + probability, 0),
    };
    if (versus === undefined) return { target: targetOf(chosen), ...described };
    const other = against(ranked, chosen, versus);
    if (other === undefined)
      throw new UsageError(`${file}: expected another class than ${described.label} for --versus; use --versus second`);
    const { class: otherClass, label, probability } = other;
    return { target: targetOf(chosen, other), ...described, versus: { class: otherClass, label, probability } };
  });
}

/** The class that others are held against; undefined for one of themselves. */
function against(ranked: readonly ClassScore[], chosen: readonly ClassScore[], versus: string): ClassScore | undefined {
  if (versus === "second") return ranked.find((entry) => !chosen.includes(entry));
  const other = pick(ranked, versus, "--versus");
  return chosen.includes(other) ? undefined : other;
}

function targetOf(chosen: readonly ClassScore[], other?: ClassScore): Target {
  const [first] = chosen;
  if (chosen.length === 1) return other ? { class: first.class, versus: other.class } : first.class;
  const weighted: WeightedClass[] = chosen.map((entry) => ({ class: entry.class, weight: 1 }));
  return other ? [...weighted, { class: other.class, weight: -1 }] : weighted;
}
