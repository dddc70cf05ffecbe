import { mkdirSync, writeFileSync } from "node:fs";
import { resolve } from "node:path";
import { encodePng } from "../../data/png.node.ts";
import type { Device } from "../../engine/device.ts";
import { UsageError } from "../../engine/errors.ts";
import type { ClassifierDescription } from "../../nn/classifier.ts";
import { evaluateLogits } from "../../nn/metrics.ts";
import type { NotebookRow, ScratchComparison } from "../../report/answers.ts";
import type { Language } from "../../report/language.ts";
import { renderReport } from "../../report/report.ts";
import type { RobustnessResult } from "../../report/robustness.ts";
import { type CommandContext, defineCommand } from "../command.ts";
import { withDevice } from "../device.ts";
import { EMBEDDED, readClassifier } from "../model.ts";
import { namedPolicy, savedPolicy } from "../policy.ts";
import { tellSecondsLeft, type Work } from "../practical/estimate.ts";
import { chooseImages, explainTest, testPredictions } from "../practical/explaining.ts";
import { KeptParts } from "../practical/kept.ts";
import { measureLooking } from "../practical/looking.ts";
import { drawPetals, loadPhotographs, type Material, petalsSize } from "../practical/material.ts";
import { notebookCosts } from "../practical/notebook.ts";
import { briefPetals, defaultSize, defaults, extents, practicalOptions } from "../practical/options.ts";
import { sides, type Tested, type TrainedPair, trainPair } from "../practical/pair.ts";
import { backboneKnowledge, type PracticalSettings, reportData } from "../practical/reporting.ts";
import { Clock, hashOf, saveChosen } from "../practical/results.ts";
import { compareWithScratch } from "../practical/scratch.ts";
import { trainFrozenBackbone, trainSmallCnn } from "../practical/training.ts";
import { heldImages } from "../robustness/held.ts";
import { measureRobustness, type RobustnessOptions } from "../robustness/measure.ts";
import { imagesHash } from "../train/folder.ts";

export const command = defineCommand({
  name: "practical",
  summary: "the whole job: train with and without augmentation, measure, explain, and answer the practical's questions",
  usage: "[--data NAME|DIR|FILE [--root DIR]] [--weights FILE] [--lang en|es] [--out DIR] [options]",
  positionals: [],
  options: practicalOptions,
  examples: [
    [
      "tepal practical",
      "draws petals, trains two heads on the package's backbone, answers the five questions; no network, no GPU needed",
    ],
    ["tepal practical --network smallCnn", "the same with a small network from scratch"],
    [
      "tepal practical --data flower_photos --weights mobilenet_v2.h5 --lang es --out runs/flowers",
      "the practical on photographs, its report in Spanish",
    ],
    [
      "tepal practical --data flower_photos --weights mobilenet_v2.h5 --compat notebook",
      "also what the notebook's mistakes cost",
    ],
  ],
  async run({ lr, explain, data, resume, ...rest }, context) {
    const args = { ...rest, data: data === "petals" ? undefined : data };
    if (args.split !== undefined && args.data === undefined) throw new UsageError("--split needs --data DIR");
    if (args.policy === "none")
      throw new UsageError("--policy names what the second model gets, found none; choose basic, advanced or a file");
    if (args.network !== undefined && args.weights !== undefined)
      throw new UsageError("expected one of --weights FILE and --network NAME, found both; keep one");
    const weights = args.network === undefined ? (args.weights ?? EMBEDDED) : undefined;
    const suited = defaults[weights === undefined ? "smallCnn" : args.data || args.full ? "head" : "briefHead"];
    const settings: PracticalSettings = {
      ...args,
      weights,
      resumesParts: resume,
      scratch: args.scratch || args.full,
      size: args.size ?? (weights === undefined && args.data === undefined ? undefined : defaultSize),
      resize: args.resize as "tf" | "aspect",
      policyName: args.policy,
      policy: namedPolicy(args.policy),
      lang: args.lang as Language,
      epochs: args.epochs ?? suited.epochs,
      batch: args.batch ?? suited.batch,
      learningRate: lr ?? suited.learningRate,
      count: explain ?? extents[args.full ? "full" : "brief"].count,
    };
    mkdirSync(settings.out, { recursive: true });
    return withDevice((device, adapter) => new Practical(device, adapter, settings, context).run());
  },
});

/** One run, stage by stage. */
class Practical {
  readonly #clock = new Clock();

  constructor(
    private readonly device: Device,
    private readonly adapter: string,
    private readonly settings: PracticalSettings,
    private readonly context: CommandContext,
  ) {}

  get #extent() {
    return extents[this.settings.full ? "full" : "brief"];
  }

  async run(): Promise<object> {
    const { settings, context, adapter } = this;
    context.terminal.line(`adapter: ${adapter}`);
    const material = await this.#clock.time("material", () => this.#material());
    const backbone = await this.#backbone();
    const kept = await this.#kept(material);
    const pair = await this.#clock.time("training", () => this.#train(material, backbone, kept));
    const model = pair.models[pair.effect.chosen];
    const robustness = await this.#clock.time("robustness", () => this.#robustness(material, pair, kept));
    const explained = await this.#clock.time("explanations", () => this.#explain(material, model));
    const scratch =
      settings.scratch && backbone
        ? await this.#clock.time("scratch", () => this.#scratch(pair.models.baseline, kept))
        : undefined;
    const notebook =
      settings.compat === undefined
        ? undefined
        : await this.#clock.time("notebook", () => this.#notebook(material, model, backbone));
    const { mistake, looking, ...pictures } = explained;
    const evaluation = evaluateLogits(model.logits, material.test.labels, material.classNames);
    const data = await reportData({
      settings,
      material,
      model,
      evaluation,
      answers: { augmentation: pair.effect, looking, mistake },
      robustness,
      ...pictures,
      scratch,
      notebook,
      adapter,
      version: context.version,
      weightsHash: await hashOf(settings.weights),
      backbone: backboneKnowledge(settings, material, model),
      timings: this.#clock.seconds,
    });
    const report = resolve(settings.out, "report.html");
    writeFileSync(report, renderReport(data, encodePng));
    await saveChosen(settings, material, model, pair.effect.chosen);
    await kept.remove();
    const counts = { train: material.train.count, validation: material.validation.count, test: evaluation.count };
    await this.#close(material, pair);
    const { accuracy, loss } = evaluation;
    const { best, history } = model.outcome;
    context.terminal.line(
      `${pair.effect.chosen}: test accuracy ${accuracy.toFixed(4)}, loss ${loss.toFixed(4)} on ${evaluation.count} images; best epoch ${best.epoch}`,
    );
    context.print(report);
    return {
      report,
      adapter,
      accuracy,
      loss,
      best,
      history,
      augmentation: pair.effect,
      robustness,
      looking,
      ...(scratch ? { scratch } : {}),
      ...(notebook ? { notebook } : {}),
      images: counts,
      broken: material.broken,
      timings: this.#clock.seconds,
    };
  }

  async #material(size = this.settings.size): Promise<Material> {
    const { settings, context } = this;
    const { data, weights, full } = settings;
    if (data === undefined) {
      const perClass = weights === undefined || full ? undefined : briefPetals;
      return drawPetals(settings.seed, context.terminal, { size, perClass });
    }
    if (size === undefined) throw new UsageError("expected a size for photographs, found none; give --size");
    return loadPhotographs({ ...settings, data }, { ...settings, inputSize: [size, size] }, context.terminal);
  }

  async #backbone(): Promise<ClassifierDescription | null> {
    const { weights, size, resize } = this.settings;
    return weights === undefined ? null : readClassifier({ weights, size, resize });
  }

  /** What an interruption must not cost; all of it follows from these choices. */
  async #kept({ train, validation, test }: Material): Promise<KeptParts> {
    const { settings, adapter, context } = this;
    const { weights, size, resize, seed, epochs, batch, learningRate, full, scratchSize } = settings;
    const choices = {
      ...{ size, resize, seed, epochs, batch, learningRate, full, scratchSize, adapter, tepal: context.version },
      policy: savedPolicy(settings.policy),
      weights: await hashOf(weights),
      images: await imagesHash([train, validation, test]),
    };
    return KeptParts.open({ out: settings.out, resume: settings.resumesParts, choices }, context.terminal);
  }

  #train(material: Material, backbone: ClassifierDescription | null, kept: KeptParts): Promise<TrainedPair> {
    const { device, settings, context } = this;
    const { seeds, corruptions } = this.#extent;
    const { terminal } = context;
    return trainPair(
      material,
      {
        settings,
        policy: settings.policy,
        seeds: Array.from({ length: seeds }, (_, place) => settings.seed + place),
        corruptions,
        train: async (choice) => {
          const side = choice.policy ? "augmented" : "baseline";
          const started = performance.now();
          let isMade = false;
          const trained = await kept.training(`${side}-${choice.seed}`, { device, material }, () => {
            isMade = true;
            return backbone
              ? trainFrozenBackbone(device, backbone, material, choice, terminal)
              : trainSmallCnn(device, material, choice, terminal);
          });
          if (isMade && side === "baseline" && choice.seed === settings.seed)
            tellSecondsLeft(this.#work(material, backbone !== null), (performance.now() - started) / 1000, terminal);
          return trained;
        },
      },
      terminal,
    );
  }

  #work({ train, validation, test }: Material, cached: boolean): Work {
    const { seeds, corruptions, severities, corrupted, mapped, curved } = this.#extent;
    const { epochs, count, scratch } = this.settings;
    return {
      ...{ train: train.count, validation: validation.count, test: test.count, seeds, epochs, cached },
      corrupted: Math.min(corrupted, test.count) * (1 + corruptions.length * severities.length),
      explained: count,
      mapped: Math.min(mapped, test.count),
      curved: Math.min(curved, test.count),
      scratch: scratch && cached ? train.count * scratchSettings(epochs).epochs : 0,
    };
  }

  async #robustness(
    { test, classNames }: Material,
    { models }: TrainedPair,
    kept: KeptParts,
  ): Promise<RobustnessResult> {
    const { corruptions, severities, corrupted } = this.#extent;
    const images = await heldImages(test, classNames, chooseImages(test.labels, classNames.length, corrupted));
    const named = sides.map((name) => ({ name, classifier: models[name].classifier }));
    const total = images.labels.length * (1 + corruptions.length * severities.length);
    const progress = this.context.terminal.progress("corrupting", total);
    const onProgress = (done: number, _: number, name: string) => progress.update(done, name);
    const keep: RobustnessOptions["keep"] = (name, measure) => kept.values(`corrupted-${name}`, measure);
    const options = { corruptions, severities, seed: this.settings.seed, onProgress, keep };
    const result = await measureRobustness(this.device, named, images, options);
    progress.finish();
    return result;
  }

  async #explain(material: Material, { classifier, logits }: Tested) {
    const { settings, context } = this;
    const predictions = testPredictions(logits, material.classNames.length);
    const { mapped, curved } = this.#extent;
    const explained = await explainTest(classifier, material, predictions, settings, context.terminal);
    const options = { mapped, curved, seed: settings.seed };
    const looking = await measureLooking(classifier, material, predictions, options, context.terminal);
    return { ...explained, looking };
  }

  /** The same images and parts again, at the size that suits a small network. */
  async #scratch(baseline: Tested, kept: KeptParts): Promise<ScratchComparison> {
    const { device, context } = this;
    const { scratchSize, seed, epochs } = this.settings;
    const stem = scratchSize < petalsSize ? "cifar" : "imagenet";
    const settings = { ...scratchSettings(epochs), stem, seed, policy: null } as const;
    context.terminal.line(`smallCnn from scratch, seed ${seed}: for comparison`);
    const material = await this.#material(scratchSize);
    const scratch = await kept.training("scratch", { device, material }, () =>
      trainSmallCnn(device, material, settings, context.terminal),
    );
    const comparison = await compareWithScratch(material, baseline, scratch);
    await Promise.all([material.train, material.validation, material.test].map((part) => part.close()));
    return comparison;
  }

  #notebook(
    material: Material,
    { classifier, logits }: Tested,
    backbone: ClassifierDescription | null,
  ): Promise<NotebookRow[]> {
    const { device, settings, context } = this;
    const predictions = testPredictions(logits, material.classNames.length);
    return notebookCosts({ device, material, classifier, predictions, backbone, settings }, context.terminal);
  }

  async #close({ train, validation, test }: Material, { models }: TrainedPair): Promise<void> {
    for (const side of sides) await models[side].classifier.dispose();
    await Promise.all([train, validation, test].map((part) => part.close()));
  }
}

/** The network from scratch starts from less: at least as many epochs as the head, at a rate of its own. */
const scratchSettings = (epochs: number) => ({
  ...defaults.smallCnn,
  epochs: Math.max(epochs, defaults.smallCnn.epochs),
});
