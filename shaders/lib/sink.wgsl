// sink: how every kernel with a gradient for output writes it. dx = (v + add) * [mask > 0].
// `add` brings in what another consumer of x sent back (fan-in); `mask` is x itself where x is the output of a relu that was
// fused away. Which of the two apply is in `params.sink`; what does not is bound to something readable and never read.
const SINK_ADD: u32 = 1;
const SINK_MASK: u32 = 2;

@group(0) @binding(10) var<storage, read> sink_add: array<f32>;
@group(0) @binding(11) var<storage, read> sink_mask: array<f32>;

fn sink(v: f32, i: u32) -> f32 {
    var out = v;
    if (params.sink & SINK_ADD) != 0u {
        out += sink_add[i];
    }
    if (params.sink & SINK_MASK) != 0u {
        out = select(0.0, out, sink_mask[i] > 0.0);
    }
    return out;
}
