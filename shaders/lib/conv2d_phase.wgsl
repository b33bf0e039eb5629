// conv2d_phase: output positions that share their taps, as `src/ops/conv2d/texels.rs` lays them out: three entries each.
@group(0) @binding(4) var<storage, read> table: array<vec4i>;

struct Phase {
    first_term: u32, // in w
    base: u32,       // of x, for columns that are their own places
    taps_h: u32,     // its taps are consecutive rows and columns
    taps_w: u32,
    tap_row: i32,    // how far the first moves a position in x
    tap_col: i32,
    h: u32,          // its positions
    w: u32,
    first: u32,      // its texels in the product, of columns that are their own places
    columns: u32,    // positions of all images
    row0: u32,       // its first position in y
    col0: u32,
}

fn phase_of(i: u32) -> Phase {
    let a = table[3u * i];
    let b = table[3u * i + 1u];
    let c = vec4u(table[3u * i + 2u]);
    return Phase(u32(a.x), u32(a.y), u32(a.z), u32(a.w), b.x, b.y, u32(b.z), u32(b.w), c.x, c.y, c.z, c.w);
}
