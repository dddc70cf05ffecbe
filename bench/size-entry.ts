/** What an application imports that classifies and explains: the engine, MobileNetV2, Grad-CAM and Integrated Gradients. */
export { compile } from "../src/engine/compile.ts";
export { Device } from "../src/engine/device.ts";
export { input } from "../src/engine/ops/sources.ts";
export { ParameterStore } from "../src/engine/parameters.ts";
export { BATCH } from "../src/engine/types.ts";
export { mobileNetV2 } from "../src/nn/mobilenetV2.ts";
export { GradCam } from "../src/xai/gradCam.ts";
export { IntegratedGradients } from "../src/xai/integratedGradients.ts";
