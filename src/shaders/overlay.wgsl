// A heat map drawn over the frame that it explains, straight to a canvas.
//   colour = frame · (1 − weight) + palette[heat] · weight,    weight = alpha · (1 − (1 − heat)²)
//   heat   = max(0, value) / peak, up-sampled with half-pixel centres; a map without a positive value leaves the frame as it is
// The window says which part of the frame the map covers: outside it the frame is drawn as it is. frame: RGBA texture of 0 to 1.
// heat: [mapHeight, mapWidth], any scale. palette: 256 packed RGBA bytes. One invocation per canvas pixel and one triangle that
// covers all of them; each reads the map once more for its peak, which a map of a few hundred cells allows.

struct Params {
  window: vec4f, // left, top, width, height of the map's part of the frame, as shares of it
  mapSize: vec2u,
  alpha: f32,
  mirrored: u32, // 1: as a camera that faces its user is shown
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var frame: texture_2d<f32>;
@group(0) @binding(2) var<storage, read> heat: array<f32>;
@group(0) @binding(3) var<storage, read> palette: array<u32>;
@group(0) @binding(4) var linearSampler: sampler;

struct Corner {
  @builtin(position) position: vec4f,
  @location(0) place: vec2f,
}

@vertex
fn corner(@builtin(vertex_index) index: u32) -> Corner {
  let place = vec2f(f32((index << 1u) & 2u), f32(index & 2u));
  return Corner(vec4f(place * vec2f(2.0, -2.0) + vec2f(-1.0, 1.0), 0.0, 1.0), place);
}

fn value(cell: vec2i) -> f32 {
  let inside = clamp(cell, vec2i(0), vec2i(params.mapSize) - 1);
  return max(0.0, heat[u32(inside.y) * params.mapSize.x + u32(inside.x)]);
}

fn peak() -> f32 {
  var most = 0.0;
  for (var at = 0u; at < params.mapSize.x * params.mapSize.y; at++) { most = max(most, heat[at]); }
  return most;
}

fn heatAt(place: vec2f) -> f32 {
  let position = place * vec2f(params.mapSize) - 0.5;
  let cell = vec2i(floor(position));
  let share = position - floor(position);
  let above = mix(value(cell), value(cell + vec2i(1, 0)), share.x);
  let below = mix(value(cell + vec2i(0, 1)), value(cell + vec2i(1, 1)), share.x);
  return mix(above, below, share.y);
}

@fragment
fn blend(in: Corner) -> @location(0) vec4f {
  let place = select(in.place, vec2f(1.0 - in.place.x, in.place.y), params.mirrored == 1u);
  let colour = textureSampleLevel(frame, linearSampler, place, 0.0).rgb;
  let inside = (place - params.window.xy) / params.window.zw;
  let most = peak();
  if (most <= 0.0 || any(inside < vec2f(0.0)) || any(inside > vec2f(1.0))) { return vec4f(colour, 1.0); }
  let share = clamp(heatAt(inside) / most, 0.0, 1.0);
  let weight = params.alpha * (1.0 - (1.0 - share) * (1.0 - share));
  return vec4f(mix(colour, unpack4x8unorm(palette[u32(round(255.0 * share))]).rgb, weight), 1.0);
}
