import { unpackArchive } from "../../data/archive.node.ts";
import { UsageError } from "../../engine/errors.ts";
import type { DataAction, DataArguments } from "./action.ts";

export const unpack: DataAction = {
  usage: "ARCHIVE --root DIR",
  options: {
    root: { type: "path", placeholder: "DIR", help: "where the files go; made when it is missing" },
  },
  examples: [
    ["tepal data unpack flowers/102flowers.tgz --root flowers", "reading photographs is faster than streaming them"],
  ],
  async run({ name, root }: DataArguments, context) {
    if (typeof root !== "string") throw new UsageError("--root is missing: where the files of the archive go");
    const files = await unpackArchive(name, root);
    context.print(`${files.length} files unpacked into ${root}`);
    return { archive: name, folder: root, files: files.length };
  },
};
