// reduce: one workgroup's sum or maximum, always in the same order, whatever the scheduling.
const LANES: u32 = 64;
var<workgroup> reduce_shared: array<f32, LANES>;

fn reduce_sum(value: f32, lane: u32) -> f32 {
    workgroupBarrier();
    reduce_shared[lane] = value;
    for (var half = LANES / 2u; half > 0u; half /= 2u) {
        workgroupBarrier();
        if lane < half {
            reduce_shared[lane] += reduce_shared[lane + half];
        }
    }
    workgroupBarrier();
    return reduce_shared[0];
}

fn reduce_max(value: f32, lane: u32) -> f32 {
    workgroupBarrier();
    reduce_shared[lane] = value;
    for (var half = LANES / 2u; half > 0u; half /= 2u) {
        workgroupBarrier();
        if lane < half {
            reduce_shared[lane] = max(reduce_shared[lane], reduce_shared[lane + half]);
        }
    }
    workgroupBarrier();
    return reduce_shared[0];
}
