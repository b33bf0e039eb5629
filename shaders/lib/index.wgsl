// index: one invocation an element. Rust dispatches `Grid::Each(len)`; invocations past `len` must return.
const WORKGROUP: u32 = 64;

fn flat_index(id: vec3u, groups: vec3u) -> u32 {
    return id.y * groups.x * WORKGROUP + id.x;
}
