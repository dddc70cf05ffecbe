import { existsSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const root = process.env.SHARED ?? fileURLToPath(new URL("../../shared", import.meta.url));

/** The reference material beside the repository; tests that need it skip, and say so, when it is absent. */
export const hasShared = existsSync(join(root, "reference"));

/** The absolute path of a file of the shared material, e.g. `shared("reference/ops.safetensors")`. */
export const shared = (path: string): string => join(root, path);
