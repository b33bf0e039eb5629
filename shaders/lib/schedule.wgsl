// schedule: what differs from step to step, uploaded beforehand, and the clock that says which step it is.
// Rows mirror `ScheduleRow` in src/method/schedule.rs. There are `params.steps` of them; whoever may write the clock cannot lead past them.
struct ScheduleRow {
    step_size: f32,        // lr / (1 - beta1^t)
    decay: f32,            // lr * weight_decay
    inv_sqrt_bias2: f32,   // 1 / sqrt(1 - beta2^t)
    reset: f32,            // 1: m and v count as zero before this step
    w_class: f32,          // weights of the losses
    w_pv: f32,
    w_hf: f32,
}

@group(0) @binding(12) var<storage, read> schedule: array<ScheduleRow>;
@group(0) @binding(13) var<storage, read> clock: array<u32>;

fn step_now() -> u32 {
    return min(clock[0], params.steps - 1u);
}

fn row_now() -> ScheduleRow {
    return schedule[step_now()];
}
