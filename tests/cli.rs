//! The binary from outside: what it refuses and how, what it writes, and that the same is the same.

#[path = "cli/bad_input.rs"]
mod bad_input;
#[path = "cli/bench.rs"]
mod bench;
#[path = "cli/binary.rs"]
mod binary;
#[path = "cli/checkpoints.rs"]
mod checkpoints;
#[path = "cli/compare.rs"]
mod compare;
#[path = "cli/embedded.rs"]
mod embedded;
#[path = "cli/entangle.rs"]
mod entangle;
#[path = "cli/fine_tuned.rs"]
mod fine_tuned;
#[path = "cli/imagenette.rs"]
mod imagenette;
#[path = "cli/inputs.rs"]
mod inputs;
#[path = "cli/interrupted.rs"]
mod interrupted;
#[path = "cli/isolate.rs"]
mod isolate;
#[path = "cli/judge.rs"]
mod judge;
#[path = "cli/looking.rs"]
mod looking;
#[path = "cli/many.rs"]
mod many;
#[path = "cli/models.rs"]
mod models;
#[path = "cli/objectives.rs"]
mod objectives;
#[path = "cli/onnx.rs"]
mod onnx;
#[path = "cli/pictures.rs"]
mod pictures;
#[path = "cli/pipelines.rs"]
mod pipelines;
#[path = "cli/place.rs"]
mod place;
#[path = "cli/presets.rs"]
mod presets;
#[path = "cli/pull.rs"]
mod pull;
#[path = "cli/runs.rs"]
mod runs;
#[path = "cli/server.rs"]
mod server;
mod shared;
#[path = "cli/similarity.rs"]
mod similarity;
#[path = "cli/statistics.rs"]
mod statistics;
#[path = "cli/study.rs"]
mod study;
#[path = "cli/sweep.rs"]
mod sweep;
#[path = "cli/tune.rs"]
mod tune;
#[path = "cli/weights.rs"]
mod weights;

use binary::refuses;

#[test]
fn nonsense_numbers_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    for (options, expected) in [
        ("--steps 0", "--steps is 0, but must be from 1 to 1000000"),
        ("--steps -3", "invalid value '-3' for '--steps <N>'"),
        ("--steps 1e3", "invalid value '1e3' for '--steps <N>'"),
        ("--steps 99999999999", "invalid value '99999999999' for '--steps <N>'"),
        ("--scale 0,0", "--scale is 0,0, but must be MIN,MAX with 0.05 <= MIN"),
        ("--scale 1.3,0.7", "--scale is 1.3,0.7, but must be"),
        ("--scale -1,1", "--scale is -1,1, but must be"),
        ("--scale 1", "`1` is not MIN,MAX"),
        ("--lr nan", "--lr is NaN, but must be a finite number above 0"),
        ("--lr -0.1", "--lr is -0.1, but must be"),
        ("--lr inf", "--lr is inf, but must be"),
        ("--lr fast", "invalid value 'fast' for '--lr <X>'"),
        ("--beta1 1", "--beta1 is 1, but must be"),
        ("--eps 0", "--eps is 0, but must be"),
        ("--rotation 400", "--rotation is 400, but must be"),
        ("--translate 2", "--translate is 2, but must be"),
        ("--tv-weight nan", "--tv-weight is NaN, but must be"),
        ("--tv-form l3", "`l3` is none of l1, l2, l1-sum, isotropic"),
        ("--fill 2,0,0", "--fill is 2,0,0, but must be"),
        ("--fill pink", "`pink` is neither black, mean nor R,G,B"),
        ("--interpolation cubic", "`cubic` is none of bilinear, nearest"),
        ("--preset poster", "`poster` is not paper"),
        ("--seed -1", "invalid value '-1' for '--seed <S>'"),
        ("--batch 0", "invalid value '0' for '--batch <N|auto>': give a number from 1 to 256, or auto"),
        ("--seeds 0", "invalid value '0' for '--seeds <K>'"),
        ("--class 3..1", "the range of classes 3..1 is empty: write the lower end first, 1..3"),
        ("--class 0..99", "there is no class 99: there are 15 classes, 0 to 14"),
        ("--seed 18446744073709551615 --per-class 2", "2 seeds from --seed 18446744073709551615 on"),
        ("--checkpoint-every 0", "invalid value '0' for '--checkpoint-every <K>'"),
        ("--resume --force", "cannot be used with"),
    ] {
        let args: Vec<&str> = ["run"].into_iter().chain(options.split(' ')).collect();
        refuses(folder.path(), &args, expected);
    }
}

#[test]
fn configurations_are_checked() {
    let folder = tempfile::tempdir().unwrap();
    for (text, expected) in [
        ("", "c.json: not JSON"),
        ("[]", "c.json: not a JSON object"),
        (r#"{"learning_rate": 1}"#, "c.json: unknown setting `learning_rate`; the settings are preset, steps, lr"),
        (r#"{"steps": -1}"#, "c.json: setting `steps` is -1"),
        (r#"{"steps": 0}"#, "--steps is 0, but must be"),
        (r#"{"format": "protogpu run 9"}"#, "c.json: its format is \"protogpu run 9\""),
    ] {
        std::fs::write(folder.path().join("c.json"), text).unwrap();
        refuses(folder.path(), &["run", "--config", "c.json"], expected);
    }
    refuses(folder.path(), &["run", "--config", "missing.json"], "cannot read missing.json");
    refuses(folder.path(), &["run", "--config", "."], "cannot read .");
}
