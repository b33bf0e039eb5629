//! `protogpu models`, and torchvision's GoogLeNet from a server to a prototype.

use protogpu::networks::{Architecture, embedded};
use protogpu::weights::Weights;
use serde_json::{Value, json};

use crate::binary::refuses;
use crate::place::{CACHED, ETAG, Place, sha256, succeeds};
use crate::server::{self, Server};
use crate::weights::pytorch_file;

const GOOGLENET: &str = "googlenet_imagenet.safetensors";

/// A narrow GoogLeNet with both auxiliary heads, as the published file has them.
fn googlenet() -> Weights {
    let mut manifest = Architecture::GoogLeNet.manifest(8, 6);
    for head in ["aux1", "aux2"] {
        let parts =
            ["weight", "bias", "running_mean", "running_var"].map(|part| (format!("{head}.conv.bn.{part}"), vec![16]));
        manifest.extend(parts);
        manifest.push((format!("{head}.conv.conv.weight"), vec![16, 64, 1, 1]));
        manifest.extend([(format!("{head}.fc1.weight"), vec![8, 16]), (format!("{head}.fc1.bias"), vec![8])]);
        manifest.extend([(format!("{head}.fc2.weight"), vec![6, 8]), (format!("{head}.fc2.bias"), vec![6])]);
    }
    Weights::generated(&manifest, 1).unwrap()
}

fn models(place: &Place) -> Value {
    serde_json::from_str(&succeeds(&mut place.protogpu(&["models", "--json"])).0).unwrap()
}

#[test]
fn what_is_built_in_and_what_can_be_fetched_is_listed() {
    let place = Place::new();
    let found = models(&place);
    let names = |rows: &Value| -> Vec<String> {
        rows.as_array().unwrap().iter().map(|row| row["name"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(names(&found["embedded"]), embedded::NAMES);
    for row in found["embedded"].as_array().unwrap() {
        let name = row["name"].as_str().unwrap();
        let network = embedded::open(name).unwrap();
        let weights = network.weights();
        assert_eq!(row["architecture"], network.architecture().to_string());
        assert_eq!((&row["classes"], &row["options"]), (&json!(network.classes()), &json!(format!("--model {name}"))));
        let [parameters, bytes] = [weights.parameter_count(), weights.file_bytes()];
        assert_eq!((&row["parameters"], &row["bytes"]), (&json!(parameters), &json!(bytes)));
        assert_eq!(row["sha256"], weights.sha256());
    }
    assert_eq!(found["embedded"][0]["width"], 16);
    assert_eq!(names(&found["published"]), ["resnet18", "googlenet"]);
    let row = &found["published"][1];
    assert_eq!(row["path"], place.cache.path().join(GOOGLENET).display().to_string());
    assert_eq!((&row["pulled"], &row["problem"]), (&json!(false), &Value::Null));
    assert_eq!(row["pull"], "protogpu weights pull googlenet");
    assert_eq!(row["options"], "--weights imagenet --model googlenet");
    let (text, _) = succeeds(&mut place.protogpu(&["models"]));
    for line in ["resnet18, built in\n", "googlenet, not downloaded\n", "  use         --model resnet18\n"] {
        assert!(text.contains(line), "no `{line}` in {text}");
    }
    assert!(place.cached().is_empty());
    let unknown = "there is no built-in network `vgg`, only resnet18";
    refuses(place.folder.path(), &["run", "--model", "vgg"], unknown);
    refuses(place.folder.path(), &["run", "--model", "vgg"], "; `protogpu models` lists these and those to download");
    let args = ["run", "--model", "vgg", "--weights", "imagenet"];
    refuses(place.folder.path(), &args, "only of resnet18, googlenet; see `protogpu models`");
}

#[test]
fn files_that_cannot_be_used_are_told_in_their_rows() {
    let place = Place::new();
    std::fs::write(place.cache.path().join(CACHED), "half of a file").unwrap();
    std::fs::create_dir(place.cache.path().join(GOOGLENET)).unwrap();
    let found = models(&place);
    for (row, expected) in
        found["published"].as_array().unwrap().iter().zip(["is not a safetensors file", "is a folder"])
    {
        assert_eq!(row["pulled"], true);
        assert!(row["problem"].as_str().unwrap().contains(expected) && row.get("width").is_none(), "{row}");
    }
    let (text, _) = succeeds(&mut place.protogpu(&["models"]));
    assert_eq!(text.matches(", downloaded, but unusable\n").count(), 2, "{text}");
    assert!(text.contains("  download    protogpu weights pull resnet18 --force\n"), "{text}");
    assert!(text.contains("resnet18, built in\n"), "{text}");
}

#[test]
fn a_googlenet_is_fetched_without_its_heads_in_the_way() {
    let place = Place::new();
    let file = pytorch_file(&googlenet());
    let hash = sha256(&file);
    let server = Server::new(move |_, request| server::file(request, ETAG, &file));
    let url = server.url("googlenet.pth");
    let pull = ["weights", "pull", "googlenet", "--from", &url, "--sha256", &hash];
    let (told, _) = succeeds(&mut place.protogpu(&pull));
    assert!(told.contains("  use      protogpu run --model googlenet --weights imagenet --class goldfish\n"), "{told}");
    assert_eq!(place.cached(), [GOOGLENET]);
    let row = &models(&place)["published"][1];
    assert_eq!((&row["pulled"], &row["width"], &row["classes"]), (&json!(true), &json!(8), &json!(6)));
    assert_eq!((&row["architecture"], &row["problem"]), (&json!("googlenet"), &Value::Null));

    let path = place.cache.path().join(GOOGLENET).display().to_string();
    let (text, _) = succeeds(&mut place.protogpu(&["weights", "inspect", &path]));
    assert!(text.contains("  left out    18 tensors of auxiliary heads (aux1, aux2), which only training"), "{text}");
    assert!(text.contains("then transform_input\n") && !text.contains("problem"), "{text}");
    let run = ["run", "--weights", "imagenet", "--model", "googlenet", "--class", "5", "--steps", "2", "--quiet"];
    succeeds(&mut place.protogpu(&run));
    let record = std::fs::read(place.folder.path().join("out/5_class_5_seed0/run.json")).unwrap();
    let record: Value = serde_json::from_slice(&record).unwrap();
    let weights = &record["weights"];
    assert_eq!((&weights["model"], &weights["path"]), (&json!("googlenet"), &json!("imagenet")));
    assert_eq!((&weights["architecture"], &weights["input"]["transform_input"]), (&json!("googlenet"), &json!(true)));
    let again = ["run", "--config", "out/5_class_5_seed0/run.json", "--out", "again", "--quiet"];
    succeeds(&mut place.protogpu(&again));

    // A file of another network is none, whatever its hash.
    let wrong = ["weights", "pull", "resnet18", "--from", &url, "--sha256", &hash];
    let output = place.protogpu(&wrong).output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{stderr}");
    assert!(stderr.contains("holds the tensors of googlenet, not of resnet18"), "{stderr}");
    assert!(!place.cached().contains(&CACHED.to_owned()));
}
