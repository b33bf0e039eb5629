// matmul: y[b,m,n] = sum over k of x[b,m,k] z[b,k,n], and also over the batches r along which y is the gradient of a repeated operand. Strides
// say where x and z lie, so that the transposed products of the backward are this kernel too. A workgroup computes a tile of 32x32 in steps of
// 16 of k, 4x4 an invocation. x, y, z of the grid are tiles of n, tiles of m, and b. Compute-bound.
#import lib/epilogue
#import lib/axes

const TILE: u32 = 32;    // also in src/ops/matmul.rs
const STEP: u32 = 16;
const SIDE: u32 = 8;     // invocations along a side
const EACH: u32 = 4;     // rows and columns of an invocation

struct Params {
    axes: array<vec4u, 6>, // batches of y, then those of the sum: extent, strides in x and in z
    outer: u32,            // how many of these axes are batches of y
    repeats: u32,          // batches of the sum
    m: u32,
    n: u32,
    k: u32,
    x_row: u32,            // strides: of m and k in x, of k and n in z
    x_col: u32,
    z_row: u32,
    z_col: u32,
    epilogue: u32,
    first_batch: u32,      // of this dispatch
    unused: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> z: array<f32>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;

var<workgroup> x_tile: array<f32, 512>; // [STEP][TILE]
var<workgroup> z_tile: array<f32, 512>; // [STEP][TILE]

@compute @workgroup_size(64)
fn multiply(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
    let batch = params.first_batch + group.z;
    let begin = places(batch, 0u, params.outer);
    let row0 = group.y * TILE;
    let col0 = group.x * TILE;
    let my_row = (lane / SIDE) * EACH;
    let my_col = (lane % SIDE) * EACH;
    var sums: array<vec4f, 4>;
    for (var r = 0u; r < params.repeats; r++) {
        let at = begin + places(r, params.outer, AXES);
        for (var k0 = 0u; k0 < params.k; k0 += STEP) {
            workgroupBarrier();
            for (var i = lane; i < STEP * TILE; i += SIDE * SIDE) {
                let k = k0 + i / TILE;
                let row = row0 + i % TILE;
                let col = col0 + i % TILE;
                var xv = 0.0;
                var zv = 0.0;
                if k < params.k && row < params.m {
                    xv = x[at.x + row * params.x_row + k * params.x_col];
                }
                if k < params.k && col < params.n {
                    zv = z[at.y + k * params.z_row + col * params.z_col];
                }
                x_tile[i] = xv;
                z_tile[i] = zv;
            }
            workgroupBarrier();
            for (var k = 0u; k < STEP; k++) {
                let at_col = k * TILE + my_col;
                let across = vec4f(z_tile[at_col], z_tile[at_col + 1u], z_tile[at_col + 2u], z_tile[at_col + 3u]);
                for (var i = 0u; i < EACH; i++) {
                    sums[i] += x_tile[k * TILE + my_row + i] * across;
                }
            }
        }
    }
    for (var i = 0u; i < EACH; i++) {
        for (var j = 0u; j < EACH; j++) {
            let row = row0 + my_row + i;
            let col = col0 + my_col + j;
            if row < params.m && col < params.n {
                let to = (batch * params.m + row) * params.n + col;
                y[to] = epilogue(sums[i][j], to);
            }
        }
    }
}
