// feature: f, what a module shows of a unit, and its gradient. P = H*W; c and q are the channel and the place of the image's row.
//   channel   f = mean over p of x[c,p]                   df/dx[k,p] = [k = c] / P
//   neuron    f = x[c,q]                                  df/dx[k,p] = [k = c] [p = q]
//   direction f = mean over p of sum over k of v[k] x[k,p] df/dx[k,p] = v[k] / P
//   layer     f = mean over k and p of x[k,p]^2           df/dx[k,p] = 2 x[k,p] / (C P)
// value: partial[n,k] = the part of f of channel k, a workgroup each. total: values = (-sum w f, sum w f), as of class_terms, added up
// over terms. gradient: dx = -weight w df/dx. x: [N,C,H,W], v: [N,C]. Memory-bound.
#import lib/feature_row
#import lib/reduce
#import lib/term

const NEURON: u32 = 1;
const DIRECTION: u32 = 2;
const LAYER: u32 = 3;

// 0: channel.
override UNIT: u32 = 0;

struct Params {
    term: Term,
    channels: u32,   // C
    plane: u32,      // P
    partials: u32,   // total: of an image
    first: u32,      // total: 1 if values are yet to be written
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(3) var<storage, read> v: array<f32>;
@group(0) @binding(4) var<storage, read_write> partial: array<f32>;

// x and y of the grid are the channel and the image.
@compute @workgroup_size(LANES)
fn value(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
    let row = rows[group.y];
    let at = group.y * params.channels + group.x;
    // Of a channel or a neuron, the other channels are nothing.
    let counts = UNIT >= DIRECTION || group.x == row.channel;
    var begin = lane;
    var end = select(0u, params.plane, counts);
    if UNIT == NEURON {
        // A buffer holds the place: it does not lead outside of the plane.
        let place = min(row.place, params.plane - 1u);
        begin = place + lane;
        end = select(0u, place + 1u, counts);
    }
    var sum = 0.0;
    for (var p = begin; p < end; p += LANES) {
        let here = x[at * params.plane + p];
        sum += select(here, here * here, UNIT == LAYER);
    }
    var total = reduce_sum(sum, lane);
    if UNIT == DIRECTION {
        total *= v[at];
    }
    if UNIT == LAYER {
        total /= f32(params.channels);
    }
    if lane == 0u {
        partial[at] = total / select(f32(params.plane), 1.0, UNIT == NEURON);
    }
}

@compute @workgroup_size(LANES)
fn total(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
    let n = group.x;
    var sum = 0.0;
    for (var i = lane; i < params.partials; i += LANES) {
        sum += partial[n * params.partials + i];
    }
    let f = rows[n].weight * reduce_sum(sum, lane);
    if lane == 0u {
        let at = value_at(n, 0u);
        if params.first != 0u {
            values[at] = -f;
            values[at + 1u] = f;
        } else {
            values[at] -= f;
            values[at + 1u] += f;
        }
    }
}

// x, y and z of the grid are the place, the channel and the image.
@compute @workgroup_size(LANES)
fn gradient(@builtin(global_invocation_id) id: vec3u) {
    if id.x >= params.plane {
        return;
    }
    let row = rows[id.z];
    let at = id.z * params.channels + id.y;
    let i = at * params.plane + id.x;
    var slope = select(0.0, 1.0 / f32(params.plane), id.y == row.channel);
    if UNIT == NEURON {
        slope = select(0.0, 1.0, id.y == row.channel && id.x == row.place);
    }
    if UNIT == DIRECTION {
        slope = v[at] / f32(params.plane);
    }
    if UNIT == LAYER {
        slope = 2.0 * x[i] / (f32(params.channels) * f32(params.plane));
    }
    deliver(i, -weight_now() * row.weight * slope);
}
