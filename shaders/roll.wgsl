// roll: y[n,c,i,j] = x[n,c,(i + t1) mod h, (s*j + t0) mod w], s = 1 or -1: moves an image by whole pixels, around its edges, or mirrors it.
// dx[n,c,(i + t1) mod h, (s*j + t0) mod w] = dy[n,c,i,j]. theta = (s 0 t0 0 1 t1) as in affine_warp; each image has its own, and its own
// extents h, w within the tensors. Beyond them y and dx are 0. x, y: [N,C,H,W]. Memory-bound.
#import lib/index
#import lib/clock

struct Params {
    steps: u32,
    images: u32,
    channels: u32,
    h: u32,
    w: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> theta: array<f32>;   // [steps,N,10], as in affine_warp
@group(0) @binding(3) var<storage, read_write> y: array<f32>;

// 1: the adjoint, from dy to dx.
override BACK: u32 = 0;

// v mod n, from 0 to n - 1.
fn wrapped(v: vec2i, n: vec2i) -> vec2u {
    return vec2u((v % n + n) % n);
}

@compute @workgroup_size(WORKGROUP)
fn step(@builtin(global_invocation_id) id: vec3u) {
    if id.x >= params.w {
        return;
    }
    let row = 10u * (step_now() * params.images + id.z);
    // A buffer holds the extents: they do not reach beyond the tensors. Clamped as integers, since NaN may pass a clamp of floats.
    let size = clamp(vec2i(vec2f(theta[row + 7u], theta[row + 6u])), vec2i(1), vec2i(i32(params.w), i32(params.h)));
    let shift = vec2i(vec2f(theta[row + 2u], theta[row + 5u]));
    let mirrors = theta[row] < 0.0;
    let at = vec2i(id.xy);
    // Whatever the map holds, `origin` lies within the extents.
    var origin = at + shift;
    if BACK != 0u {
        origin = at - shift;
    }
    if mirrors {
        origin.x = shift.x - at.x;
    }
    let place = wrapped(origin, size);
    let inside = all(at < size);
    let plane = params.h * params.w;
    for (var c = 0u; c < params.channels; c++) {
        let first = (id.z * params.channels + c) * plane;
        y[first + id.y * params.w + id.x] = select(0.0, x[first + place.y * params.w + place.x], inside);
    }
}
