// reduce: y = the sum, mean, maximum or minimum of x over some of its axes. dx = dy, dy / terms, or dy to the elements of x that are the extreme
// one, in equal parts. Of any shape. Memory-bound, 4 B an element forward.
#import lib/index
#import lib/nan
#import lib/reduce
#import lib/epilogue
#import lib/axes

override KIND: u32 = 0;

const SUM: u32 = 0;
const MEAN: u32 = 1;
const MAX: u32 = 2;
const MIN: u32 = 3;

struct Params {
    axes: array<vec4u, 6>, // forward: the axes of y, then those of the sum: extent, stride in x. backward: those of x: extent, stride in y
    len: u32,              // elements of y, or of dx
    outer: u32,            // forward: axes of y
    terms: u32,            // elements of x for each of y
    epilogue: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;
@group(0) @binding(3) var<storage, read_write> ties: array<f32>;
@group(0) @binding(4) var<storage, read> dy: array<f32>;
@group(0) @binding(5) var<storage, read_write> dx: array<f32>;
@group(0) @binding(6) var<storage, read> best: array<f32>;   // y of the forward
@group(0) @binding(7) var<storage, read> shared_by: array<f32>;   // ties of the forward

// A minimum is a maximum of the negated values.
fn signed(v: f32) -> f32 {
    return select(v, -v, KIND == MIN);
}

// The larger one; a NaN wins.
fn larger(a: f32, b: f32) -> f32 {
    return select(select(a, b, b > a), b, is_nan(b));
}

fn value(at: u32, t: u32) -> f32 {
    return x[at + places(t, params.outer, AXES).x];
}

@compute @workgroup_size(WORKGROUP)
fn sum(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
    let i = flat_index(id, groups);
    if i >= params.len {
        return;
    }
    let at = places(i, 0u, params.outer).x;
    var total = 0.0;
    for (var t = 0u; t < params.terms; t++) {
        total += value(at, t);
    }
    y[i] = select(total, total / f32(params.terms), KIND == MEAN);
}

// The same by a workgroup an element, for long sums.
@compute @workgroup_size(LANES)
fn sum_long(
    @builtin(workgroup_id) group: vec3u,
    @builtin(num_workgroups) groups: vec3u,
    @builtin(local_invocation_index) lane: u32,
) {
    let i = group.y * groups.x + group.x;
    if i >= params.len {
        return;
    }
    let at = places(i, 0u, params.outer).x;
    var partial = 0.0;
    for (var t = lane; t < params.terms; t += LANES) {
        partial += value(at, t);
    }
    let total = reduce_sum(partial, lane);
    if lane == 0u {
        y[i] = select(total, total / f32(params.terms), KIND == MEAN);
    }
}

// The extreme value, and how many elements have it.
@compute @workgroup_size(WORKGROUP)
fn extreme(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
    let i = flat_index(id, groups);
    if i >= params.len {
        return;
    }
    let at = places(i, 0u, params.outer).x;
    var top = signed(value(at, 0u));
    var count = 0.0;
    for (var t = 0u; t < params.terms; t++) {
        let v = signed(value(at, t));
        count = select(select(count, count + 1.0, v == top), 1.0, v > top);
        top = larger(top, v);
    }
    y[i] = signed(top);
    ties[i] = count;
}

@compute @workgroup_size(LANES)
fn extreme_long(
    @builtin(workgroup_id) group: vec3u,
    @builtin(num_workgroups) groups: vec3u,
    @builtin(local_invocation_index) lane: u32,
) {
    let i = group.y * groups.x + group.x;
    if i >= params.len {
        return;
    }
    let at = places(i, 0u, params.outer).x;
    // `reduce_max` may drop a NaN, but a sum does not.
    var high = signed(value(at, 0u));
    var fault = 0.0;
    for (var t = lane; t < params.terms; t += LANES) {
        let v = signed(value(at, t));
        high = max(high, v);
        fault = select(fault, v, is_nan(v));
    }
    let top = reduce_max(high, lane);
    let faults = reduce_sum(fault, lane);
    var count = 0.0;
    for (var t = lane; t < params.terms; t += LANES) {
        count += select(0.0, 1.0, signed(value(at, t)) == top);
    }
    let all = reduce_sum(count, lane);
    if lane == 0u {
        y[i] = select(signed(top), faults, is_nan(faults));
        ties[i] = all;
    }
}

@compute @workgroup_size(WORKGROUP)
fn sum_backward(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
    let i = flat_index(id, groups);
    if i < params.len {
        let d = dy[places(i, 0u, AXES).x];
        dx[i] = epilogue(select(d, d / f32(params.terms), KIND == MEAN), i);
    }
}

@compute @workgroup_size(WORKGROUP)
fn extreme_backward(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
    let i = flat_index(id, groups);
    if i < params.len {
        let at = places(i, 0u, AXES).x;
        dx[i] = epilogue(select(0.0, dy[at] / shared_by[at], x[i] == best[at]), i);
    }
}
