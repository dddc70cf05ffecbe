/** What stands for "all methods" on one model. */
import type { Method, MethodOptions } from "../../xai/explanation.ts";
import { methodsFor } from "../../xai/methods.ts";
import type { ExplainableModel } from "../../xai/model.ts";
import type { Terminal } from "../terminal.ts";

/** All methods that can explain the model at the layers asked for; those that cannot are named in a warning. */
export function ableMethods(model: ExplainableModel, options: MethodOptions, terminal: Terminal): readonly Method[] {
  const { able, unable } = methodsFor(model, options);
  for (const { method, reason } of unable) terminal.warn(`${method} is left out: ${reason}`);
  return able;
}
