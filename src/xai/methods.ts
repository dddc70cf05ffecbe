import { GraphError, ShapeError, UsageError } from "../engine/errors.ts";
import { createCamExplainer, createExactCam } from "./camExplainer.ts";
import type { CamRule } from "./camPlan.ts";
import { gradCamPlusPlusRule, hiResCamRule, layerCamRule } from "./camRules.ts";
import { createEigenCam } from "./eigenCam.ts";
import { checkExactCam } from "./exactCam.ts";
import type { Explanation, Method, MethodOptions, Target, WorkOptions } from "./explanation.ts";
import { gradCamRule } from "./gradCam.ts";
import { createInputXGradient, createSaliency, createSmoothGrad, createVarGrad } from "./gradientMethods.ts";
import type { ExplainableModel } from "./model.ts";
import { checkOptions } from "./options.ts";
import {
  createBlurIntegratedGradients,
  createGuidedIntegratedGradients,
  createIntegratedGradients,
} from "./pathMethods.ts";
import { createOcclusion, createRise } from "./perturbation.ts";
import { createScoreCam } from "./scoreCam.ts";

const entry = (
  name: string,
  title: string,
  family: Method["family"],
  create: Method["create"],
  check?: Method["check"],
): readonly [string, Method] => [
  name,
  {
    ...{ name, title, family, check },
    async create(model, options = {}) {
      checkOptions(options);
      return await create(model, options);
    },
  },
];

const cam = (name: string, title: string, rule: CamRule): readonly [string, Method] =>
  entry(name, title, "cam", (model, options) => createCamExplainer(name, rule, model, options));

/** Every method by its name. */
export const methods: Readonly<Record<string, Method>> = Object.fromEntries([
  cam("gradcam", "Grad-CAM", gradCamRule),
  cam("gradcam++", "Grad-CAM++", gradCamPlusPlusRule),
  cam("hirescam", "HiResCAM", hiResCamRule),
  cam("layercam", "LayerCAM", layerCamRule),
  entry("exactcam", "exact CAM", "cam", createExactCam, checkExactCam),
  entry("eigencam", "EigenCAM", "cam", createEigenCam),
  entry("scorecam", "Score-CAM", "cam", createScoreCam),
  entry("saliency", "saliency", "gradient", createSaliency),
  entry("input-x-gradient", "input × gradient", "gradient", createInputXGradient),
  entry("smoothgrad", "SmoothGrad", "gradient", createSmoothGrad),
  entry("vargrad", "VarGrad", "gradient", createVarGrad),
  entry("ig", "Integrated Gradients", "path", createIntegratedGradients),
  entry("blur-ig", "Blur IG", "path", createBlurIntegratedGradients),
  entry("guided-ig", "Guided IG", "path", createGuidedIntegratedGradients),
  entry("occlusion", "occlusion", "perturbation", createOcclusion),
  entry("rise", "RISE", "perturbation", createRise),
]);

export const methodNames: readonly string[] = Object.keys(methods);

/** @throws UsageError when there is no such method. */
export function methodNamed(name: string): Method {
  const method = methods[name];
  if (!method) throw new UsageError(`expected a method of ${methodNames.join(", ")}, found "${name}"`);
  return method;
}

/** Every method that can explain a model at these layers, and why the others cannot. */
export function methodsFor(
  model: ExplainableModel,
  options: MethodOptions = {},
): {
  readonly able: readonly Method[];
  readonly unable: readonly { readonly method: string; readonly reason: string }[];
} {
  const able: Method[] = [];
  const unable: { method: string; reason: string }[] = [];
  for (const method of Object.values(methods))
    try {
      method.check?.(model, options);
      able.push(method);
    } catch (error) {
      if (!(error instanceof GraphError)) throw error;
      unable.push({ method: method.name, reason: error.message });
    }
  return { able, unable };
}

export interface ExplainRequest extends MethodOptions, WorkOptions {
  /** Default `gradcam`. */
  readonly method?: string;
  /** One for all images, or one each. */
  readonly target: Target | { readonly each: readonly Target[] };
}

/**
 * Explains images by one method: pixels [N, H, W, 3] of 0 to 255 → an explanation each. To explain more images with the
 * same method, keep the explainer that `methodNamed(name).create(model, options)` makes: it compiles once.
 * @throws ShapeError for pixels of another size, UsageError for an unknown method or what is no target; GraphError for a class or
 * layer that the model lacks.
 */
export async function explain(
  model: ExplainableModel,
  pixels: Float32Array,
  { method = "gradcam", target, signal, onProgress, ...options }: ExplainRequest,
): Promise<Explanation[]> {
  const [height, width] = model.inputSize;
  const count = pixels.length / (height * width * 3);
  if (!Number.isInteger(count) || count === 0)
    throw new ShapeError(
      `expected images of ${height} × ${width} × 3 values, found ${pixels.length} values; bring them to the model's size`,
    );
  const targets =
    typeof target === "object" && target !== null && "each" in target ? target.each : new Array(count).fill(target);
  using explainer = await methodNamed(method).create(model, options);
  return await explainer.explain(pixels, targets, { signal, onProgress });
}
