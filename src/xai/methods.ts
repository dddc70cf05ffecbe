import { UsageError } from "../engine/errors.ts";
import type { Explanation, Method, MethodOptions, Target } from "./explanation.ts";
import type { ExplainableModel } from "./model.ts";

/** Every method by its name. */
export const methods: Readonly<Record<string, Method>> = {};

/** @throws UsageError when there is no such method. */
export function methodNamed(name: string): Method {
  const method = methods[name];
  if (!method) throw new UsageError(`expected a method of ${Object.keys(methods).join(", ")}, found "${name}"`);
  return method;
}

export interface ExplainOptions extends MethodOptions {
  /** Default `gradcam`. */
  readonly method?: string;
  /** One for all images, or one each. */
  readonly target: Target | { readonly each: readonly Target[] };
}

/**
 * Explains images by one method: pixels [N, H, W, 3] of 0 to 255 → an explanation each. To explain more images with the
 * same method, keep the explainer that `methodNamed(name).create(model, options)` makes: it compiles once.
 */
export async function explain(
  model: ExplainableModel,
  pixels: Float32Array,
  { method = "gradcam", target, ...options }: ExplainOptions,
): Promise<Explanation[]> {
  const [height, width] = model.inputSize;
  const count = pixels.length / (height * width * 3);
  const targets = typeof target === "object" && "each" in target ? target.each : new Array(count).fill(target);
  using explainer = await methodNamed(method).create(model, options);
  return explainer.explain(pixels, targets);
}
