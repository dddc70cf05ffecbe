// The factor that brings gradients to a global norm (Pascanu, Mikolov, Bengio 2013, Keras' `global_clipnorm`):
//   y = limit / max(√x, limit),  x the sum of the squares of all gradients.
// One number, one invocation. A NaN stays a NaN; an infinite sum gives 0. FLOPs: 3. Bytes: 8.

struct Params {
  limit: f32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;

@compute @workgroup_size(1)
fn clipFactor(@builtin(global_invocation_id) id: vec3u) {
  if (id.x > 0u) { return; }
  let total = x[0];
  // max() may drop a NaN.
  let isNan = (bitcast<u32>(total) & 0x7fffffffu) > 0x7f800000u;
  y[0] = select(params.limit / max(sqrt(max(total, 0.0)), params.limit), total, isNan);
}
