/** One method on every image, with the evidence for each map where it is asked for. */
import type { Classifier } from "../../nn/classifier.ts";
import { type Evidence, EvidenceBench, type Fill } from "../../xai/evidence/evidence.ts";
import type { Mask } from "../../xai/evidence/location.ts";
import type { Explanation, MethodOptions } from "../../xai/explanation.ts";
import { methodNamed } from "../../xai/methods.ts";
import type { CommandContext } from "../command.ts";
import type { LoadedImages } from "../images.ts";
import type { MethodResults } from "./outputs.ts";
import type { ChosenTarget } from "./targets.ts";

export interface EvidenceRequest {
  readonly fill: Fill;
  /** One for each image, where it is known. */
  readonly masks: readonly (Mask | undefined)[];
}

/** @param request null for maps alone */
export async function explainAll(
  classifier: Classifier,
  method: string,
  loaded: LoadedImages,
  targets: readonly ChosenTarget[],
  options: MethodOptions,
  request: EvidenceRequest | null,
  context: CommandContext,
): Promise<MethodResults> {
  return request === null
    ? mapsOf(classifier, method, loaded, targets, options, context)
    : judgedMapsOf(classifier, method, loaded, targets, options, request, context);
}

const imageOf = ({ files, pixels }: LoadedImages, index: number): Float32Array => {
  const size = pixels.length / files.length;
  return pixels.subarray(index * size, (index + 1) * size);
};

async function mapsOf(
  classifier: Classifier,
  method: string,
  loaded: LoadedImages,
  targets: readonly ChosenTarget[],
  options: MethodOptions,
  { terminal }: CommandContext,
): Promise<MethodResults> {
  const { title, create } = methodNamed(method);
  using explainer = await create(classifier.explainable, options);
  const explanations: Explanation[] = [];
  const progress = terminal.progress(title, targets.length);
  for (const [index, { target }] of targets.entries()) {
    explanations.push(...(await explainer.explain(imageOf(loaded, index), [target])));
    progress.update(index + 1);
  }
  progress.finish();
  return { method, explanations };
}

async function judgedMapsOf(
  classifier: Classifier,
  method: string,
  loaded: LoadedImages,
  targets: readonly ChosenTarget[],
  options: MethodOptions,
  { fill, masks }: EvidenceRequest,
  { terminal }: CommandContext,
): Promise<MethodResults> {
  const named = methodNamed(method);
  const progress = terminal.progress(`${named.title} and its evidence`, targets.length);
  using bench = await EvidenceBench.create(classifier.explainable, named, { ...options, fill });
  const explanations: Explanation[] = [];
  const evidence: Evidence[] = [];
  for (const [index, { target }] of targets.entries()) {
    progress.update(index, "this takes minutes with a large network on a processor");
    const image = imageOf(loaded, index);
    const explanation = await bench.explain(image, target);
    explanations.push(explanation);
    evidence.push(await bench.measureMap(explanation, image, target, masks[index]));
  }
  progress.finish();
  return { method, explanations, evidence };
}
