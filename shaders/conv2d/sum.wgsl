// conv2d sum: y = relu(epilogue(sum of partial sums + b)), for products that are computed in slices. One invocation an element of
// y [N,M,YH,YW], which is all channels of what is stored or some; partial: [slices] of y alone. Memory-bound.
#import lib/index
#import lib/nan
#import lib/epilogue

struct Params {
    len: u32,             // N*M*YH*YW
    slices: u32,
    plane: u32,           // YH*YW
    channels: u32,        // M
    channel_offset: u32,  // channel at which y begins
    channel_stride: u32,  // channels of an image that are stored where y is
    bias: u32,            // 1: add b[m]
    relu: u32,            // 1: y = max(y, 0), last
    epilogue: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> partial: array<f32>;
@group(0) @binding(2) var<storage, read> b: array<f32>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;

@compute @workgroup_size(WORKGROUP)
fn sum(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
    let i = flat_index(id, groups);
    if i >= params.len {
        return;
    }
    var out = partial[i];
    for (var s = 1u; s < params.slices; s++) {
        out += partial[s * params.len + i];
    }
    let plane = i / params.plane;
    let image = plane / params.channels;
    let channel = plane - image * params.channels;
    if params.bias != 0u {
        out += b[channel];
    }
    let to = (image * params.channel_stride + params.channel_offset + channel) * params.plane + i - plane * params.plane;
    out = epilogue(out, to);
    if params.relu != 0u {
        out = rectified(out);
    }
    y[to] = out;
}
