// clock: which step it is. `params.steps` steps have rows in what is uploaded beforehand; no content of the buffer leads past them.
@group(0) @binding(13) var<storage, read> clock: array<u32>;

fn step_now() -> u32 {
    return min(clock[0], params.steps - 1u);
}
