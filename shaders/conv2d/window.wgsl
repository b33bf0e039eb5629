// conv2d by windows, for groups and dilation: each invocation computes one element from its window, in one order.
// forward: y[n,o,p] = b[o] + sum over c, k of w[o,c,k] * x[n,g*CX+c,p*stride+k*dilation-pad], where g = o / CY is the group of o.
// backward: dx[n,c,q] = sum over o, k of w[g*CX+o,c mod CY,k] * dy[n,g*CX+o,(q+pad-k*dilation)/stride], over exact quotients, g = c / CY.
// x is what is read and y what is written: [N,C,H,W], each some channels of what is stored or all. CX and CY: channels of a group in
// them. w: [O,C/groups,KH,KW] in both directions. Compute-bound unless a group is narrow: 2*CX*KH*KW FLOP an element.
#import lib/epilogue
#import lib/index
#import lib/nan

struct Params {
    x_h: u32,
    x_w: u32,
    y_h: u32,
    y_w: u32,
    x_channel_offset: u32,  // channel at which x begins
    x_channel_stride: u32,  // channels of an image that are stored where x is
    y_channel_offset: u32,
    y_channel_stride: u32,
    x_group: u32,           // CX
    y_group: u32,           // CY
    pad_top: u32,
    pad_left: u32,
    bias: u32,              // 1: add b[o]
    relu: u32,              // 1: y = max(y, 0), last
    epilogue: u32,
}

override KERNEL_H: u32 = 3;
override KERNEL_W: u32 = 3;
override STRIDE_H: u32 = 1;
override STRIDE_W: u32 = 1;
override DILATION_H: u32 = 1;
override DILATION_W: u32 = 1;

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> w: array<f32>;
@group(0) @binding(3) var<storage, read> b: array<f32>;
@group(0) @binding(4) var<storage, read_write> y: array<f32>;

// Where the first channel of a group lies in x.
fn first_plane(channel: u32, image: u32) -> u32 {
    let first = channel / params.y_group * params.x_group;
    return (image * params.x_channel_stride + params.x_channel_offset + first) * params.x_h * params.x_w;
}

fn store(position: u32, channel: u32, image: u32, value: f32) {
    let at = (image * params.y_channel_stride + params.y_channel_offset + channel) * params.y_h * params.y_w + position;
    let out = epilogue(value, at);
    y[at] = select(out, rectified(out), params.relu != 0u);
}

@compute @workgroup_size(WORKGROUP)
fn forward(@builtin(global_invocation_id) id: vec3u) {
    if id.x >= params.y_h * params.y_w {
        return;
    }
    let row = id.x / params.y_w;
    let top = i32(row * STRIDE_H) - i32(params.pad_top);
    let left = i32((id.x - row * params.y_w) * STRIDE_W) - i32(params.pad_left);
    let first = first_plane(id.y, id.z);
    var sum = 0.0;
    for (var c = 0u; c < params.x_group; c++) {
        let plane = first + c * params.x_h * params.x_w;
        let window = (id.y * params.x_group + c) * KERNEL_H * KERNEL_W;
        for (var i = 0u; i < KERNEL_H; i++) {
            let h = top + i32(i * DILATION_H);
            for (var j = 0u; j < KERNEL_W; j++) {
                let v = left + i32(j * DILATION_W);
                if h >= 0 && h < i32(params.x_h) && v >= 0 && v < i32(params.x_w) {
                    sum += w[window + i * KERNEL_W + j] * x[plane + u32(h) * params.x_w + u32(v)];
                }
            }
        }
    }
    if params.bias != 0u {
        sum += b[id.y];
    }
    store(id.x, id.y, id.z, sum);
}

@compute @workgroup_size(WORKGROUP)
fn backward(@builtin(global_invocation_id) id: vec3u) {
    if id.x >= params.y_h * params.y_w {
        return;
    }
    let row = id.x / params.y_w;
    let down = i32(row + params.pad_top);
    let right = i32(id.x - row * params.y_w + params.pad_left);
    let first = first_plane(id.y, id.z);
    let group = id.y / params.y_group;
    let c = id.y - group * params.y_group;
    var sum = 0.0;
    for (var o = 0u; o < params.x_group; o++) {
        let plane = first + o * params.x_h * params.x_w;
        let window = ((group * params.x_group + o) * params.y_group + c) * KERNEL_H * KERNEL_W;
        for (var i = 0u; i < KERNEL_H; i++) {
            let h = down - i32(i * DILATION_H);
            let p = h / i32(STRIDE_H);
            for (var j = 0u; j < KERNEL_W; j++) {
                let v = right - i32(j * DILATION_W);
                let q = v / i32(STRIDE_W);
                let exact = p * i32(STRIDE_H) == h && q * i32(STRIDE_W) == v;
                if exact && h >= 0 && p < i32(params.x_h) && v >= 0 && q < i32(params.x_w) {
                    sum += w[window + i * KERNEL_W + j] * x[plane + u32(p) * params.x_w + u32(q)];
                }
            }
        }
    }
    store(id.x, id.y, id.z, sum);
}
