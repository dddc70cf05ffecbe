// Gradient of batch normalisation with the statistics of the batch; x, dy seen as [rows, channels], M = rows and
// x̂[r, c] = (x[r, c] − mean[c]) / √(variance[c] + ε):
//   gradientSums:    parts [s, c] of Σ_r dy[r, c] and of Σ_r dy[r, c] · x̂[r, c]      over the rows s, s + splits, …
//   inputGradient:   dx[r, c] = gamma[c] / √(variance[c] + ε) · (dy[r, c] − Σ dy / M − x̂[r, c] · Σ dy·x̂ / M)
// One invocation per output element (of each output); neighbouring invocations read neighbouring channels; a sum is in the
// order of its rows. The two entry points bind different things from binding 5 on.
// The `…Vectors` entry points, for channels in multiples of four, give the same bits: an invocation has four channels, and in
// inputGradientVectors it keeps their numbers and walks rows that lie a grid apart; the grid is exactly as wide as a row.
// Bytes per element of x: gradientSums 8, inputGradient 12. FLOPs per element: gradientSums 4, inputGradient 5.
// Gain: `…Vectors` against the scalar entry points: inputGradient 5.7 times faster on SwiftShader and on lavapipe; gradientSums 2.3
// and 1.5 (docs/decisions/031).

struct Params {
  rows: u32,
  channels: u32,
  splits: u32,
  epsilon: f32,
  perRow: f32, // 1 / M
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> dy: array<f32>;
@group(0) @binding(3) var<storage, read> mean: array<f32>;
@group(0) @binding(4) var<storage, read> variance: array<f32>;
@group(0) @binding(1) var<storage, read> xVectors: array<vec4f>;
@group(0) @binding(2) var<storage, read> dyVectors: array<vec4f>;
@group(0) @binding(3) var<storage, read> meanVectors: array<vec4f>;
@group(0) @binding(4) var<storage, read> varianceVectors: array<vec4f>;
// gradientSums
@group(0) @binding(5) var<storage, read_write> partsDy: array<f32>;
@group(0) @binding(6) var<storage, read_write> partsProduct: array<f32>;
@group(0) @binding(5) var<storage, read_write> partsDyVectors: array<vec4f>;
@group(0) @binding(6) var<storage, read_write> partsProductVectors: array<vec4f>;
// inputGradient
@group(0) @binding(5) var<storage, read> gamma: array<f32>;
@group(0) @binding(6) var<storage, read> sumDy: array<f32>;
@group(0) @binding(7) var<storage, read> sumProduct: array<f32>;
@group(0) @binding(8) var<storage, read_write> dx: array<f32>;
@group(0) @binding(5) var<storage, read> gammaVectors: array<vec4f>;
@group(0) @binding(6) var<storage, read> sumDyVectors: array<vec4f>;
@group(0) @binding(7) var<storage, read> sumProductVectors: array<vec4f>;
@group(0) @binding(8) var<storage, read_write> dxVectors: array<vec4f>;

override WORKGROUP: u32 = 64;
override WORKGROUP_X: u32 = 4;
override WORKGROUP_Y: u32 = 16;

@compute @workgroup_size(WORKGROUP)
fn gradientSums(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let at = id.x + id.y * groups.x * WORKGROUP;
  if (at >= params.splits * params.channels) { return; }
  let c = at % params.channels;
  let center = mean[c];
  var total = 0.0;
  var product = 0.0;
  for (var r = at / params.channels; r < params.rows; r += params.splits) {
    let i = r * params.channels + c;
    total += dy[i];
    product += dy[i] * (x[i] - center);
  }
  partsDy[at] = total;
  partsProduct[at] = product / sqrt(variance[c] + params.epsilon);
}

@compute @workgroup_size(WORKGROUP)
fn gradientSumsVectors(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let width = params.channels / 4u;
  let at = id.x + id.y * groups.x * WORKGROUP;
  if (at >= params.splits * width) { return; }
  let c = at % width;
  let center = meanVectors[c];
  var total = vec4f();
  var product = vec4f();
  for (var r = at / width; r < params.rows; r += params.splits) {
    let i = r * width + c;
    let upstream = dyVectors[i];
    total += upstream;
    product += upstream * (xVectors[i] - center);
  }
  partsDyVectors[at] = total;
  partsProductVectors[at] = product / sqrt(varianceVectors[c] + params.epsilon);
}

@compute @workgroup_size(WORKGROUP)
fn inputGradient(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let at = id.x + id.y * groups.x * WORKGROUP;
  if (at >= params.rows * params.channels) { return; }
  let c = at % params.channels;
  let deviation = sqrt(variance[c] + params.epsilon);
  let slope = sumProduct[c] * params.perRow / deviation;
  let centered = dy[at] - sumDy[c] * params.perRow - (x[at] - mean[c]) * slope;
  dx[at] = gamma[c] / deviation * centered;
}

@compute @workgroup_size(WORKGROUP_X, WORKGROUP_Y)
fn inputGradientVectors(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let width = params.channels / 4u;
  let c = id.x;
  let center = meanVectors[c];
  let deviation = sqrt(varianceVectors[c] + params.epsilon);
  let slope = sumProductVectors[c] * params.perRow / deviation;
  let average = sumDyVectors[c] * params.perRow;
  let factor = gammaVectors[c] / deviation;
  for (var r = id.y; r < params.rows; r += groups.y * WORKGROUP_Y) {
    let at = r * width + c;
    dxVectors[at] = factor * (dyVectors[at] - average - (xVectors[at] - center) * slope);
  }
}
