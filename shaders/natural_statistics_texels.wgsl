// natural_statistics_texels: `measure` and `gradient` of natural_statistics over x and y = dx, [N,ceil(C/4),H,W] of vec4f, four channels
// each; moments, slopes: [N,C] in buffers. `distance` is the same for both. Memory-bound.
#import lib/term
#import lib/texels

struct Params {
    term: Term,
    channels: u32,   // C
    plane: u32,      // P
    layer: u32,
    mean_weight: f32,
    variance_weight: f32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(3) var<storage, read_write> moments: array<vec2f>;
@group(0) @binding(4) var<storage, read_write> slopes: array<vec2f>;

var<workgroup> parts: array<vec4f, LANES>;

// The sum over the workgroup, always in the same order.
fn sum_of(value: vec4f, lane: u32) -> vec4f {
    workgroupBarrier();
    parts[lane] = value;
    workgroupBarrier();
    var sum = parts[0];
    for (var i = 1u; i < LANES; i++) {
        sum += parts[i];
    }
    return sum;
}

// x and y of the grid are the quad of channels and the image.
@compute @workgroup_size(LANES)
fn measure(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
    let quads = (params.channels + 3u) / 4u;
    let first = (group.y * quads + group.x) * params.plane;
    var sum = vec4f();
    for (var p = lane; p < params.plane; p += LANES) {
        sum += load(first + p);
    }
    let mean = sum_of(sum, lane) / f32(params.plane);
    var squares = vec4f();
    for (var p = lane; p < params.plane; p += LANES) {
        let d = load(first + p) - mean;
        squares += d * d;
    }
    let variance = sum_of(squares, lane) / f32(params.plane);
    let channel = 4u * group.x + lane;
    if lane < 4u && channel < params.channels {
        moments[group.y * params.channels + channel] = vec2f(mean[lane], variance[lane]);
    }
}

// x, y and z of the grid are the place, the quad of channels and the image.
@compute @workgroup_size(LANES)
fn gradient(@builtin(global_invocation_id) id: vec3u) {
    if id.x >= params.plane {
        return;
    }
    var mean = vec4f();
    var constant = vec4f();
    var linear = vec4f();
    for (var k = 0u; k < 4u; k++) {
        let channel = 4u * id.y + k;
        if channel < params.channels {
            let at = id.z * params.channels + channel;
            mean[k] = moments[at].x;
            constant[k] = slopes[at].x;
            linear[k] = slopes[at].y;
        }
    }
    let i = (id.z * ((params.channels + 3u) / 4u) + id.y) * params.plane + id.x;
    store(i, weight_now() * (constant + linear * (load(i) - mean)));
}
