import { divide, multiply } from "../engine/ops/binary.ts";
import { sum } from "../engine/ops/reduce.ts";
import { relu, scale, square } from "../engine/ops/unary.ts";
import type { CamRule } from "./camPlan.ts";

/** The constant that pytorch-grad-cam adds to a denominator in units of the squared gradient. */
const epsilon = 1e-6;

/**
 * Grad-CAM++ (Chattopadhyay et al. 2018) as pytorch-grad-cam has it: Σ_c w_c · A_c with w_c = Σ_hw relu(g) · α and
 * α = g² / (2g² + g³ · Σ_hw A + 1e-6). α only counts where g > 0, so relu(g) stands for g in all of it.
 */
export const gradCamPlusPlusRule: CamRule = (activation, gradient) => {
  const rising = relu(gradient);
  const squared = square(rising);
  const total = sum(activation, [1, 2], true);
  const denominator = multiply(squared, scale(multiply(rising, total), 1, 2));
  const alpha = divide(squared, scale(denominator, 1, epsilon));
  return sum(multiply(activation, sum(multiply(rising, alpha), [1, 2], true)), [3]);
};

/** HiResCAM (Draelos and Carin 2020): Σ_c g · A at each place. */
export const hiResCamRule: CamRule = (activation, gradient) => sum(multiply(activation, gradient), [3]);

/** LayerCAM (Jiang et al. 2021): Σ_c relu(g) · A at each place. */
export const layerCamRule: CamRule = (activation, gradient) => sum(multiply(activation, relu(gradient)), [3]);
