// feature_row: what each image asks of a module. Rows mirror `FeatureRow` in src/method/losses/feature.rs.
struct FeatureRow {
    weight: f32,
    channel: u32,
    place: u32,
}

@group(0) @binding(2) var<storage, read> rows: array<FeatureRow>;
