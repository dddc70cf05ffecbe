// Gradients of softmax and its logarithm over the last axis, from the output y and its cotangent dy [rows, columns]:
//   softmaxGradient:      dx[r, c] = y[r, c] · (dy[r, c] − w[r])        w[r] = Σ_j y[r, j] · dy[r, j] / Σ_j y[r, j]
//   softmaxCenter:        dx[r, c] = dy[r, c] − w[r]
//   logSoftmaxGradient:   dx[r, c] = dy[r, c] − e^y[r, c] · Σ_j dy[r, j]
// Where one probability is close to 1 these subtract nearly equal numbers, and a training step would lose the gradients of its
// sure samples. So the weighted mean w is corrected once from the deviations, and for y near 0 the logarithm's gradient is
// taken as dy · (1 − e^y) − e^y · (Σ dy − dy) with a series for 1 − e^y.
// LANES invocations share a row: lane l takes the columns l, l + LANES, …, then a tree adds the lanes, so the order of a
// sum follows from `columns` alone. Bytes: y and dy read two or three times (from cache), dx written once.
// FLOPs: 8 to 20 per element.

struct Params {
  rows: u32,
  columns: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> y: array<f32>;
@group(0) @binding(2) var<storage, read> dy: array<f32>;
@group(0) @binding(3) var<storage, read_write> dx: array<f32>;

override WORKGROUP: u32 = 64;
override LANES: u32 = 1; // a power of two, at most WORKGROUP

var<workgroup> lanes: array<f32, WORKGROUP>;

fn isNan(value: f32) -> bool {
  return (bitcast<u32>(value) & 0x7fffffffu) > 0x7f800000u;
}

fn sumOfLanes(value: f32, local: u32, lane: u32) -> f32 {
  lanes[local] = value;
  workgroupBarrier();
  for (var step = LANES / 2u; step > 0u; step /= 2u) {
    if (lane < step) { lanes[local] += lanes[local + step]; }
    workgroupBarrier();
  }
  let result = lanes[local - lane];
  workgroupBarrier();
  return result;
}

// The mean of dy weighted by y, as a first value and its correction.
fn weightedMean(row: u32, local: u32, lane: u32) -> vec2f {
  let base = row * params.columns;
  var weights = 0.0;
  var products = 0.0;
  if (row < params.rows) {
    for (var c = lane; c < params.columns; c += LANES) {
      weights += y[base + c];
      products += y[base + c] * dy[base + c];
    }
  }
  let weight = sumOfLanes(weights, local, lane);
  let first = sumOfLanes(products, local, lane) / weight;
  var deviations = 0.0;
  if (row < params.rows) {
    for (var c = lane; c < params.columns; c += LANES) { deviations += y[base + c] * (dy[base + c] - first); }
  }
  let correction = sumOfLanes(deviations, local, lane) / weight;
  // An infinite mean needs none: ∞ − ∞ would make the whole row NaN.
  return vec2f(first, select(0.0, correction, (bitcast<u32>(first) & 0x7f800000u) != 0x7f800000u));
}

// 1 − e^v for |v| < 1/2 by its series, since the difference would lose the digits.
fn oneMinusExp(v: f32) -> f32 {
  let tail = 1.0 + v / 5.0 * (1.0 + v / 6.0 * (1.0 + v / 7.0 * (1.0 + v / 8.0 * (1.0 + v / 9.0))));
  return -v * (1.0 + v / 2.0 * (1.0 + v / 3.0 * (1.0 + v / 4.0 * tail)));
}

@compute @workgroup_size(WORKGROUP)
fn softmaxGradient(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) local: u32,
) {
  let lane = local % LANES;
  let row = (group.x + group.y * groups.x) * (WORKGROUP / LANES) + local / LANES;
  let base = row * params.columns;
  let center = weightedMean(row, local, lane);
  if (row >= params.rows) { return; }
  for (var c = lane; c < params.columns; c += LANES) {
    dx[base + c] = y[base + c] * ((dy[base + c] - center.x) - center.y);
  }
}

@compute @workgroup_size(WORKGROUP)
fn softmaxCenter(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) local: u32,
) {
  let lane = local % LANES;
  let row = (group.x + group.y * groups.x) * (WORKGROUP / LANES) + local / LANES;
  let base = row * params.columns;
  let center = weightedMean(row, local, lane);
  if (row >= params.rows) { return; }
  for (var c = lane; c < params.columns; c += LANES) {
    dx[base + c] = (dy[base + c] - center.x) - center.y;
  }
}

@compute @workgroup_size(WORKGROUP)
fn logSoftmaxGradient(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) local: u32,
) {
  let lane = local % LANES;
  let row = (group.x + group.y * groups.x) * (WORKGROUP / LANES) + local / LANES;
  let base = row * params.columns;
  var part = 0.0;
  if (row < params.rows) {
    for (var c = lane; c < params.columns; c += LANES) { part += dy[base + c]; }
  }
  let total = sumOfLanes(part, local, lane);
  if (row >= params.rows) { return; }
  for (var c = lane; c < params.columns; c += LANES) {
    let own = dy[base + c];
    let logarithm = y[base + c];
    let probability = select(exp(logarithm), logarithm, isNan(logarithm)); // exp may lose a NaN
    if (abs(logarithm) < 0.5) {
      dx[base + c] = own * oneMinusExp(logarithm) - probability * (total - own);
    } else {
      dx[base + c] = own - probability * total;
    }
  }
}
