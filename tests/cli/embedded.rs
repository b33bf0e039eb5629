//! Prototypes of the built-in networks with the default settings.

use protogpu::networks::embedded;

use crate::binary::json;

/// Each network sees the class in its prototype, unwarped. One class of each; weights/README.md says how all can be made.
#[test]
fn a_default_prototype_is_its_class() {
    let folder = tempfile::tempdir().unwrap();
    for model in embedded::NAMES {
        let made = json(folder.path(), &["run", "--model", model, "--class", "umbrella", "--out", model, "--quiet"]);
        let record = std::fs::read_to_string(folder.path().join(model).join("14_umbrella_seed0/run.json")).unwrap();
        let record: serde_json::Value = serde_json::from_str(&record).unwrap();
        let top = &record["top"][0];
        assert_eq!((&top["name"], &record["weights"]["architecture"]), (&"umbrella".into(), &model.into()), "{made}");
        assert!(top["probability"].as_f64().unwrap() >= 0.9, "{model}: {top}");
    }
}
