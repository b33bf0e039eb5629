// conv2d winograd: y = Aᵀ [(G g Gᵀ) ⊙ (Bᵀ d B)] A for 3x3 windows at stride 1, tiles of 2x2 (points 0, 1, -1) or 4x4 (0, ±1, ±2)
// of y. After Lavin and Gray, "Fast Algorithms for Convolutional Neural Networks" (2015). Between `input` and `output` the
// product sums over channels for each of the 16 or 36 elements. One invocation a tile and quad of channels: x, y, z of the
// grid are the tile, the quad and the image. x: [N,C/4,H,W], between: [elements][C/4][N*tiles], y: [N,M/4,YH,YW], texels; x and y
// are all quads of what is stored, or some.
#import lib/texels
#import lib/winograd

alias Element = vec4f;

struct Params {
    quads: u32,           // of x for `input`, of y for `output`
    channel_offset: u32,  // quad at which x or y begins
    channel_stride: u32,  // quads of an image that are stored where x or y is
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
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(3) var<storage, read> b: array<vec4f>;

// The plane of x or y that an invocation is for.
fn plane_of(id: vec3u) -> u32 {
    return (id.z + params.first_image) * params.channel_stride + params.channel_offset + id.y;
}

// An element of x or of the zeros around it.
fn padded(first: u32, row: i32, col: i32) -> vec4f {
    let inside = row >= 0 && row < i32(params.x_h) && col >= 0 && col < i32(params.x_w);
    let at = first + select(0u, u32(row * i32(params.x_w) + col), inside);
    return select(vec4f(), load(at), inside);
}

// Row and column of a tile's first output.
fn corner_of(tile: u32, size: u32) -> vec2u {
    let row = tile / params.tiles_w;
    return size * vec2u(row, tile - row * params.tiles_w);
}

// Stores an output, if it lies in y.
fn put(id: vec3u, row: u32, col: u32, v: vec4f) {
    if row < params.y_h && col < params.y_w {
        let to = (plane_of(id) * params.y_h + row) * params.y_w + col;
        store(to, epilogue(v, to));
    }
}

@compute @workgroup_size(LANES)
fn input2(@builtin(global_invocation_id) id: vec3u) {
    let tiles = params.tiles_h * params.tiles_w;
    if id.x >= tiles {
        return;
    }
    let first = plane_of(id) * params.x_h * params.x_w;
    let corner = vec2i(corner_of(id.x, 2u)) - vec2i(params.top, params.left);
    var half: array<array<Element, 4>, 4>;
    for (var j = 0u; j < 4u; j++) {
        var d: array<Element, 4>;
        for (var i = 0u; i < 4u; i++) {
            d[i] = padded(first, corner.x + i32(i), corner.y + i32(j));
        }
        half[j] = before2(d);
    }
    let columns = params.images * tiles;
    let to = id.y * columns + id.z * tiles + id.x;
    for (var i = 0u; i < 4u; i++) {
        let v = before2(array<Element, 4>(half[0][i], half[1][i], half[2][i], half[3][i]));
        for (var j = 0u; j < 4u; j++) {
            store((4u * i + j) * params.quads * columns + to, v[j]);
        }
    }
}

@compute @workgroup_size(LANES)
fn input4(@builtin(global_invocation_id) id: vec3u) {
    let tiles = params.tiles_h * params.tiles_w;
    if id.x >= tiles {
        return;
    }
    let first = plane_of(id) * params.x_h * params.x_w;
    let corner = vec2i(corner_of(id.x, 4u)) - vec2i(params.top, params.left);
    var half: array<array<Element, 6>, 6>;
    for (var j = 0u; j < 6u; j++) {
        var d: array<Element, 6>;
        for (var i = 0u; i < 6u; i++) {
            d[i] = padded(first, corner.x + i32(i), corner.y + i32(j));
        }
        half[j] = before4(d);
    }
    let columns = params.images * tiles;
    let to = id.y * columns + id.z * tiles + id.x;
    for (var i = 0u; i < 6u; i++) {
        let v = before4(array<Element, 6>(half[0][i], half[1][i], half[2][i], half[3][i], half[4][i], half[5][i]));
        for (var j = 0u; j < 6u; j++) {
            store((6u * i + j) * params.quads * columns + to, v[j]);
        }
    }
}

@compute @workgroup_size(LANES)
fn output2(@builtin(global_invocation_id) id: vec3u, @builtin(workgroup_id) group: vec3u) {
    let tiles = params.tiles_h * params.tiles_w;
    let bias = b[group.y];
    if id.x >= tiles {
        return;
    }
    let columns = params.images * tiles;
    let at = id.y * columns + id.z * tiles + id.x;
    var half: array<array<Element, 2>, 4>;
    for (var j = 0u; j < 4u; j++) {
        var m: array<Element, 4>;
        for (var i = 0u; i < 4u; i++) {
            m[i] = load((4u * i + j) * params.quads * columns + at);
        }
        half[j] = after2(m);
    }
    let corner = corner_of(id.x, 2u);
    for (var i = 0u; i < 2u; i++) {
        let v = after2(array<Element, 4>(half[0][i], half[1][i], half[2][i], half[3][i]));
        for (var j = 0u; j < 2u; j++) {
            put(id, corner.x + i, corner.y + j, v[j] + bias);
        }
    }
}

@compute @workgroup_size(LANES)
fn output4(@builtin(global_invocation_id) id: vec3u, @builtin(workgroup_id) group: vec3u) {
    let tiles = params.tiles_h * params.tiles_w;
    let bias = b[group.y];
    if id.x >= tiles {
        return;
    }
    let columns = params.images * tiles;
    let at = id.y * columns + id.z * tiles + id.x;
    var half: array<array<Element, 4>, 6>;
    for (var j = 0u; j < 6u; j++) {
        var m: array<Element, 6>;
        for (var i = 0u; i < 6u; i++) {
            m[i] = load((6u * i + j) * params.quads * columns + at);
        }
        half[j] = after4(m);
    }
    let corner = corner_of(id.x, 4u);
    for (var i = 0u; i < 4u; i++) {
        let v = after4(array<Element, 6>(half[0][i], half[1][i], half[2][i], half[3][i], half[4][i], half[5][i]));
        for (var j = 0u; j < 4u; j++) {
            put(id, corner.x + i, corner.y + j, v[j] + bias);
        }
    }
}
