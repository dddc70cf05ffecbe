import { mkdirSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { type ShortcutKind, shortcutKinds } from "../../data/petals-shortcut.ts";
import { encodePng } from "../../data/png.node.ts";
import type { Device } from "../../engine/device.ts";
import { UsageError } from "../../engine/errors.ts";
import type { Classifier } from "../../nn/classifier.ts";
import { type Stem, stems } from "../../nn/formats/manifest.ts";
import { renderEvidencePage } from "../../report/evidencePage.ts";
import type { EvidenceReport, MapSheet, RandomLabelReport } from "../../report/evidenceTypes.ts";
import { renderExplanation } from "../../xai/display.ts";
import { edgeControl } from "../../xai/evidence/edgeControl.ts";
import { type Evidence, EvidenceBench, type Fill, fills } from "../../xai/evidence/evidence.ts";
import { type RankedMethod, rankMethods, summarise } from "../../xai/evidence/ranking.ts";
import type { ShortcutFinding } from "../../xai/evidence/shortcut.ts";
import type { Method } from "../../xai/explanation.ts";
import { methodNamed, methods } from "../../xai/methods.ts";
import type { RgbImage } from "../../xai/overlay.ts";
import { type CommandContext, defineCommand } from "../command.ts";
import { dataOptions } from "../dataset.ts";
import { withDevice } from "../device.ts";
import { ableMethods } from "../explain/ableMethods.ts";
import { imageAt } from "../explain/outputs.ts";
import { loadClassifier } from "../model.ts";
import { drawPetals } from "../practical/material.ts";
import { trainSmallCnn } from "../practical/training.ts";
import type { Terminal } from "../terminal.ts";
import { DriftStudy } from "../xaiBench/drift.ts";
import { type BenchImage, dataImages, drawTestPetals, petalImages } from "../xaiBench/material.ts";
import { type PointingRow, playPointing, pointAtCentre } from "../xaiBench/pointing.ts";
import { checkRandomLabels, trainLabelPair } from "../xaiBench/randomLabels.ts";
import { fineMaps, judgeShortcut, shortcutSheet, trainShortcutPair } from "../xaiBench/shortcuts.ts";
import { pointingWords, randomLabelWords, rankingTable } from "../xaiBench/table.ts";

interface Settings {
  readonly model?: string;
  readonly weights?: string;
  readonly data?: string;
  readonly root?: string;
  readonly size?: number;
  readonly methods: readonly string[];
  readonly layer: readonly string[];
  readonly images: number;
  readonly fill: Fill;
  readonly shortcut?: ShortcutKind;
  readonly sanity: boolean;
  readonly pointing?: number;
  readonly drift: boolean;
  readonly seed: number;
  readonly epochs: number;
  readonly stem: Stem;
  readonly out: string;
}

export const command = defineCommand({
  name: "xai-bench",
  summary: "rank the methods of explanation on a model and data set by their evidence and cost",
  usage: "[--model DIR | --weights FILE] [--data NAME|DIR|FILE] [--methods NAME]... [options]",
  positionals: [],
  options: {
    model: { type: "path", exists: "folder", help: "a folder written by train; without it, smallCnn learns petals" },
    weights: { type: "path", exists: "file", help: "a Keras .h5, .keras or .safetensors file with a head" },
    data: { ...dataOptions.data, help: `${dataOptions.data.help}; petals, with masks, when left out` },
    root: dataOptions.root,
    size: {
      type: "integer",
      min: 32,
      help: "edge of the model's input, else the model's own; 64 where a network is trained",
    },
    methods: {
      type: "choice",
      choices: Object.keys(methods),
      multiple: true,
      help: "only these; repeat the option for several; all when left out",
    },
    layer: {
      type: "string",
      multiple: true,
      placeholder: "NAME",
      help: "layer of the CAM family, else the last spatial activation",
    },
    images: { type: "integer", min: 1, max: 1000, default: 4, help: "images that the evidence is gathered on" },
    fill: { type: "choice", choices: fills, default: "blur", help: "what stands for removed pixels in the curves" },
    sanity: {
      type: "boolean",
      help: "also plant a map that draws the picture's edges, and hold maps against those of a network that learned shuffled labels",
    },
    pointing: {
      type: "integer",
      min: 1,
      max: 1000,
      help: "also play the pointing game on so many petals, by maps alone",
    },
    shortcut: {
      type: "choice",
      choices: shortcutKinds,
      help: "also train a network that can cheat and an honest one on petals, and see which methods expose the cheat",
    },
    drift: { type: "boolean", help: "also follow the best method's maps through augmentations and corruptions" },
    seed: { type: "integer", min: 0, default: 1, help: "decides drawings, first weights, controls and noise" },
    epochs: { type: "integer", min: 1, default: 6, help: "passes over petals where a network is trained" },
    stem: {
      type: "choice",
      choices: stems,
      default: "cifar",
      help: "start of a network that is trained: cifar keeps the resolution, for finer maps; imagenet takes a third of the time",
    },
    out: { type: "path", default: "xai-bench", placeholder: "DIR", help: "folder for evidence.json and evidence.html" },
  },
  examples: [
    ["tepal xai-bench", "all methods on smallCnn and petals, where the truth is known"],
    [
      "tepal xai-bench --model runs/flowers --data flower_photos --methods gradcam --methods ig",
      "two methods on photographs",
    ],
    ["tepal xai-bench --methods gradcam --shortcut corner", "does it find the cheat?"],
    ["tepal xai-bench --methods gradcam --methods saliency --sanity", "do maps follow what the network has learned?"],
    ["tepal xai-bench --model runs/petals --methods gradcam --pointing 200", "do the peaks lie on the flowers?"],
  ],
  async run(args, context) {
    if (args.data !== undefined && args.model === undefined && args.weights === undefined)
      throw new UsageError("--data needs --model DIR or --weights FILE; petals are learned from scratch");
    if (args.pointing !== undefined && args.data !== undefined && args.data !== "petals")
      throw new UsageError("--pointing needs masks, which only petals have; leave --data out");
    const settings = {
      ...args,
      fill: args.fill as Fill,
      stem: args.stem as Stem,
      shortcut: args.shortcut as ShortcutKind | undefined,
    };
    return withDevice((device, adapter) => runBench(device, adapter, settings, context));
  },
});

async function runBench(device: Device, adapter: string, settings: Settings, context: CommandContext): Promise<object> {
  const { out, seed, images: count } = settings;
  const tested = await subject(device, settings, context);
  const { classifier, images, data, network } = tested;
  const { ranked, sheet } = await gather(classifier, images, settings, context);
  const cheat = settings.shortcut ? await judgeCheat(device, settings.shortcut, settings, context) : null;
  const best = ranked.find(({ method }) => method !== edgeControl.name) as RankedMethod;
  const result: EvidenceReport = {
    ...{ data, network, adapter, images: images.length, seed, fill: settings.fill, ranked },
    drift: settings.drift ? await followMaps(tested, best.method, settings, context) : null,
    shortcuts: cheat?.findings ?? [],
    randomLabels: settings.sanity ? await shuffleLabels(device, settings, context) : null,
    pointing: settings.pointing ? await point(classifier, settings.pointing, settings, context) : [],
  };
  mkdirSync(out, { recursive: true });
  const page = resolve(out, "evidence.html");
  writeFileSync(page, renderEvidencePage(result, { ranked: sheet, shortcut: cheat?.sheet ?? null }, encodePng));
  writeFileSync(join(out, "evidence.json"), `${JSON.stringify({ ...result, count }, null, 2)}\n`);
  context.print(rankingTable(ranked));
  for (const { method, words } of result.shortcuts) context.print(`${method}: ${words}`);
  for (const check of result.randomLabels?.checks ?? []) context.print(randomLabelWords(check));
  for (const row of result.pointing) context.print(pointingWords(row));
  context.print(page);
  await classifier.dispose();
  return { ...result, page };
}

interface Subject {
  readonly classifier: Classifier;
  readonly images: readonly BenchImage[];
  readonly data: string;
  readonly network: string;
}

/** The model under test and the images: given ones, or petals and a network that learns them first. */
async function subject(device: Device, settings: Settings, { terminal }: CommandContext): Promise<Subject> {
  const { data, model, weights, seed, images: count } = settings;
  const given = model !== undefined || weights !== undefined;
  if (data !== undefined && data !== "petals") {
    const classifier = await loadClassifier(device, settings);
    const images = await dataImages(classifier, { data, root: settings.root, seed }, count, terminal);
    return { classifier, images, data, network: (model ?? weights) as string };
  }
  if (given) {
    const classifier = await loadClassifier(device, { model, weights, size: settings.size });
    const images = await petalImages(classifier, drawTestPetals(seed, classifier.inputSize, count), count);
    return { classifier, images, data: "petals", network: (model ?? weights) as string };
  }
  const material = drawPetals(seed, terminal, { size: settings.size });
  const { classifier } = await trainSmallCnn(device, material, trainingOf(settings), terminal);
  const images = await petalImages(classifier, { ...material.test, masks: material.testMasks }, count);
  return { classifier, images, data: "petals", network: "smallCnn, trained here" };
}

/** How the practical trains on petals. */
const trainingOf = ({ epochs, seed, stem }: Settings) => ({
  ...{ epochs, seed, stem },
  ...{ batch: 16, learningRate: 1e-2, policy: null },
});

/** With `--sanity` the planted control comes last. */
const chosenMethods = ({ explainable }: Classifier, settings: Settings, terminal: Terminal): Method[] => [
  ...(settings.methods.length > 0
    ? settings.methods.map(methodNamed)
    : ableMethods(explainable, methodOptions(settings), terminal)),
  ...(settings.sanity ? [edgeControl] : []),
];

const methodOptions = ({ layer, seed }: Settings) => ({ seed, ...(layer.length > 0 ? { layers: layer } : {}) });

/** Images that the page shows the maps of. */
const sheetImages = 4;
const sheetCaption = "Maps of the class that the network answers, which is named above; each on a scale of its own.";

async function gather(
  classifier: Classifier,
  images: readonly BenchImage[],
  settings: Settings,
  { terminal }: CommandContext,
): Promise<{ ranked: RankedMethod[]; sheet: MapSheet }> {
  const chosen = chosenMethods(classifier, settings, terminal);
  const progress = terminal.progress("gathering evidence", chosen.length * images.length);
  const summaries = [];
  const shown = images.slice(0, sheetImages);
  const photographs = shown.map(({ pixels }) => imageAt(pixels, classifier.inputSize, 0));
  const rows: MapSheet["rows"][number][] = [{ title: "the picture", pictures: photographs }];
  for (const [place, method] of chosen.entries()) {
    const { name } = method;
    const options = { ...methodOptions(settings), fill: settings.fill };
    using bench = await EvidenceBench.create(classifier.explainable, method, options);
    const evidence: Evidence[] = [];
    const pictures: RgbImage[] = [];
    let seconds = 0;
    for (const [index, { pixels, predicted, mask }] of images.entries()) {
      const started = performance.now();
      const explanation = await bench.explain(pixels, predicted);
      seconds += (performance.now() - started) / 1000 / images.length;
      if (index < shown.length) pictures.push(renderExplanation(photographs[index], explanation));
      evidence.push(await bench.measureMap(explanation, pixels, predicted, mask));
      progress.update(place * images.length + index + 1, name);
    }
    summaries.push(summarise(name, evidence, seconds));
    rows.push({ title: name, pictures });
  }
  progress.finish();
  const heads = shown.map(({ predicted, name }) => classifier.classNames?.[predicted] ?? name);
  return { ranked: rankMethods(summaries), sheet: { caption: sheetCaption, heads, rows } };
}

/** Fewer flowers say little of a drop in accuracy; of other data as many images as of the other evidence. */
const driftPetals = 20;

async function followMaps(
  { classifier, images: given, data }: Subject,
  name: string,
  settings: Settings,
  { terminal }: CommandContext,
): Promise<NonNullable<EvidenceReport["drift"]>> {
  const more = data === "petals" && given.length < driftPetals;
  const images = more
    ? await petalImages(classifier, drawTestPetals(settings.seed, classifier.inputSize, driftPetals), driftPetals)
    : given;
  using explainer = await methodNamed(name).create(classifier.explainable, methodOptions(settings));
  const study = await DriftStudy.create(classifier, explainer, images, settings.seed);
  return { method: name, images: images.length, rows: await study.run(terminal) };
}

/** Enough images for the area under the curve to mean something. */
const shortcutImages = 40;

async function judgeCheat(
  device: Device,
  kind: ShortcutKind,
  settings: Settings,
  { terminal }: CommandContext,
): Promise<{ findings: (ShortcutFinding & { method: string })[]; sheet: MapSheet }> {
  const pair = await trainShortcutPair(device, kind, trainingOf(settings), settings.size, terminal);
  const [finest, options] = [methodNamed(fineMaps.method), { layers: fineMaps.layers }];
  const fine = await judgeShortcut(pair, finest, options, shortcutImages);
  const sheet = await shortcutSheet(pair, finest, options, sheetImages);
  const findings = [{ ...fine, method: `${fineMaps.method} at ${fineMaps.layers.join(" and ")}` }];
  const chosen = chosenMethods(pair.honest, settings, terminal).filter((method) => method !== edgeControl);
  // What most people draw stands beside the finer maps, asked for or not.
  for (const method of new Set([methodNamed("gradcam"), ...chosen]))
    findings.push(await judgeShortcut(pair, method, methodOptions(settings), shortcutImages));
  await pair.cheat.dispose();
  await pair.honest.dispose();
  return { findings, sheet };
}

/** The random label test, on as many images as the other evidence. */
async function shuffleLabels(
  device: Device,
  settings: Settings,
  { terminal }: CommandContext,
): Promise<RandomLabelReport> {
  const pair = await trainLabelPair(device, trainingOf(settings), settings.images, terminal);
  const checks = [];
  for (const method of chosenMethods(pair.trained, settings, terminal))
    checks.push(await checkRandomLabels(pair, method, methodOptions(settings), settings.images));
  await pair.trained.dispose();
  await pair.random.dispose();
  return { known: pair.known, images: settings.images, checks };
}

/** The pointing game of every chosen method, after that of a map that always points at the centre. */
async function point(
  classifier: Classifier,
  count: number,
  settings: Settings,
  { terminal }: CommandContext,
): Promise<PointingRow[]> {
  const images = await petalImages(classifier, drawTestPetals(settings.seed, classifier.inputSize, count), count);
  const rows = [pointAtCentre(images, classifier.inputSize)];
  for (const method of chosenMethods(classifier, settings, terminal))
    rows.push(await playPointing(classifier, method, methodOptions(settings), images, terminal));
  return rows;
}
