// conv2d winograd for any adapter: y = Aᵀ [(G g Gᵀ) ⊙ (Bᵀ d B)] A for 3x3 windows at stride 1, tiles of 2x2 (points 0, 1, -1) or
// 4x4 (0, ±1, ±2) of y. After Lavin and Gray, "Fast Algorithms for Convolutional Neural Networks" (2015). Between `input` and
// `output` the product of conv2d/workgroup sums over channels for each of the 16 or 36 elements. One invocation a tile of a channel.
// x: [N,C,H,W], between: [elements][C][N*tiles], y: [N,M,YH,YW]; x and y are all channels of what is stored, or some.
#import lib/index
#import lib/nan
#import lib/epilogue
#import lib/winograd

alias Element = f32;

struct Params {
    channels: u32,        // of x for `input`, of y for `output`
    channel_offset: u32,  // channel at which x or y begins
    channel_stride: u32,  // channels of an image that are stored where x or y is
    images: u32,          // that go through together
    first_image: u32,
    x_h: u32,
    x_w: u32,
    top: i32,             // padding before x
    left: i32,
    tiles_h: u32,
    tiles_w: u32,
    y_h: u32,
    y_w: u32,
    bias: u32,            // 1: add b[m]
    relu: u32,            // 1: y = max(y, 0), last
    epilogue: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;
@group(0) @binding(3) var<storage, read> b: array<f32>;

// What an invocation is for: its place in an element of what lies between, and which tile of which plane that is.
struct Spot {
    at: u32,
    len: u32,        // of an element
    live: bool,
    channel: u32,
    plane: u32,      // of x or y
    corner: vec2u,   // row and column of the tile's first output
}

fn spot_of(at: u32, size: u32) -> Spot {
    let tiles = params.tiles_h * params.tiles_w;
    let len = params.channels * params.images * tiles;
    let above = at / tiles;
    let channel = above / params.images;
    let image = params.first_image + above - channel * params.images;
    let tile = at - above * tiles;
    let row = tile / params.tiles_w;
    let corner = size * vec2u(row, tile - row * params.tiles_w);
    return Spot(at, len, at < len, channel, image * params.channel_stride + params.channel_offset + channel, corner);
}

// An element of x or of the zeros around it.
fn padded(spot: Spot, i: u32, j: u32) -> f32 {
    let row = i32(spot.corner.x + i) - params.top;
    let col = i32(spot.corner.y + j) - params.left;
    if row < 0 || row >= i32(params.x_h) || col < 0 || col >= i32(params.x_w) {
        return 0.0;
    }
    return x[(spot.plane * params.x_h + u32(row)) * params.x_w + u32(col)];
}

// Stores an output, if it lies in y.
fn put(spot: Spot, i: u32, j: u32, sum: f32) {
    let row = spot.corner.x + i;
    let col = spot.corner.y + j;
    if row >= params.y_h || col >= params.y_w {
        return;
    }
    let to = (spot.plane * params.y_h + row) * params.y_w + col;
    var out = sum;
    if params.bias != 0u {
        out += b[spot.channel];
    }
    out = epilogue(out, to);
    if params.relu != 0u {
        out = rectified(out);
    }
    y[to] = out;
}

@compute @workgroup_size(WORKGROUP)
fn input2(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
    let spot = spot_of(flat_index(id, groups), 2u);
    if !spot.live {
        return;
    }
    var half: array<array<Element, 4>, 4>;
    for (var j = 0u; j < 4u; j++) {
        half[j] = before2(array<Element, 4>(padded(spot, 0u, j), padded(spot, 1u, j), padded(spot, 2u, j), padded(spot, 3u, j)));
    }
    for (var i = 0u; i < 4u; i++) {
        let v = before2(array<Element, 4>(half[0][i], half[1][i], half[2][i], half[3][i]));
        for (var j = 0u; j < 4u; j++) {
            y[(4u * i + j) * spot.len + spot.at] = v[j];
        }
    }
}

@compute @workgroup_size(WORKGROUP)
fn input4(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
    let spot = spot_of(flat_index(id, groups), 4u);
    if !spot.live {
        return;
    }
    var half: array<array<Element, 6>, 6>;
    for (var j = 0u; j < 6u; j++) {
        var d: array<Element, 6>;
        for (var i = 0u; i < 6u; i++) {
            d[i] = padded(spot, i, j);
        }
        half[j] = before4(d);
    }
    for (var i = 0u; i < 6u; i++) {
        let v = before4(array<Element, 6>(half[0][i], half[1][i], half[2][i], half[3][i], half[4][i], half[5][i]));
        for (var j = 0u; j < 6u; j++) {
            y[(6u * i + j) * spot.len + spot.at] = v[j];
        }
    }
}

@compute @workgroup_size(WORKGROUP)
fn output2(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
    let spot = spot_of(flat_index(id, groups), 2u);
    if !spot.live {
        return;
    }
    var half: array<array<Element, 2>, 4>;
    for (var j = 0u; j < 4u; j++) {
        var m: array<Element, 4>;
        for (var i = 0u; i < 4u; i++) {
            m[i] = x[(4u * i + j) * spot.len + spot.at];
        }
        half[j] = after2(m);
    }
    for (var i = 0u; i < 2u; i++) {
        let v = after2(array<Element, 4>(half[0][i], half[1][i], half[2][i], half[3][i]));
        for (var j = 0u; j < 2u; j++) {
            put(spot, i, j, v[j]);
        }
    }
}

@compute @workgroup_size(WORKGROUP)
fn output4(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
    let spot = spot_of(flat_index(id, groups), 4u);
    if !spot.live {
        return;
    }
    var half: array<array<Element, 4>, 6>;
    for (var j = 0u; j < 6u; j++) {
        var m: array<Element, 6>;
        for (var i = 0u; i < 6u; i++) {
            m[i] = x[(6u * i + j) * spot.len + spot.at];
        }
        half[j] = after4(m);
    }
    for (var i = 0u; i < 4u; i++) {
        let v = after4(array<Element, 6>(half[0][i], half[1][i], half[2][i], half[3][i], half[4][i], half[5][i]));
        for (var j = 0u; j < 4u; j++) {
            put(spot, i, j, v[j]);
        }
    }
}
