import { existsSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { FileError } from "../../engine/errors.ts";
import { defineCommand } from "../command.ts";
import { serveStatic } from "../staticServer.ts";

/** Beside the bundle that this file becomes a part of. */
const builtPage = (): string => fileURLToPath(new URL("./demo", import.meta.url));

export const command = defineCommand({
  name: "demo",
  summary: "serve the page to this machine: classify, explain, augment, train and profile in a browser",
  usage: "[--port N]",
  positionals: [],
  options: {
    port: {
      type: "integer",
      min: 0,
      max: 65535,
      default: 8470,
      help: "where to listen on 127.0.0.1; 0 takes a free one",
    },
  },
  examples: [["tepal demo", "then open http://127.0.0.1:8470/ in a browser with WebGPU"]],
  async run({ port }, context) {
    const folder = builtPage();
    if (!existsSync(join(folder, "index.html")))
      throw new FileError(
        `${folder}: expected the built page, found none; run "npm run build" or install the package again`,
      );
    const server = await serveStatic(folder, port);
    context.print(`${server.address}  (Ctrl+C ends it)`);
    await new Promise<void>((resolve) => {
      process.once("SIGINT", resolve);
      process.once("SIGTERM", resolve);
    });
    server.close();
    return { address: server.address };
  },
});
