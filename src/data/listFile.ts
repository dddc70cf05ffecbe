/** A list of images with their classes: a line `path label` each, or CSV with the columns path, label and perhaps split. */
import { FileError } from "../engine/errors.ts";
import { PART_NAMES, type PartName } from "./loaders.ts";

export interface ListedImage {
  /** Relative, with `/`. */
  readonly path: string;
  readonly label: string;
  readonly part?: PartName;
}

const PART_WORDS: Readonly<Record<string, PartName>> = {
  ...Object.fromEntries(PART_NAMES.map((name) => [name, name])),
  val: "validation",
  valid: "validation",
};

/** The fields of a CSV line (RFC 4180); a field does not go over the line's end. Undefined for a quote that stays open. */
function csvFields(line: string): string[] | undefined {
  const fields: string[] = [];
  let at = 0;
  do {
    let field = "";
    if (line[at] === '"') {
      const quoted = /"((?:[^"]|"")*)"/y;
      quoted.lastIndex = at;
      const match = quoted.exec(line);
      if (!match) return undefined;
      field = match[1].replaceAll('""', '"');
      at = quoted.lastIndex;
      if (at < line.length && line[at] !== ",") return undefined;
    } else {
      const end = line.indexOf(",", at);
      field = line.slice(at, end < 0 ? line.length : end);
      at = end < 0 ? line.length : end;
    }
    fields.push(field.trim());
  } while (line[at++] === ",");
  return fields;
}

/** `path label`: the label is the last word, so a path may have spaces. The line has no blanks at its ends. */
function wordFields(line: string): string[] | undefined {
  let at = line.length - 1;
  while (at > 0 && !/\s/.test(line[at])) at--;
  return at > 0 ? [line.slice(0, at).trimEnd(), line.slice(at + 1)] : undefined;
}

const isInside = (path: string): boolean =>
  !path.startsWith("/") && !/^[A-Za-z]:/.test(path) && !path.split("/").includes("..") && !path.includes("\0");

/**
 * Reads a list of images. Empty lines and lines that begin with `#` are passed over, and a first CSV line `path,label`.
 * @param name shown in errors; ends in `.csv` for CSV
 * @throws FileError naming the line: too few or many fields, a path that is absolute, leaves the folder or is listed twice, an
 * unknown split, or no image at all
 */
export function parseList(text: string, name: string): ListedImage[] {
  const isCsv = name.toLowerCase().endsWith(".csv");
  const images: ListedImage[] = [];
  const seen = new Set<string>();
  const expected = isCsv ? '"path,label" or "path,label,split"' : '"path label"';
  for (const [index, raw] of text
    .replace(/^\ufeff/, "")
    .split(/\r?\n/)
    .entries()) {
    const line = raw.trim();
    if (line === "" || line.startsWith("#")) continue;
    const refuse = (reason: string) =>
      new FileError(`${name}: line ${index + 1}: expected ${reason}; correct the line`);
    const found = `found ${JSON.stringify(line.slice(0, 80))}`;
    const fields = isCsv ? csvFields(line) : wordFields(line);
    if (!fields || fields.length < 2 || fields.length > 3 || fields[0] === "" || fields[1] === "")
      throw refuse(`${expected}, ${found}`);
    const [path, label, word] = fields;
    if (isCsv && images.length === 0 && path.toLowerCase() === "path" && label.toLowerCase() === "label") continue;
    if (!isInside(path)) throw refuse(`a path inside the folder of the list or --root, ${found}`);
    if (seen.has(path)) throw refuse(`each image once, found ${JSON.stringify(path)} again`);
    seen.add(path);
    const part = word ? PART_WORDS[word.toLowerCase()] : undefined;
    if (word && !part) throw refuse(`a split of ${PART_NAMES.join(", ")}, found ${JSON.stringify(word.slice(0, 80))}`);
    images.push({ path, label, ...(part ? { part } : {}) });
  }
  if (images.length === 0) throw new FileError(`${name}: expected lines ${expected}, found none; add some`);
  return images;
}

/** The labels in order: by value when all are whole numbers, else by code unit. */
export function listClasses(images: readonly ListedImage[]): string[] {
  const labels = [...new Set(images.map(({ label }) => label))];
  const areNumbers = labels.every((label) => /^\d{1,15}$/.test(label));
  return labels.sort(areNumbers ? (a, b) => Number(a) - Number(b) : (a, b) => (a < b ? -1 : 1));
}
