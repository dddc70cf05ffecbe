// One invocation folds the four vectors of batch normalisation into one affine map of channel c:
//   scale[c] = gamma[c] / sqrt(variance[c] + epsilon)        shift[c] = beta[c] − mean[c] · scale[c]
// Bytes: 16 read and 8 written per channel.

struct Params {
  count: u32,
  epsilon: f32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> gamma: array<f32>;
@group(0) @binding(2) var<storage, read> beta: array<f32>;
@group(0) @binding(3) var<storage, read> mean: array<f32>;
@group(0) @binding(4) var<storage, read> variance: array<f32>;
@group(0) @binding(5) var<storage, read_write> factors: array<f32>;
@group(0) @binding(6) var<storage, read_write> shift: array<f32>;

override WORKGROUP: u32 = 64;

@compute @workgroup_size(WORKGROUP)
fn batchNormCoefficients(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let c = id.x + id.y * groups.x * WORKGROUP;
  if (c >= params.count) { return; }
  let factor = gamma[c] / sqrt(variance[c] + params.epsilon);
  factors[c] = factor;
  shift[c] = beta[c] - mean[c] * factor;
}
