// epilogue: how every kernel with a gradient for output writes it. dx = (v + add) * [mask > 0].
// `add` brings in what another consumer of x sent back (fan-in); `mask` is x itself where x is the output of a relu that was
// fused away. Which of the two apply is in `params.epilogue`; what does not is bound to something readable and never read.
const EPILOGUE_ADD: u32 = 1;
const EPILOGUE_MASK: u32 = 2;

@group(0) @binding(10) var<storage, read> epilogue_add: array<f32>;
@group(0) @binding(11) var<storage, read> epilogue_mask: array<f32>;

fn epilogue(v: f32, i: u32) -> f32 {
    var out = v;
    if (params.epilogue & EPILOGUE_ADD) != 0u {
        out += epilogue_add[i];
    }
    if (params.epilogue & EPILOGUE_MASK) != 0u {
        out = select(0.0, out, epilogue_mask[i] > 0.0);
    }
    return out;
}
