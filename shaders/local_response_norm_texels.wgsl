// local_response_norm_texels: as local_response_norm, four channels at a time, for windows of at most four channels before and
// four after. x, y, z of the grid are the place in the plane, the quad of channels and the image. Memory-bound.
#import lib/nan
#import lib/texels

struct Params {
    quads: u32,      // ceil(C/4)
    plane: u32,      // H*W
    alpha: f32,      // divided by the window's size
    beta: f32,
    k: f32,
}

// Channels of the window before and after its own.
override BEFORE: u32 = 2;
override AFTER: u32 = 2;

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(3) var dy: texture_storage_2d<rgba32float, read>;

// For each channel of b the sum over so many channels before and after it, of which a and c are the quads around b.
fn window_sum(a: vec4f, b: vec4f, c: vec4f, before: u32, after: u32) -> vec4f {
    var sum = b;
    if before > 0u {
        sum += vec4f(a.w, b.xyz);
    }
    if before > 1u {
        sum += vec4f(a.zw, b.xy);
    }
    if before > 2u {
        sum += vec4f(a.yzw, b.x);
    }
    if before > 3u {
        sum += a;
    }
    if after > 0u {
        sum += vec4f(b.yzw, c.x);
    }
    if after > 1u {
        sum += vec4f(b.zw, c.xy);
    }
    if after > 2u {
        sum += vec4f(b.w, c.xyz);
    }
    if after > 3u {
        sum += c;
    }
    return sum;
}

fn place(id: vec3u, quad: u32) -> u32 {
    return (id.z * params.quads + quad) * params.plane + id.x;
}

// A quad of x; zeros around the tensor.
fn quad_of_x(id: vec3u, quad: u32) -> vec4f {
    let v = load(place(id, min(quad, params.quads - 1u)));
    return select(vec4f(), v, quad < params.quads);
}

fn quad_of_dy(id: vec3u, quad: u32) -> vec4f {
    let v = textureLoad(dy, texel(place(id, min(quad, params.quads - 1u))));
    return select(vec4f(), v, quad < params.quads);
}

fn scale(a: vec4f, b: vec4f, c: vec4f) -> vec4f {
    return params.k + params.alpha * window_sum(a * a, b * b, c * c, BEFORE, AFTER);
}

// Of a NaN, pow may make anything.
fn power(s: vec4f, exponent: f32) -> vec4f {
    return select(pow(s, vec4f(exponent)), s, are_nan(s));
}

@compute @workgroup_size(LANES)
fn forward(@builtin(global_invocation_id) id: vec3u) {
    if id.x >= params.plane {
        return;
    }
    let at = place(id, id.y);
    let v = load(at);
    let s = scale(quad_of_x(id, id.y - 1u), v, quad_of_x(id, id.y + 1u));
    store(at, v * power(s, -params.beta));
}

@compute @workgroup_size(LANES)
fn backward(@builtin(global_invocation_id) id: vec3u) {
    if id.x >= params.plane {
        return;
    }
    let q = id.y;
    let a = quad_of_x(id, q - 2u);
    let b = quad_of_x(id, q - 1u);
    let v = quad_of_x(id, q);
    let d = quad_of_x(id, q + 1u);
    let e = quad_of_x(id, q + 2u);
    let s = scale(b, v, d);
    let dv = quad_of_dy(id, q);
    // dy*x*scale^(-beta-1) of this quad and of those around it. A channel is in the windows of those before it by the part
    // after their own, and the other way round.
    let exponent = -params.beta - 1.0;
    let own = power(s, exponent);
    let before = quad_of_dy(id, q - 1u) * b * power(scale(a, b, v), exponent);
    let after = quad_of_dy(id, q + 1u) * d * power(scale(v, d, e), exponent);
    let sum = window_sum(before, dv * v * own, after, AFTER, BEFORE);
    let at = place(id, q);
    store(at, epilogue(dv * own * s - 2.0 * params.alpha * params.beta * v * sum, at));
}
