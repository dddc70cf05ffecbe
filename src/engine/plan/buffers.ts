import type { Device } from "../device.ts";
import { describe, type Tensor } from "../graph.ts";
import { type ParameterStore, padded } from "../parameters.ts";
import { readBuffer } from "../readback.ts";
import { byteSizeOf } from "../types.ts";
import type { Layout, Storage } from "./layout.ts";
import { align } from "./memory.ts";
import type { Schedule } from "./schedule.ts";

export interface BufferRange {
  readonly buffer: GPUBuffer;
  readonly offset: number;
  readonly size: number;
}

export interface Readback {
  copy(encoder: GPUCommandEncoder): void;
  read(): Promise<ArrayBuffer>;
}

/** Bytes of the uniform block of one node: the alignment of uniform offsets. */
export const uniformStride = 256;

/**
 * A quiet NaN: poison before a run, and the pattern of the guards after it. Each buffer has a payload of its own, or a
 * kernel that runs past the end of both sides would copy the poison of one over the poison of the other, unseen.
 */
const poisonOf = (buffer: number): number => 0x7fc0d000 + (buffer & 0xfff);

/** All GPU memory of one plan. */
export class Buffers {
  readonly uniforms: GPUBuffer;
  readonly slabs: GPUBuffer[];
  #own = new Map<Tensor, GPUBuffer>();
  #staging: GPUBuffer[] = [];
  #owned: GPUBuffer[] = [];

  constructor(
    readonly device: Device,
    schedule: Schedule,
    readonly layout: Layout,
    parameters: ParameterStore,
    readonly poisoned: boolean,
  ) {
    // First what may be missing, so that nothing is left behind when it is.
    for (const { op, attributes, outputs } of schedule.sources)
      if (op.traits.source === "parameter")
        this.#own.set(outputs[0], parameters.bufferOf(attributes.name, outputs[0].type));
    const storageUsage = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_DST | GPUBufferUsage.COPY_SRC;
    const create = (bytes: number, usage: GPUBufferUsageFlags, label: string): GPUBuffer => {
      const buffer = device.createBuffer(bytes, usage, label);
      this.#owned.push(buffer);
      return buffer;
    };
    const nodes = schedule.prologue.length + schedule.main.length;
    this.uniforms = create(
      Math.max(1, nodes) * uniformStride,
      GPUBufferUsage.UNIFORM | GPUBufferUsage.COPY_DST,
      "uniforms",
    );
    this.slabs = layout.memory.slabs.map((bytes, index) => create(bytes, storageUsage, `slab ${index}`));
    for (const [tensor, place] of layout.storage) {
      if (place.kind !== "own") continue;
      const { source } = tensor.node.op.traits;
      if (source !== "parameter")
        this.#own.set(tensor, create(align(place.bytes + layout.guard), storageUsage, describe(tensor.node)));
      if (source === "constant")
        device.queue.writeBuffer(this.#own.get(tensor) as GPUBuffer, 0, padded(tensor.node.attributes.data));
    }
  }

  rangeOf(tensor: Tensor): BufferRange {
    const place = this.layout.storage.get(tensor) as Storage;
    return place.kind === "own"
      ? { buffer: this.#own.get(tensor) as GPUBuffer, offset: 0, size: place.bytes }
      : { buffer: this.slabs[place.slab], offset: place.offset, size: place.bytes };
  }

  /** A pooled staging buffer that takes these ranges one after the other. */
  stage(ranges: readonly BufferRange[]): Readback {
    const total = ranges.reduce((sum, { size }) => sum + size, 0);
    const staging = total === 0 ? null : this.#takeStaging(total);
    return {
      copy: (encoder) => {
        let at = 0;
        for (const { buffer, offset, size } of ranges) {
          encoder.copyBufferToBuffer(buffer, offset, staging as GPUBuffer, at, size);
          at += size;
        }
      },
      read: async () => {
        if (!staging) {
          await this.device.queue.onSubmittedWorkDone();
          return new ArrayBuffer(0);
        }
        await staging.mapAsync(GPUMapMode.READ, 0, total);
        const bytes = staging.getMappedRange(0, total).slice(0);
        staging.unmap();
        this.#staging.push(staging);
        return bytes;
      },
    };
  }

  #takeStaging(bytes: number): GPUBuffer {
    const index = this.#staging.findIndex((buffer) => buffer.size >= bytes);
    if (index >= 0) return this.#staging.splice(index, 1)[0];
    const buffer = this.device.createBuffer(
      align(bytes),
      GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST,
      "readback",
    );
    this.#owned.push(buffer);
    return buffer;
  }

  /** Fills all slabs, and the padding behind every value, with NaN. */
  poison(): void {
    if (!this.poisoned) return;
    for (const slab of this.slabs)
      this.device.queue.writeBuffer(slab, 0, new Uint32Array(slab.size / 4).fill(this.#patternOf(slab)));
    for (const [tensor, place] of this.layout.storage)
      if (place.kind === "own" && tensor.node.op.traits.source !== "parameter") this.#poisonTail(tensor, place);
  }

  #patternOf(buffer: GPUBuffer): number {
    return poisonOf(this.#owned.indexOf(buffer));
  }

  #poisonTail(tensor: Tensor, { bytes }: Storage): void {
    const buffer = this.#own.get(tensor) as GPUBuffer;
    const from = byteSizeOf({ dtype: "f32", shape: [Math.ceil(bytes / 4)] });
    if (buffer.size > from)
      this.device.queue.writeBuffer(
        buffer,
        from,
        new Uint32Array((buffer.size - from) / 4).fill(this.#patternOf(buffer)),
      );
  }

  /** Checks that every word that no value covers still holds the poison, and names the value before the first that does not. */
  async strayWrites(): Promise<string | null> {
    const places = [...this.layout.storage].filter(([tensor]) => tensor.node.op.traits.source !== "parameter");
    const buffers = new Map<GPUBuffer, { from: number; to: number; name: string }[]>();
    for (const [tensor, { bytes }] of places) {
      const { buffer, offset } = this.rangeOf(tensor);
      const covered = buffers.get(buffer) ?? [];
      covered.push({ from: offset / 4, to: (offset + bytes) / 4, name: describe(tensor.node) });
      buffers.set(buffer, covered);
    }
    for (const [buffer, covered] of buffers) {
      const pattern = this.#patternOf(buffer);
      const words = new Uint32Array(await readBuffer(this.device, buffer, 0, buffer.size));
      covered.sort((a, b) => a.from - b.from);
      let next = 0;
      let before = "the start of the buffer";
      for (const { from, to, name } of [...covered, { from: words.length, to: words.length, name: "" }]) {
        for (let word = next; word < from; word++) if (words[word] !== pattern) return `a stray write behind ${before}`;
        if (to >= next) {
          next = to;
          before = name;
        }
      }
    }
    return null;
  }

  dispose(): void {
    for (const buffer of this.#owned) this.device.destroyBuffer(buffer);
    this.#owned.length = 0;
  }
}
