// Batch normalisation with the statistics of the batch (Ioffe and Szegedy 2015); x seen as [rows, channels], M = rows:
//   deviations:   part [s, c] of the variance = Σ_r (x[r, c] − mean[c])² / M      over the rows s, s + splits, …
//   normalise:    y[r, c] = gamma[c] · (x[r, c] − mean[c]) / √(variance[c] + ε) + beta[c]
// The variance is the biased one, from deviations: no difference of large numbers. One invocation per output element;
// neighbouring invocations read neighbouring channels; a sum is in the order of its rows.
// Bytes per element of x: deviations 4, normalise 8. FLOPs per element: deviations 3, normalise 4.

struct Params {
  rows: u32,
  channels: u32,
  splits: u32,
  epsilon: f32,
  perRow: f32, // 1 / M
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> mean: array<f32>;
@group(0) @binding(3) var<storage, read> variance: array<f32>;
@group(0) @binding(4) var<storage, read> gamma: array<f32>;
@group(0) @binding(5) var<storage, read> beta: array<f32>;
@group(0) @binding(6) var<storage, read_write> y: array<f32>;

override WORKGROUP: u32 = 64;

@compute @workgroup_size(WORKGROUP)
fn deviations(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let at = id.x + id.y * groups.x * WORKGROUP;
  if (at >= params.splits * params.channels) { return; }
  let c = at % params.channels;
  let center = mean[c];
  var total = 0.0;
  for (var r = at / params.channels; r < params.rows; r += params.splits) {
    let deviation = x[r * params.channels + c] - center;
    total += deviation * deviation;
  }
  y[at] = total * params.perRow;
}

@compute @workgroup_size(WORKGROUP)
fn normalise(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let at = id.x + id.y * groups.x * WORKGROUP;
  if (at >= params.rows * params.channels) { return; }
  let c = at % params.channels;
  y[at] = gamma[c] * ((x[at] - mean[c]) / sqrt(variance[c] + params.epsilon)) + beta[c];
}
