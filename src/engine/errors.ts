/**
 * Every failure of Tepal is one of these. A message says what was expected, what was found, and what to do.
 * `exitCode` is what the command line ends with; the table is printed by `tepal --help`.
 */
export class TepalError extends Error {
  readonly exitCode: number = 1;
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = new.target.name;
  }
}

/** The command line was used wrongly: unknown option, missing argument, value out of range. */
export class UsageError extends TepalError {
  override readonly exitCode: number = 2;
}

/** A file is missing, unreadable, or not what its name promises. */
export class FileError extends TepalError {
  override readonly exitCode: number = 3;
}

/** A weight file does not fit the network: names, shapes or preprocessing differ. */
export class WeightsError extends TepalError {
  override readonly exitCode: number = 4;
}

/** A data set cannot be used: no classes, too many broken images, an empty split. */
export class DataError extends TepalError {
  override readonly exitCode: number = 5;
}

/** A tensor's shape or type does not fit the operation. */
export class ShapeError extends TepalError {
  override readonly exitCode: number = 6;
}

/** The graph breaks a rule of the engine: a cycle, an update read again, an op without gradient. */
export class GraphError extends TepalError {
  override readonly exitCode: number = 7;
}

/** A limit of the adapter or of the memory budget would be exceeded. */
export class LimitError extends TepalError {
  override readonly exitCode: number = 8;
}

/** No adapter can be had, or the GPU reported an error. */
export class DeviceError extends TepalError {
  override readonly exitCode: number = 9;
}

/** The device was lost while in use. */
export class DeviceLostError extends DeviceError {
  override readonly exitCode: number = 10;
}

/** A NaN or an infinity appeared where numbers were expected. */
export class NonFiniteError extends TepalError {
  override readonly exitCode: number = 11;
}

/** A measured error is above its tolerance (`verify`, `doctor`). */
export class ToleranceError extends TepalError {
  override readonly exitCode: number = 12;
}

/** The user stopped the work (Ctrl-C); what a checkpoint holds is kept. */
export class InterruptedError extends TepalError {
  override readonly exitCode: number = 130;
}
