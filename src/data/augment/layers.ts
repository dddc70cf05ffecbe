import { geometricLayers } from "./geometricLayers.ts";
import type { LayerType } from "./layer.ts";
import { mixedLayers } from "./mixedLayers.ts";
import { filterLayers, photometricLayers } from "./photometricLayers.ts";

/** Every layer that a policy may have, by name, in the order of the documentation. */
export const layerTypes: Readonly<Record<string, LayerType>> = {
  ...geometricLayers,
  ...photometricLayers,
  ...filterLayers,
  ...mixedLayers,
};

/** Layers that need a second sample. */
export const isMixing = ({ kind }: LayerType): boolean => kind === "mixUp" || kind === "cutMix";
