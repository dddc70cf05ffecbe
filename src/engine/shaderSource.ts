/** Reads kernels as text: header comments, entry points, and the source that a specialisation compiles to. */

/** The comment that a shader begins with, without the slashes; one string per line. */
export function headerOf(code: string): string[] {
  const lines = code.split("\n");
  const end = lines.findIndex((line) => !line.startsWith("//"));
  return lines.slice(0, end < 0 ? lines.length : end).map((line) => line.replace(/^\/\/ ?/, ""));
}

/** The names of the functions marked `@compute`, in the order of the source. */
export const entryPointsOf = (code: string): string[] =>
  [...code.matchAll(/@compute\b[^;{]*?\bfn\s+(\w+)/g)].map((match) => match[1]);

/** The source without the other functions marked `@compute`; the shaders close each with a brace at the start of a line. */
const withEntryPoint = (code: string, entryPoint: string): string =>
  code.replace(/@compute\b[\s\S]*?\n}\n*/g, (text) => (entryPointsOf(text).includes(entryPoint) ? text : ""));

function literal(value: number, type: string): string {
  switch (type) {
    case "u32":
      return `${value}u`;
    case "i32":
      return `${value}i`;
    case "bool":
      return value === 0 ? "false" : "true";
    default:
      return `${type}(${value})`;
  }
}

/**
 * The source of one entry point as the driver sees it: every `override` becomes a `const` with the value in use, or with its
 * default. The result is valid WGSL without overrides.
 */
export function specialise(code: string, entryPoint: string, overrides: Readonly<Record<string, number>>): string {
  return withEntryPoint(code, entryPoint).replace(
    /^([ \t]*)override\s+(\w+)\s*:\s*(\w+)\s*(=\s*[^;]+)?;/gm,
    (_, indent: string, name: string, type: string, fallback: string | undefined) => {
      const given = overrides[name];
      const value = given === undefined ? (fallback ?? "= 0") : `= ${literal(given, type)}`;
      return `${indent}const ${name}: ${type} ${value};`;
    },
  );
}
