// Where each of the 256 levels of an image's channel goes when steps follow one another, without touching the image in between:
//   levelTable:   table[n, c, v] = the level that v has become after program[n] of K steps (code, amount)
//     0 nothing        1 equalise, by the counts of where the levels are by then, as `equaliseTable` of histogram.wgsl
//     2 posterise the upper a bits of the level, a from 0 to 8        3 solarise 255 − v where v ≥ a
// One workgroup of one invocation per (n, c): a few thousand steps on integers. Bytes: 8 per level.
// Gain: the `advanced` policy, which has three chains of such steps, takes 0.58 of the processor time that it took when each step
// was a pass over the image (SwiftShader, docs/decisions/065).

struct Params {
  lines: u32, // images × channels
  channels: u32,
  steps: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> counts: array<u32>;
@group(0) @binding(2) var<storage, read> program: array<i32>;
@group(0) @binding(3) var<storage, read_write> table: array<f32>;

const LEVELS: u32 = 256u;

var<workgroup> levels: array<u32, LEVELS>;
// Counts by level, and then where equalisation brings it.
var<workgroup> tally: array<u32, LEVELS>;

fn equalise(first: u32) {
  for (var v = 0u; v < LEVELS; v++) { tally[v] = 0u; }
  for (var v = 0u; v < LEVELS; v++) { tally[levels[v]] += counts[first + v]; }
  var total = 0u;
  var last = 0u;
  for (var v = 0u; v < LEVELS; v++) {
    total += tally[v];
    if (tally[v] > 0u) { last = tally[v]; }
  }
  let step = (total - last) / 255u;
  var below = step / 2u;
  for (var v = 0u; v < LEVELS; v++) {
    let here = tally[v];
    tally[v] = select(min(below / max(step, 1u), 255u), v, step == 0u);
    below += here;
  }
  for (var v = 0u; v < LEVELS; v++) { levels[v] = tally[levels[v]]; }
}

@compute @workgroup_size(1)
fn levelTable(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let line = group.x + group.y * groups.x;
  if (line >= params.lines) { return; }
  let first = LEVELS * line;
  for (var v = 0u; v < LEVELS; v++) { levels[v] = v; }
  for (var k = 0u; k < params.steps; k++) {
    let at = 2u * (params.steps * (line / params.channels) + k);
    let amount = program[at + 1u];
    if (program[at] == 1) { equalise(first); }
    if (program[at] == 2) {
      let dropped = 8u - u32(clamp(amount, 0, 8));
      for (var v = 0u; v < LEVELS; v++) { levels[v] = (levels[v] >> dropped) << dropped; }
    }
    if (program[at] == 3) {
      for (var v = 0u; v < LEVELS; v++) { levels[v] = select(levels[v], 255u - levels[v], i32(levels[v]) >= amount); }
    }
  }
  for (var v = 0u; v < LEVELS; v++) { table[first + v] = f32(levels[v]); }
}
