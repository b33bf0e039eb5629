// local_response_norm: y[c] = x[c] * scale[c]^-beta, scale[c] = k + alpha/size * sum of x[j]^2 over the channels j of c's window;
// dx[c] = dy[c]*scale[c]^-beta - 2*alpha*beta/size * x[c] * sum of dy[j]*x[j]*scale[j]^(-beta-1) over the j whose window has c.
// All [N,C,H,W]. x, y, z of the grid are the place in the plane, the channel and the image. Memory-bound.
#import lib/nan
#import lib/epilogue

struct Params {
    channels: u32,
    plane: u32,      // H*W
    before: u32,     // channels of the window before c, and after it
    after: u32,
    alpha: f32,      // divided by the window's size
    beta: f32,
    k: f32,
    epilogue: u32,
}

const WORKGROUP: u32 = 64;

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;
@group(0) @binding(3) var<storage, read> dy: array<f32>;
@group(0) @binding(4) var<storage, read_write> dx: array<f32>;

fn place(id: vec3u, channel: u32) -> u32 {
    return (id.z * params.channels + channel) * params.plane + id.x;
}

fn scale(id: vec3u, channel: u32) -> f32 {
    var sum = 0.0;
    let end = min(channel + params.after + 1u, params.channels);
    for (var j = max(channel, params.before) - params.before; j < end; j++) {
        let v = x[place(id, j)];
        sum += v * v;
    }
    return params.k + params.alpha * sum;
}

// Of a NaN, pow may make anything.
fn power(s: f32, exponent: f32) -> f32 {
    return select(pow(s, exponent), s, is_nan(s));
}

@compute @workgroup_size(WORKGROUP)
fn forward(@builtin(global_invocation_id) id: vec3u) {
    if id.x < params.plane {
        let at = place(id, id.y);
        y[at] = x[at] * power(scale(id, id.y), -params.beta);
    }
}

// The scale is computed again: cheaper than to write and read it.
@compute @workgroup_size(WORKGROUP)
fn backward(@builtin(global_invocation_id) id: vec3u) {
    if id.x >= params.plane {
        return;
    }
    var sum = 0.0;
    let end = min(id.y + params.before + 1u, params.channels);
    for (var j = max(id.y, params.after) - params.after; j < end; j++) {
        let at = place(id, j);
        sum += dy[at] * x[at] * power(scale(id, j), -params.beta - 1.0);
    }
    let at = place(id, id.y);
    let v = dy[at] * power(scale(id, id.y), -params.beta) - 2.0 * params.alpha * params.beta * x[at] * sum;
    dx[at] = epilogue(v, at);
}
