/** A float32 tensor on the CPU, row-major. */
export interface WeightTensor {
  readonly shape: number[];
  readonly data: Float32Array;
}

/**
 * The weights of a network under canonical names, `<Keras layer>/<variable>`: `Conv1/kernel` [3, 3, Cin, Cout],
 * `bn_Conv1/gamma`, `expanded_conv_depthwise/kernel` [3, 3, C], `predictions/kernel` [features, classes].
 */
export interface WeightSet {
  readonly tensors: Map<string, WeightTensor>;
  readonly source: "keras-h5" | "keras-zip" | "safetensors";
  readonly metadata: Record<string, string>;
}
