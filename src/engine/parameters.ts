import type { Device } from "./device.ts";
import { GraphError, ShapeError } from "./errors.ts";
import { readBuffer } from "./readback.ts";
import {
  byteSizeOf,
  dtypeOf,
  formatType,
  type Shape,
  sameShape,
  sizeOf,
  type TensorType,
  type TypedArray,
  typedArray,
} from "./types.ts";

interface Stored {
  readonly type: TensorType;
  readonly buffer: GPUBuffer;
  version: number;
}

/**
 * Weights, optimiser moments and running statistics, on the GPU and outside every plan, so that training, evaluation and
 * explanation share them. Each has a version; what a plan derives from it (folds, packed copies) is refreshed when it moves.
 */
export class ParameterStore {
  #stored = new Map<string, Stored>();
  constructor(readonly device: Device) {}

  /** Writes a parameter, creating it at first; throws a ShapeError when data and shape disagree. */
  set(name: string, data: TypedArray, shape: Shape): void {
    const type: TensorType = { dtype: dtypeOf(data), shape };
    if (data.length !== sizeOf(shape))
      throw new ShapeError(
        `parameter ${name}: ${formatType(type)} needs ${sizeOf(shape)} values, found ${data.length}`,
      );
    const known = this.#stored.get(name);
    if (known && (!sameShape(known.type.shape, shape) || known.type.dtype !== type.dtype))
      throw new ShapeError(
        `parameter ${name} is ${formatType(known.type)} and cannot become ${formatType(type)}; use another store`,
      );
    const stored = known ?? this.#create(name, type);
    this.device.queue.writeBuffer(stored.buffer, 0, padded(data));
    stored.version++;
  }

  /** Frees a parameter; plans that use it must be disposed before. */
  delete(name: string): void {
    const stored = this.#stored.get(name);
    if (stored) this.device.destroyBuffer(stored.buffer);
    this.#stored.delete(name);
  }

  has(name: string): boolean {
    return this.#stored.has(name);
  }

  get names(): string[] {
    return [...this.#stored.keys()];
  }

  /** The current values; throws what the GPU reported. */
  async get(name: string): Promise<TypedArray> {
    const { buffer, type } = this.#find(name);
    const bytes = await readBuffer(this.device, buffer, 0, byteSizeOf(type));
    const data = typedArray(type.dtype, sizeOf(type.shape));
    new Uint8Array(data.buffer).set(new Uint8Array(bytes, 0, data.byteLength));
    return data;
  }

  shape(name: string): Shape {
    return this.#find(name).type.shape;
  }

  version(name: string): number {
    return this.#find(name).version;
  }

  /** For plans: the buffer behind a parameter of this type. */
  bufferOf(name: string, type: TensorType): GPUBuffer {
    const stored = this.#find(name);
    if (!sameShape(stored.type.shape, type.shape) || stored.type.dtype !== type.dtype)
      throw new ShapeError(
        `parameter ${name}: the graph expects ${formatType(type)}, the store holds ${formatType(stored.type)}`,
      );
    return stored.buffer;
  }

  /** For plans: the parameter was changed on the GPU. */
  touch(name: string): void {
    this.#find(name).version++;
  }

  dispose(): void {
    for (const { buffer } of this.#stored.values()) this.device.destroyBuffer(buffer);
    this.#stored.clear();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  #create(name: string, type: TensorType): Stored {
    const usage = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_DST | GPUBufferUsage.COPY_SRC;
    const stored = { type, buffer: this.device.createBuffer(byteSizeOf(type), usage, name), version: 0 };
    this.#stored.set(name, stored);
    return stored;
  }

  #find(name: string): Stored {
    const stored = this.#stored.get(name);
    if (!stored) throw new GraphError(`parameter "${name}" is not in the store; set it before compiling or running`);
    return stored;
  }
}

/** The bytes of an array in whole words, as writeBuffer wants them. */
export function padded(data: TypedArray): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(data.buffer as ArrayBuffer, data.byteOffset, data.byteLength);
  if (bytes.length % 4 === 0) return bytes;
  const whole = new Uint8Array(Math.ceil(bytes.length / 4) * 4);
  whole.set(bytes);
  return whole;
}
