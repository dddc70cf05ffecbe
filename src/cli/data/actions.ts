import type { DataAction } from "./action.ts";
import { info } from "./info.ts";
import { pull } from "./pull.ts";
import { unpack } from "./unpack.ts";

/** One line per action of `tepal data`. */
export const dataActions: Readonly<Record<string, DataAction>> = {
  info,
  pull,
  unpack,
};
