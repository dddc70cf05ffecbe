// Softmax and its logarithm over the last axis: x is `rows` rows of `columns` numbers.
//   softmax:      y[r, c] = e^(x[r, c] − top) / Σ_j e^(x[r, j] − top)             top = max_j x[r, j]
//   logSoftmax:   y[r, c] = x[r, c] − top − log(1 + t)      t = Σ_j e^(x[r, j] − top) without one largest term
// LANES invocations share a row: lane l takes the columns l, l + LANES, …, then a tree adds the lanes, so the order of a
// sum follows from `columns` alone. Short rows use one lane, and a workgroup holds WORKGROUP / LANES rows.
// Leaving out the largest term, which is exactly 1, keeps log(1 + t) precise where t is tiny: the loss of a sure prediction.
// A NaN or +∞ in a row, or nothing but −∞, makes the whole row NaN. Bytes: x read three times (from cache), y written once.
// FLOPs: about 12 per element.

struct Params {
  rows: u32,
  columns: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;

override WORKGROUP: u32 = 64;
override LANES: u32 = 1; // a power of two, at most WORKGROUP

var<workgroup> lanes: array<f32, WORKGROUP>;

fn isNan(value: f32) -> bool {
  return (bitcast<u32>(value) & 0x7fffffffu) > 0x7f800000u;
}

fn isFinite(value: f32) -> bool {
  return (bitcast<u32>(value) & 0x7f800000u) != 0x7f800000u;
}

fn notANumber() -> f32 {
  var bits = 0x7fc00000u;
  return bitcast<f32>(bits);
}

// max that keeps a NaN.
fn larger(a: f32, b: f32) -> f32 {
  if (isNan(a)) { return a; }
  if (isNan(b)) { return b; }
  return max(a, b);
}

fn largestOfLanes(value: f32, local: u32, lane: u32) -> f32 {
  lanes[local] = value;
  workgroupBarrier();
  for (var step = LANES / 2u; step > 0u; step /= 2u) {
    if (lane < step) { lanes[local] = larger(lanes[local], lanes[local + step]); }
    workgroupBarrier();
  }
  let result = lanes[local - lane];
  workgroupBarrier();
  return result;
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

// log(1 + t) for t ≥ 0; below 1/2 by 2·artanh(t / (2 + t)), since log() near 1 has an absolute error only.
fn logOnePlus(t: f32) -> f32 {
  let z = t / (2.0 + t);
  let q = z * z;
  let series = 2.0 * z * (1.0 + q * (1.0 / 3.0 + q * (1.0 / 5.0 + q * (1.0 / 7.0 + q * (1.0 / 9.0 + q / 11.0)))));
  return select(log(1.0 + t), series, t < 0.5);
}

fn largestOfRow(row: u32, local: u32, lane: u32) -> f32 {
  var top = -3.4028234e38;
  if (row < params.rows) {
    let base = row * params.columns;
    top = x[base + min(lane, params.columns - 1u)];
    for (var c = lane + LANES; c < params.columns; c += LANES) { top = larger(top, x[base + c]); }
  }
  return largestOfLanes(top, local, lane);
}

@compute @workgroup_size(WORKGROUP)
fn softmax(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) local: u32,
) {
  let lane = local % LANES;
  let row = (group.x + group.y * groups.x) * (WORKGROUP / LANES) + local / LANES;
  let base = row * params.columns;
  let top = largestOfRow(row, local, lane);
  var part = 0.0;
  if (row < params.rows) {
    for (var c = lane; c < params.columns; c += LANES) { part += exp(x[base + c] - top); }
  }
  let total = sumOfLanes(part, local, lane);
  if (row >= params.rows) { return; }
  for (var c = lane; c < params.columns; c += LANES) {
    y[base + c] = select(notANumber(), exp(x[base + c] - top) / total, isFinite(top));
  }
}

@compute @workgroup_size(WORKGROUP)
fn logSoftmax(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) local: u32,
) {
  let lane = local % LANES;
  let row = (group.x + group.y * groups.x) * (WORKGROUP / LANES) + local / LANES;
  let base = row * params.columns;
  let top = largestOfRow(row, local, lane);
  var part = 0.0;
  var ties = 0.0;
  if (row < params.rows) {
    for (var c = lane; c < params.columns; c += LANES) {
      if (x[base + c] == top) { ties += 1.0; } else { part += exp(x[base + c] - top); }
    }
  }
  let rest = sumOfLanes(part, local, lane);
  let tied = sumOfLanes(ties, local, lane);
  if (row >= params.rows) { return; }
  let logarithm = logOnePlus(rest + (tied - 1.0));
  for (var c = lane; c < params.columns; c += LANES) {
    y[base + c] = select(notANumber(), (x[base + c] - top) - logarithm, isFinite(top));
  }
}
