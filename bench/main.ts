import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { Plugin } from "esbuild";
import { Device } from "../src/engine/device.ts";
import { ParameterStore } from "../src/engine/parameters.ts";
import { type OpenedGpu, openGpu } from "../src/engine/softwareAdapter.node.ts";
import { loadWeights } from "../src/nn/formats/files.node.ts";
import { watchBuffers } from "./bufferWatch.ts";
import { measureColdStart } from "./coldStart.ts";
import { encodeAndSubmit, plannedMemory } from "./engineFacts.ts";
import type { Engine } from "./engines/engine.ts";
import { fill, tepalEngine } from "./engines/tepal.ts";
import { log } from "./log.ts";
import { type Material, seededMaterial } from "./material.ts";
import { type MeasureOptions, measureWorkload, type WorkloadResult } from "./measure.ts";
import { withFolds } from "./network.ts";
import { checkNames, type Options, readOptions, usage } from "./options.ts";
import { root } from "./paths.ts";
import { hasPeers, installHint, loadPeer, offerGpu, type PeerName, peerNames } from "./peers.ts";
import { printReport, reportOf } from "./print.ts";
import { measureSizes } from "./size.ts";
import { coldStart, workloads } from "./workloads.ts";

export const ownVersion = (): string => JSON.parse(readFileSync(join(root, "package.json"), "utf8")).version;

/** Rounds for the full run, where a round may take minutes, and for a look. */
export const measureOptions = ({ quick, rounds }: Options): MeasureOptions => ({
  rounds: rounds ?? (quick ? 3 : 15),
  budgetSeconds: quick ? 10 : 120,
  leastRounds: rounds ?? (quick ? 1 : 3),
  log,
});

/** The Keras weights of the course, where they lie beside the repository; else seeded ones. */
const kerasWeights = join(root, "../shared/weights/mobilenet_v2_weights_tf_dim_ordering_tf_kernels_1.0_224.h5");

export async function loadMaterial({ weights }: Options): Promise<Material> {
  const path = weights ?? (existsSync(kerasWeights) ? kerasWeights : null);
  if (path === null) return seededMaterial();
  const { tensors } = await loadWeights(path);
  const copies = Array.from(tensors, ([name, { shape, data }]) => [name, { shape, data }] as const);
  return { source: "Keras' ImageNet weights", weights: withFolds(new Map(copies)) };
}

async function openPeers(wanted: readonly PeerName[], { quick, patient }: Options): Promise<Engine[]> {
  const engines: Engine[] = [];
  for (const name of wanted) {
    try {
      engines.push(await loadPeer(name, { integrationBatches: quick ? [5] : [1, 5, 10], patient, gradients: true }));
    } catch (error) {
      log(`${name} is left out: ${(error as Error).message.split("\n")[0]}`);
    }
  }
  return engines;
}

const wantedBy =
  ({ only }: Options) =>
  (name: string): boolean =>
    only.length === 0 || only.includes(name);

async function measureAll(engines: readonly Engine[], material: Material, options: Options): Promise<WorkloadResult[]> {
  const isWanted = wantedBy(options);
  const results: WorkloadResult[] = [];
  const how = measureOptions(options);
  for (const workload of workloads)
    if (isWanted(workload.name)) results.push(await measureWorkload(engines, workload, material, how));
  if (isWanted(coldStart)) {
    const peers = engines.slice(1).map(({ name }) => name);
    results.push(await measureColdStart(peers, material, { ...how, rounds: Math.min(how.rounds, 5) }));
  }
  return results;
}

/** What is told of this engine alone, besides times. */
async function engineFacts({ adapter, description }: OpenedGpu, material: Material, quick: boolean, rawText: Plugin) {
  const device = await Device.open(adapter, description);
  const parameters = fill(new ParameterStore(device), material.weights);
  return {
    encodeAndSubmitMilliseconds: await encodeAndSubmit(device, parameters, quick ? 10 : 50),
    activationMemory: await plannedMemory(device, parameters),
    bundles: await measureSizes(rawText, hasPeers()),
  };
}

export async function main(args: readonly string[], rawText: Plugin): Promise<void> {
  if (args.includes("--help")) {
    process.stdout.write(usage);
    return;
  }
  const options = readOptions(args);
  checkNames("--only", options.only, [...workloads.map(({ name }) => name), coldStart]);
  checkNames("--peers", options.peers ?? [], peerNames);
  if (!hasPeers()) log(`the peers are not installed, so this engine runs alone; install them: ${installHint}`);
  const opened = await openGpu();
  watchBuffers();
  const device = await Device.open(opened.adapter, opened.description);
  offerGpu(opened.gpu);
  const wanted = peerNames.filter((name) => hasPeers() && (options.peers?.includes(name) ?? true));
  const engines = [tepalEngine(device, ownVersion()), ...(await openPeers(wanted, options))];
  const material = await loadMaterial(options);
  log(`${opened.description}; ${material.source}; ${engines.map(({ name }) => name).join(", ")}`);
  const results = await measureAll(engines, material, options);
  const versions = Object.fromEntries(engines.map(({ name, version }) => [name, version]));
  const report = reportOf(
    { adapter: opened.description, versions: { ...versions, webgpu: dawnVersion(), node: process.version } },
    results,
    { weights: material.source, engine: await engineFacts(await openGpu(), material, options.quick, rawText) },
  );
  process.stdout.write(options.json ? `${JSON.stringify(report, null, 2)}\n` : printReport(report, options.markdown));
  if (engines.length - 1 < wanted.length || results.some(({ faults }) => faults > 0)) process.exitCode = 1;
}

const dawnVersion = (): string =>
  JSON.parse(readFileSync(join(root, "node_modules/webgpu/package.json"), "utf8")).version;
