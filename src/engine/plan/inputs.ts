import { ShapeError } from "../errors.ts";
import { formatType, hasBatch, sizeOf, type TensorType, type TypedArray, typedArray } from "../types.ts";
import type { BufferRange } from "./buffers.ts";

export type RunInputs = Readonly<Record<string, TypedArray>>;
export type RunOutputs = Record<string, TypedArray>;

/** Values that lie on the device already: the first `length` elements of a buffer with usage COPY_SRC. */
export interface DeviceValue {
  readonly buffer: GPUBuffer;
  readonly length: number;
}

/** Inputs of a run that stays on the device. */
export type DeviceInputs = Readonly<Record<string, TypedArray | DeviceValue>>;

/** Reads the outputs' ranges in the submission that computed them; they hold until the plan's next run. */
export type DeviceReader = (encoder: GPUCommandEncoder, outputs: Readonly<Record<string, BufferRange>>) => void;

export const isOnDevice = (value: TypedArray | DeviceValue): value is DeviceValue =>
  "buffer" in value && !ArrayBuffer.isView(value);

export const areOnHost = (inputs: DeviceInputs): inputs is RunInputs => !Object.values(inputs).some(isOnDevice);

/** The batch that an input's length says, checked against what is known; an input without elements says nothing. */
export function batchOfInput(
  name: string,
  type: TensorType,
  data: TypedArray | DeviceValue,
  known: number | undefined,
): number | undefined {
  if (!isOnDevice(data) && !(data instanceof (typedArray(type.dtype, 0).constructor as typeof Float32Array)))
    throw new ShapeError(`input "${name}" is ${formatType(type)}; a ${data.constructor.name} was given`);
  const isBatched = hasBatch(type.shape);
  const perSample = sizeOf(isBatched ? type.shape.slice(1) : type.shape);
  const count = perSample === 0 ? 1 : data.length / perSample;
  const fits =
    perSample === 0
      ? data.length === 0
      : isBatched
        ? Number.isInteger(count) && (known === undefined || known === count)
        : count === 1;
  if (!fits)
    throw new ShapeError(
      `input "${name}" is ${formatType(type)}; ${data.length} values do not fit${known === undefined ? "" : ` a batch of ${known}`}`,
    );
  return isBatched && perSample > 0 ? count : known;
}
