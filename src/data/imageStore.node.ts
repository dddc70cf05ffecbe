/** Pictures of a data set for training: decoded ahead of use, in memory up to a limit, and decoded again beyond it. */
import { rmSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createPacker, type DecoderOptions, type Packer } from "./decodePool.node.ts";
import type { ImageContent, ImageDataset } from "./loaders.ts";
import { type BrokenImage, Loading } from "./loadImages.node.ts";
import { type PackedPicture, packedTaps } from "./packed.ts";
import { encodePng } from "./png.node.ts";

export interface StoreOptions extends DecoderOptions {
  /** Fail on the first broken photograph instead of skipping it. */
  readonly strict?: boolean;
  /** Bytes of decoded pictures that may stay in memory; default 1 GiB. */
  readonly memoryBytes?: number;
  onProgress?(done: number, total: number): void;
}

const DEFAULT_MEMORY = 2 ** 30;

/** The most that a picture needs: what the slots and lines of a batch are sized by. */
export interface PackedBounds {
  readonly bytes: number;
  readonly taps: number;
}

/** Where the pictures are from the first look on. */
export interface StoreFacts {
  readonly count: number;
  /** Pictures that stay in memory, and their bytes. */
  readonly held: number;
  readonly heldBytes: number;
  /** Pictures that are decoded again from their files, and those of an archive, which were unpacked to files for that. */
  readonly fromFiles: number;
  readonly unpacked: number;
}

/** Temporary files for what an archive, which cannot be searched, gives only once. Removed on closing, or when the process ends. */
class Spill {
  #folder: Promise<string> | null = null;
  #path: string | null = null;
  readonly #atExit = (): void => {
    if (this.#path) rmSync(this.#path, { recursive: true, force: true });
  };

  async put(name: string, content: Exclude<ImageContent, string>): Promise<string> {
    this.#folder ??= this.#create();
    const path = join(await this.#folder, name);
    await writeFile(path, "bytes" in content ? content.bytes : encodePng(content.image));
    return path;
  }

  async #create(): Promise<string> {
    this.#path = await mkdtemp(join(tmpdir(), "tepal-store-"));
    process.once("exit", this.#atExit);
    return this.#path;
  }

  async close(): Promise<void> {
    process.off("exit", this.#atExit);
    if (this.#path) await rm(this.#path, { recursive: true, force: true });
  }
}

/**
 * The usable images of a part of a data set, by their place in it. The first look decodes each once: it finds the broken ones and
 * the largest, and keeps pictures in memory as long as the limit allows. The others are decoded again whenever they are asked for
 * (from the decoded cache, where one is given); those of an archive are unpacked into a temporary folder for that.
 */
export class ImageStore {
  private constructor(
    private readonly packer: Packer,
    private readonly spill: Spill,
    private readonly places: readonly (PackedPicture | string)[],
    readonly target: StoreOptions,
    readonly classNames: readonly string[],
    /** One name an image, e.g. `daisy/100080576.jpg`. */
    readonly names: readonly string[],
    readonly labels: Int32Array,
    /** The number of each image in its data set. */
    readonly ids: readonly number[],
    readonly bounds: PackedBounds,
    /** True when every picture has the size of the target, so that nothing is left to be done. */
    readonly isFitted: boolean,
    readonly facts: StoreFacts,
  ) {}

  /**
   * @param indices distinct, of `dataset.items`
   * @throws DataError when more than 5 % are broken or missing; with `strict`, FileError at the first; what the data set throws
   */
  static async open(
    dataset: ImageDataset,
    indices: readonly number[],
    options: StoreOptions,
  ): Promise<{ store: ImageStore; broken: readonly BrokenImage[] }> {
    const packer = createPacker(options);
    const spill = new Spill();
    try {
      const look = new FirstLook(dataset, indices, options, spill);
      const kept = await look.run(packer);
      const items = kept.map((place) => dataset.items[indices[place]]);
      const store = new ImageStore(
        packer,
        spill,
        kept.map((place) => look.pictures.get(place)!),
        options,
        dataset.classNames,
        items.map(({ name }) => name),
        Int32Array.from(items, ({ label }) => label),
        kept.map((place) => indices[place]),
        look.bounds,
        look.isFitted,
        look.facts(kept.length),
      );
      return { store, broken: look.loading.broken };
    } catch (error) {
      await Promise.all([packer.close(), spill.close()]);
      throw error;
    }
  }

  get count(): number {
    return this.places.length;
  }

  /** The pictures at these places, in this order; what is not in memory is decoded. Throws FileError for a file that has changed. */
  async pictures(places: ArrayLike<number>): Promise<PackedPicture[]> {
    const found = Array.from(places, (place) => this.places[place]);
    const paths = found.filter((picture) => typeof picture === "string");
    const decoded: PackedPicture[] = [];
    for await (const result of this.packer.pack(paths)) {
      if ("error" in result) throw result.error;
      decoded.push(result.picture);
    }
    let next = 0;
    return found.map((picture) => (typeof picture === "string" ? decoded[next++] : picture));
  }

  /** Ends the threads and removes temporary files. */
  async close(): Promise<void> {
    await Promise.all([this.packer.close(), this.spill.close()]);
  }
}

/** Decodes everything once. */
class FirstLook {
  readonly loading: Loading;
  readonly pictures = new Map<number, PackedPicture | string>();
  bounds: PackedBounds = { bytes: 0, taps: 1 };
  isFitted = true;
  private heldBytes = 0;
  private unpacked = 0;

  constructor(
    dataset: ImageDataset,
    indices: readonly number[],
    private readonly options: StoreOptions,
    private readonly spill: Spill,
  ) {
    this.loading = new Loading(dataset, indices, options);
  }

  /** The places of the usable images, ascending. */
  async run(packer: Packer): Promise<number[]> {
    const waiting: ImageContent[] = [];
    const { loading } = this;
    async function* contents(): AsyncGenerator<ImageContent> {
      for await (const content of loading.contents()) {
        waiting.push(content);
        yield content;
      }
    }
    for await (const result of packer.pack(contents())) {
      const content = waiting.shift()!;
      const place = loading.nextPlace();
      if ("error" in result) loading.refuse(place, result.error);
      else {
        this.pictures.set(place, await this.keep(place, content, result.picture));
        loading.accept(place);
      }
    }
    return loading.finish();
  }

  private async keep(place: number, content: ImageContent, picture: PackedPicture): Promise<PackedPicture | string> {
    const { height, width, memoryBytes = DEFAULT_MEMORY } = this.options;
    const { rows, columns } = packedTaps(picture, this.options);
    const size = picture.data.byteLength;
    this.bounds = {
      bytes: Math.max(this.bounds.bytes, size),
      taps: Math.max(this.bounds.taps, rows.taps, columns.taps),
    };
    this.isFitted &&= picture.height === height && picture.width === width;
    if (this.heldBytes + size <= memoryBytes) {
      this.heldBytes += size;
      return picture;
    }
    if (typeof content === "string") return content;
    this.unpacked++;
    return this.spill.put(String(place), content);
  }

  facts(count: number): StoreFacts {
    const held = [...this.pictures.values()].filter((picture) => typeof picture !== "string").length;
    const { heldBytes, unpacked } = this;
    return { count, held, heldBytes, unpacked, fromFiles: count - held };
  }
}
