// conv2d by windows over texels, for groups and dilation: each invocation computes four channels of one position from their window.
// As conv2d/window, with x and y: [N,C/4,H,W]. If each channel is a group (DEPTHWISE), w is [C/4][KH*KW], a weight a channel.
// Else groups are whole texels, and w is [Y/4][X quads of a group][KH*KW][4]: the weights of four y, for each of the four x.
#import lib/texels

struct Params {
    x_h: u32,
    x_w: u32,
    y_h: u32,
    y_w: u32,
    x_quad_offset: u32,
    x_quad_stride: u32,
    y_quad_offset: u32,
    y_quad_stride: u32,
    x_group: u32,           // texels of a group
    y_group: u32,
    pad_top: u32,
    pad_left: u32,
}

override KERNEL_H: u32 = 3;
override KERNEL_W: u32 = 3;
override STRIDE_H: u32 = 1;
override STRIDE_W: u32 = 1;
override DILATION_H: u32 = 1;
override DILATION_W: u32 = 1;
override DEPTHWISE: u32 = 0;

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(3) var<storage, read> b: array<f32>;
@group(0) @binding(4) var w: texture_storage_2d<rgba32float, read>;

fn weights(i: u32) -> vec4f {
    return textureLoad(w, texel(i));
}

// What one position of x adds to four channels of y; `tap` is the place in w.
fn product(v: vec4f, tap: u32) -> vec4f {
    if DEPTHWISE != 0u {
        return weights(tap) * v;
    }
    let at = 4u * tap;
    return weights(at) * v.x + weights(at + 1u) * v.y + weights(at + 2u) * v.z + weights(at + 3u) * v.w;
}

// The texel of x at a position, which may lie outside: there it is zero.
fn load_at(plane: u32, row: i32, col: i32, exact: bool) -> vec4f {
    let inside = exact && row >= 0 && row < i32(params.x_h) && col >= 0 && col < i32(params.x_w);
    let at = select(0u, u32(row) * params.x_w + u32(col), inside);
    return select(vec4f(), load(plane + at), inside);
}

fn first_plane(quad: u32, image: u32) -> u32 {
    let first = quad / params.y_group * params.x_group;
    return (image * params.x_quad_stride + params.x_quad_offset + first) * params.x_h * params.x_w;
}

fn place(position: u32, quad: u32, image: u32) -> u32 {
    return (image * params.y_quad_stride + params.y_quad_offset + quad) * params.y_h * params.y_w + position;
}

@compute @workgroup_size(LANES)
fn forward(@builtin(global_invocation_id) id: vec3u) {
    let bias = vec4f(b[4u * id.y], b[4u * id.y + 1u], b[4u * id.y + 2u], b[4u * id.y + 3u]);
    if id.x >= params.y_h * params.y_w {
        return;
    }
    let row = id.x / params.y_w;
    let top = i32(row * STRIDE_H) - i32(params.pad_top);
    let left = i32((id.x - row * params.y_w) * STRIDE_W) - i32(params.pad_left);
    let first = first_plane(id.y, id.z);
    var sum = vec4f();
    for (var c = 0u; c < params.x_group; c++) {
        let plane = first + c * params.x_h * params.x_w;
        let window = (id.y * params.x_group + c) * KERNEL_H * KERNEL_W;
        for (var i = 0u; i < KERNEL_H; i++) {
            for (var j = 0u; j < KERNEL_W; j++) {
                let v = load_at(plane, top + i32(i * DILATION_H), left + i32(j * DILATION_W), true);
                sum += product(v, window + i * KERNEL_W + j);
            }
        }
    }
    let at = place(id.x, id.y, id.z);
    store(at, epilogue(sum + bias, at));
}

@compute @workgroup_size(LANES)
fn backward(@builtin(global_invocation_id) id: vec3u) {
    if id.x >= params.y_h * params.y_w {
        return;
    }
    let row = id.x / params.y_w;
    let down = i32(row + params.pad_top);
    let right = i32(id.x - row * params.y_w + params.pad_left);
    let first = first_plane(id.y, id.z);
    var sum = vec4f();
    for (var c = 0u; c < params.x_group; c++) {
        let plane = first + c * params.x_h * params.x_w;
        let window = (id.y * params.x_group + c) * KERNEL_H * KERNEL_W;
        for (var i = 0u; i < KERNEL_H; i++) {
            let h = down - i32(i * DILATION_H);
            let p = h / i32(STRIDE_H);
            for (var j = 0u; j < KERNEL_W; j++) {
                let v = right - i32(j * DILATION_W);
                let q = v / i32(STRIDE_W);
                let exact = h >= 0 && v >= 0 && p * i32(STRIDE_H) == h && q * i32(STRIDE_W) == v;
                sum += product(load_at(plane, p, q, exact), window + i * KERNEL_W + j);
            }
        }
    }
    let at = place(id.x, id.y, id.z);
    store(at, epilogue(sum, at));
}
