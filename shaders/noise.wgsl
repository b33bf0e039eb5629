// noise: y[n,i] = x[n,i] + deviation * g[n,i], g of the standard normal distribution. The elements i of an image come in groups of four.
// Group q draws four words h = pcg4d(q, k0, k1, 0) (Jarzynski and Olano 2020), where k0, k1 are the image's key of the step; two words make two
// numbers (Box and Muller 1958). So an element's noise depends on nothing else. The gradient is the identity. x, y: [N,C,H,W]. Compute-bound.
#import lib/index
#import lib/clock

struct Params {
    steps: u32,
    images: u32,
    len: u32,        // elements of an image
    deviation: f32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> theta: array<f32>;   // [steps,N,10]: the key, then eight that do not count
@group(0) @binding(3) var<storage, read_write> y: array<f32>;

fn pcg4d(seed: vec4u) -> vec4u {
    var v = mixed(seed * 1664525u + 1013904223u);
    v ^= v >> vec4u(16u);
    return mixed(v);
}

fn mixed(u: vec4u) -> vec4u {
    var v = u;
    v.x += v.y * v.w;
    v.y += v.z * v.x;
    v.z += v.x * v.y;
    v.w += v.y * v.z;
    return v;
}

// A word as a number of [0,1), a multiple of 2^-24.
fn unit(word: u32) -> f32 {
    return f32(word >> 8u) * 0x1p-24;
}

fn pair(words: vec2u) -> vec2f {
    let radius = sqrt(-2.0 * log(1.0 - unit(words.x)));
    let angle = 6.283185307179586 * (unit(words.y) - 0.5);
    return radius * vec2f(cos(angle), sin(angle));
}

@compute @workgroup_size(WORKGROUP)
fn step(@builtin(global_invocation_id) id: vec3u) {
    let first = 4u * id.x;
    if first >= params.len {
        return;
    }
    let key = 10u * (step_now() * params.images + id.z);
    let words = pcg4d(vec4u(id.x, u32(theta[key]), u32(theta[key + 1u]), 0u));
    let normal = vec4f(pair(words.xy), pair(words.zw));
    for (var i = 0u; i < 4u; i++) {
        if first + i < params.len {
            let at = id.z * params.len + first + i;
            y[at] = x[at] + params.deviation * normal[i];
        }
    }
}
