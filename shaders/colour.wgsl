// colour: y[c] = f(sum over i of M[c][i]·x[i]) at every place, f(v) = 1 / (1 + exp(-v)) or f(v) = v; channels of their own, decorrelated, become
// red, green and blue in [0,1]. dx[i] = sum over c of M[c][i]·dy[c]·y[c]·(1 - y[c]). x, y: [N,3,H,W]. Memory-bound.
// The entry points `each` are the same without M, y[c] = f(x[c]), for any number of channels.
#import lib/index

// 0: f(v) = v.
override SIGMOID: u32 = 1;

struct Params {
    plane: u32,      // H W
    m00: f32,
    m01: f32,
    m02: f32,
    m10: f32,
    m11: f32,
    m12: f32,
    m20: f32,
    m21: f32,
    m22: f32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;
@group(0) @binding(3) var<storage, read> dy: array<f32>;
@group(0) @binding(4) var<storage, read> out: array<f32>;   // y again, to read
@group(0) @binding(5) var<storage, read_write> dx: array<f32>;

// The columns of M are WGSL's columns.
fn matrix() -> mat3x3f {
    return mat3x3f(
        params.m00, params.m10, params.m20, params.m01, params.m11, params.m21, params.m02, params.m12, params.m22,
    );
}

@compute @workgroup_size(WORKGROUP)
fn forward(@builtin(global_invocation_id) id: vec3u) {
    if id.x >= params.plane {
        return;
    }
    let red = 3u * id.z * params.plane + id.x;
    let green = red + params.plane;
    let blue = green + params.plane;
    var v = matrix() * vec3f(x[red], x[green], x[blue]);
    if SIGMOID != 0u {
        v = 1.0 / (1.0 + exp(-v));
    }
    y[red] = v.x;
    y[green] = v.y;
    y[blue] = v.z;
}

@compute @workgroup_size(WORKGROUP)
fn backward(@builtin(global_invocation_id) id: vec3u) {
    if id.x >= params.plane {
        return;
    }
    let red = 3u * id.z * params.plane + id.x;
    let green = red + params.plane;
    let blue = green + params.plane;
    var dv = vec3f(dy[red], dy[green], dy[blue]);
    if SIGMOID != 0u {
        let v = vec3f(out[red], out[green], out[blue]);
        dv *= v * (1.0 - v);
    }
    let d = transpose(matrix()) * dv;
    dx[red] = d.x;
    dx[green] = d.y;
    dx[blue] = d.z;
}

@compute @workgroup_size(WORKGROUP)
fn forward_each(@builtin(global_invocation_id) id: vec3u) {
    if id.x >= params.plane {
        return;
    }
    let i = id.z * params.plane + id.x;
    let v = x[i];
    y[i] = select(v, 1.0 / (1.0 + exp(-v)), SIGMOID != 0u);
}

@compute @workgroup_size(WORKGROUP)
fn backward_each(@builtin(global_invocation_id) id: vec3u) {
    if id.x >= params.plane {
        return;
    }
    let i = id.z * params.plane + id.x;
    let v = out[i];
    dx[i] = select(dy[i], dy[i] * v * (1.0 - v), SIGMOID != 0u);
}
