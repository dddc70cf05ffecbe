import { FileError, TepalError } from "../engine/errors.ts";

/** Typed arrays become plain lists; NaN and infinities, which JSON lacks, become null. */
const replacer = (_key: string, value: unknown): unknown => {
  if (ArrayBuffer.isView(value) && !(value instanceof DataView)) return Array.from(value as unknown as number[]);
  if (value instanceof Map) return Object.fromEntries(value);
  return typeof value === "bigint" ? Number(value) : value;
};

/** The text of the one object that `--json` prints, without the line end. */
export const toJson = (value: object): string => JSON.stringify(value, replacer, 2);

/** A failure reduced to what both kinds of output need; an unexpected exception has exit code 1. */
export interface Failure {
  readonly name: string;
  /** One line. */
  readonly message: string;
  readonly exitCode: number;
}

const oneLine = (text: string): string => text.replace(/\s*[\r\n]+\s*/g, " ").trim();

/** System errors that mean a file, with what to tell about them. */
const FILE_ERRORS: Record<string, string> = {
  ENOENT: "does not exist; check the path",
  EACCES: "may not be accessed; check its permissions",
  EPERM: "may not be changed; check its permissions",
  EISDIR: "is a folder, expected a file",
  ENOTDIR: "has a file where a folder is expected",
  ENOSPC: "cannot be written, the disk is full; free some space",
  EROFS: "cannot be written, the disk is read-only; choose another place",
};

export function describeFailure(error: unknown): Failure {
  if (error instanceof TepalError) {
    return { name: error.name, message: oneLine(error.message), exitCode: error.exitCode };
  }
  const { code, path } = (error ?? {}) as NodeJS.ErrnoException;
  if (code && path && FILE_ERRORS[code]) {
    return describeFailure(new FileError(`"${path}" ${FILE_ERRORS[code]}`));
  }
  if (!(error instanceof Error)) return { name: "Error", message: oneLine(String(error)), exitCode: 1 };
  return { name: error.name, message: oneLine(error.message) || error.name, exitCode: 1 };
}
