import { writeFileSync } from "node:fs";
import { resamplings } from "../../data/augment/assemble.ts";
import { Augmentation } from "../../data/augment/augmentation.ts";
import { type Mode, modes } from "../../data/augment/layer.ts";
import { formatAddress, parseAddress, type SampleAddress } from "../../data/augment/parameters.ts";
import { describePolicy, type Policy, parsePolicy, policyToJson } from "../../data/augment/policy.ts";
import { readImage } from "../../data/decode.node.ts";
import { type Image, toImage } from "../../data/images.ts";
import { encodePng } from "../../data/png.node.ts";
import { fitImage } from "../../data/resize.ts";
import { UsageError } from "../../engine/errors.ts";
import { augmentAt, gridRows } from "../augment/grid.ts";
import { drawTimelines } from "../augment/timeline.ts";
import { type CommandContext, defineCommand } from "../command.ts";
import { withDevice } from "../device.ts";
import { drawSheet } from "../drawing/sheet.ts";
import { toJson } from "../json.ts";
import { namedPolicy } from "../policy.ts";

/** A built-in policy or one from a file, with the mixing layer appended; without `--policy` a mix is only a mix. */
function choosePolicy(name: string | undefined, mix: "mixup" | "cutmix" | undefined, alpha: number): Policy {
  const chosen = name ?? (mix ? undefined : "basic");
  const layers = chosen === undefined ? [] : (policyToJson(namedPolicy(chosen)) as { layers: object[] }).layers;
  if (!mix) return namedPolicy(chosen as string);
  const mixing = { type: mix === "mixup" ? "mixUp" : "cutMix", alpha };
  const named = chosen === undefined ? undefined : namedPolicy(chosen);
  return parsePolicy({
    name: [named?.name, mix].filter(Boolean).join("+"),
    fill: named?.fill,
    fillValue: named?.fillValue,
    layers: [...layers, mixing],
  });
}

function parseGrid(text: string): { columns: number; rows: number } {
  const match = /^(\d{1,2})x(\d{1,2})$/.exec(text);
  const [columns, rows] = (match ?? []).slice(1).map(Number);
  if (!match || columns < 1 || rows < 1)
    throw new UsageError(`--grid expects COLUMNSxROWS such as 3x3, found "${text}"`);
  return { columns, rows };
}

/** The middle of a photograph, as the networks see it. */
async function readSquare(path: string, size: number): Promise<Image> {
  const target = { height: size, width: size };
  return toImage(fitImage(await readImage(path), target, "aspect"), target);
}

/** The policy and everything drawn, beside the picture: what is needed to make it again. */
function writeRecord(out: string, record: object): string {
  const path = `${out.replace(/\.png$/i, "")}.json`;
  writeFileSync(path, `${toJson(record)}\n`);
  return path;
}

interface Request {
  readonly image: string;
  readonly other?: string;
  readonly policy: Policy;
  readonly mode: Mode;
  readonly resample: (typeof resamplings)[number];
  readonly size: number;
  readonly seed: number;
  readonly epoch: number;
  readonly grid: string;
  readonly replay?: string;
  readonly out: string;
}

/** A contact sheet, or with an address the one image that it stands for. */
async function augmentImage(request: Request, { print }: CommandContext): Promise<object> {
  const { policy, mode, resample, size, seed, epoch, replay, out } = request;
  const image = await readSquare(request.image, size);
  const other = request.other === undefined ? undefined : await readSquare(request.other, size);
  const augmentation = new Augmentation(policy, { height: size, width: size, mode, resample });
  const { columns, rows } = parseGrid(request.grid);
  const originals = other ? [image, other] : [image];
  const isSheet = replay === undefined;
  const count = Math.max(1, columns * rows - originals.length);
  const addresses: SampleAddress[] = isSheet
    ? Array.from({ length: count }, (_, id) => ({ seed, epoch, id }))
    : [parseAddress(replay)];
  return withDevice(async (device, adapter) => {
    const made = await augmentAt(device, augmentation, { image, other }, addresses);
    const { height, width } = augmentation.outputSize;
    const fitted = originals.map((original) => toImage(fitImage(original, { height, width }, "tf"), { height, width }));
    const cells = fitted.map((each, index) => ({ image: each, label: other ? `original ${"ab"[index]}` : "original" }));
    writeFileSync(out, encodePng(isSheet ? drawSheet(gridRows(augmentation, cells, made, columns)) : made[0].image));
    const drawn = made.map(({ address, parameters }) => ({ address: formatAddress(address), parameters }));
    const result = { adapter, out, size, mode, resample, policy: policyToJson(policy), images: drawn };
    print(describePolicy(policy));
    print(
      `${out}: ${isSheet ? `${made.length} images from ${formatAddress(addresses[0])} on` : formatAddress(addresses[0])}`,
    );
    print(`${writeRecord(out, result)}: the policy and the parameters of each image`);
    return result;
  });
}

async function timeline(path: string, size: number, out: string, { print }: CommandContext): Promise<object> {
  const image = await readSquare(path, size);
  return withDevice(async (device, adapter) => {
    const rows = await drawTimelines(device, image);
    writeFileSync(out, encodePng(drawSheet(rows)));
    print(`${out}: ${rows.length} operations at rising strength`);
    return { adapter, out, size, operations: rows.map(({ title }) => title) };
  });
}

export const command = defineCommand({
  name: "augment",
  summary: "show what an augmentation policy does to an image, or make one augmented image again",
  usage: "IMAGE [OTHER] [--policy basic|advanced|FILE] [--grid 3x3] --out FILE.png",
  positionals: [
    { name: "image", type: "path", exists: "file", required: true, help: "a JPEG, PNG or WebP file" },
    { name: "other", type: "path", exists: "file", help: "the partner of --mix" },
  ],
  options: {
    policy: {
      type: "string",
      placeholder: "NAME|FILE",
      help: "basic, advanced or a JSON file; without it basic, or with --mix nothing but the mix",
    },
    grid: {
      type: "string",
      default: "3x3",
      placeholder: "CxR",
      help: "columns and rows of the sheet; the first image is the original",
    },
    out: {
      type: "path",
      default: "augmented.png",
      help: "the picture; a JSON file beside it keeps the policy and the parameters",
    },
    seed: { type: "integer", default: 1, min: 0, max: 0xffffffff, help: "of the addresses seed:epoch:id" },
    epoch: { type: "integer", default: 0, min: 0, max: 0xffffffff, help: "of the addresses" },
    size: { type: "integer", min: 16, max: 2048, help: "edge in pixels, else 224, with --timeline 96" },
    mode: { type: "choice", choices: modes, default: "documented", help: "whose laws the parameters follow" },
    resample: {
      type: "choice",
      choices: resamplings,
      default: "fused",
      help: "one interpolation, or one for each geometric layer",
    },
    mix: { type: "choice", choices: ["mixup", "cutmix"], help: "mix with the image OTHER" },
    alpha: { type: "number", default: 1, min: 0.01, max: 100, help: "of Beta(α, α), which says how much is mixed" },
    timeline: { type: "boolean", help: "one operation at rising strength per row" },
    replay: {
      type: "string",
      placeholder: "SEED:EPOCH:ID",
      help: "write the one image of this address, without labels",
    },
  },
  examples: [
    ["tepal augment rose.jpg --policy advanced --grid 4x3 --out grid.png", "eleven augmentations with their addresses"],
    ["tepal augment rose.jpg --policy advanced --replay 1:0:4 --out one.png", "the fifth of them again, alone"],
    ["tepal augment rose.jpg daisy.jpg --mix cutmix --out mix.png", "parts of one image in the other"],
    ["tepal augment rose.jpg --timeline --out strengths.png", "each operation at rising strength"],
  ],
  async run(args, context) {
    const { image, other, mix, out } = args;
    if (args.timeline) return timeline(image, args.size ?? 96, out, context);
    const policy = choosePolicy(args.policy, mix as "mixup" | "cutmix" | undefined, args.alpha);
    const mixes = policy.layers.some(({ type }) => type === "mixUp" || type === "cutMix");
    if (mixes !== (other !== undefined))
      throw new UsageError(
        mixes
          ? "mixing needs a second image; give OTHER after IMAGE"
          : `"${other}" is a second image; say how to mix it with --mix`,
      );
    const request = {
      ...args,
      policy,
      mode: args.mode as Mode,
      resample: args.resample as Request["resample"],
      size: args.size ?? 224,
    };
    return augmentImage(request, context);
  },
});
