import { UsageError } from "../../engine/errors.ts";
import { defineCommand } from "../command.ts";
import { dataActions } from "../data/actions.ts";
import { flagOf, type OptionSpec } from "../options.ts";

const actions = Object.entries(dataActions);
const options: Readonly<Record<string, OptionSpec>> = Object.assign({}, ...actions.map(([, action]) => action.options));

const isGiven = (value: unknown): boolean =>
  Array.isArray(value) ? value.length > 0 : value !== undefined && value !== false;

export const command = defineCommand({
  name: "data",
  summary: `data sets: ${Object.keys(dataActions).join(", ")}`,
  usage: actions.map(([name, { usage }]) => `${name} ${usage}`).join(" | "),
  positionals: [
    {
      name: "action",
      type: "choice",
      choices: Object.keys(dataActions),
      required: true,
      help: Object.keys(dataActions).join(" or "),
    },
    { name: "name", type: "string", required: true, help: "flowers102, cifar10, petals, a folder, or a file" },
  ],
  options,
  examples: actions.flatMap(([, { examples }]) => examples),
  async run({ action, name, ...rest }, context) {
    const chosen = dataActions[action];
    const given = rest as Record<string, unknown>;
    for (const option of Object.keys(options)) {
      // A default of another action's option is a value nobody gave.
      if (option in chosen.options) continue;
      const { default: preset } = options[option] as { readonly default?: unknown };
      if (isGiven(given[option]) && given[option] !== preset)
        throw new UsageError(`${flagOf(option)} does not belong to data ${action}; tepal data --help shows the usage`);
    }
    return chosen.run({ ...given, name }, context);
  },
});
