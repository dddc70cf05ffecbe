/** What a practical leaves beside its report. */
import { writeFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { embeddedWeights } from "../../nn/formats/embedded.node.ts";
import { saveModel } from "../../nn/formats/files.node.ts";
import { sha256 } from "../../nn/formats/model.ts";
import { historyCsv } from "../../nn/history.ts";
import { EMBEDDED } from "../model.ts";
import { savedPolicy } from "../policy.ts";
import type { Material } from "./material.ts";
import type { Side, Tested } from "./pair.ts";
import type { PracticalSettings } from "./reporting.ts";

/** SHA-256 of a file of weights; null where there is none. */
export const hashOf = async (path: string | undefined): Promise<string | null> =>
  path === undefined ? null : sha256(new Uint8Array(await readFile(path === EMBEDDED ? embeddedWeights() : path)));

/** The chosen model, and its history beside the report. */
export async function saveChosen(
  settings: PracticalSettings,
  material: Material,
  { classifier, outcome, recipe }: Tested,
  chosen: Side,
): Promise<void> {
  const { train, validation, test } = material;
  const policy = savedPolicy(chosen === "augmented" ? settings.policy : null);
  const manifest = classifier.manifest({
    seed: settings.seed,
    splits: { train: train.names, validation: validation.names, test: test.names },
    training: { ...recipe, policy, best: outcome.best },
  });
  await saveModel(join(settings.out, "model"), { manifest, tensors: await classifier.tensors() });
  const { history, best } = outcome;
  writeFileSync(join(settings.out, "history.json"), `${JSON.stringify({ history, best }, null, 2)}\n`);
  writeFileSync(join(settings.out, "history.csv"), historyCsv(history));
}

/** Seconds by stage. */
export class Clock {
  readonly seconds: Record<string, number> = {};
  async time<T>(stage: string, work: () => Promise<T>): Promise<T> {
    const started = performance.now();
    const result = await work();
    this.seconds[stage] = (performance.now() - started) / 1000;
    return result;
  }
}
