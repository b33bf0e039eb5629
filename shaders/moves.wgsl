// moves: y[k] = x[p(k)], where along each axis of y a table says which place of one axis of x is read, or that none is and y = value. This is
// permute, slice, pad, expand and gather. dx[p] = sum of dy[k] over the k that read p: along each axis of x a table lists them.
// Of any shape. Memory-bound, 8 B an element and its lookups.
#import lib/index
#import lib/epilogue

struct Params {
    axes: array<vec4u, 6>, // of y, backward of x: extent, and where its part of the table begins
    len: u32,              // elements of y, or of dx
    value: f32,
    epilogue: u32,
    unused: u32,
}

override AXES: u32 = 6;

const NONE: u32 = 0xffffffffu;

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;
@group(0) @binding(3) var<storage, read> places: array<u32>;  // for each place on an axis of y: its share of the index of x, or NONE
@group(0) @binding(4) var<storage, read> readers: array<u32>; // for each place on an axis of x: where its list begins; the lists: shares of y's
@group(0) @binding(5) var<storage, read> dy: array<f32>;
@group(0) @binding(6) var<storage, read_write> dx: array<f32>;

@compute @workgroup_size(WORKGROUP)
fn forward(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
    let i = flat_index(id, groups);
    if i >= params.len {
        return;
    }
    var rest = i;
    var at = 0u;
    var inside = true;
    for (var axis = AXES; axis > 0u; axis--) {
        let row = params.axes[axis - 1u];
        let quotient = rest / row.x;
        let share = places[row.y + rest - quotient * row.x];
        inside = inside && share != NONE;
        at += select(0u, share, share != NONE);
        rest = quotient;
    }
    y[i] = select(params.value, x[at], inside);
}

@compute @workgroup_size(WORKGROUP)
fn backward(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
    let i = flat_index(id, groups);
    if i >= params.len {
        return;
    }
    // The lists of this place along each axis. The elements of y that read it are all combinations of their items.
    var first: array<u32, 6>;
    var count: array<u32, 6>;
    var rest = i;
    var terms = 1u;
    for (var axis = AXES; axis > 0u; axis--) {
        let row = params.axes[axis - 1u];
        let quotient = rest / row.x;
        let list = row.y + rest - quotient * row.x;
        first[axis - 1u] = readers[list];
        count[axis - 1u] = readers[list + 1u] - readers[list];
        terms *= count[axis - 1u];
        rest = quotient;
    }
    var sum = 0.0;
    for (var t = 0u; t < terms; t++) {
        var items = t;
        var at = 0u;
        for (var axis = AXES; axis > 0u; axis--) {
            let quotient = items / count[axis - 1u];
            at += readers[first[axis - 1u] + items - quotient * count[axis - 1u]];
            items = quotient;
        }
        sum += dy[at];
    }
    dx[i] = epilogue(sum, i);
}
