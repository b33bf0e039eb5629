//! `protogpu weights inspect` of an ONNX model.

use std::fmt::Write as _;
use std::path::Path;

use crate::networks::{Network, Preprocessing};
use crate::suggest::shown;
use crate::weights::Weights;
use serde::Serialize;

/// The description of a model.
#[derive(Serialize)]
pub(super) struct OnnxFound {
    path: String,
    bytes: usize,
    sha256: String,
    architecture: &'static str,
    /// The version of the operators.
    opset: i64,
    producer: String,
    nodes: usize,
    /// Tensors that the file stores.
    tensors: usize,
    /// Channels, rows and columns of its images; `None` if the network cannot be built, as in what follows.
    image: Option<String>,
    classes: Option<usize>,
    input: Option<Preprocessing>,
    labels: Option<Vec<String>>,
    /// Batch norms with their running statistics.
    norms: Option<usize>,
    notes: Vec<String>,
    /// Whether its input is an assumption.
    #[serde(skip)]
    assumes_input: bool,
    /// Why the network cannot be built.
    problem: Option<String>,
    usable: bool,
}

impl OnnxFound {
    /// What the file says; `None` if it is no ONNX model.
    pub(super) fn facts(weights: &Weights, path: &Path) -> Option<Self> {
        let model = weights.onnx()?;
        Some(Self {
            path: path.display().to_string(),
            bytes: weights.file_bytes(),
            sha256: weights.sha256().to_owned(),
            architecture: "onnx",
            opset: model.opset,
            producer: model.producer.clone(),
            nodes: model.nodes.len(),
            tensors: model.stored.len(),
            image: None,
            classes: None,
            input: None,
            labels: None,
            norms: None,
            notes: weights.notes().to_vec(),
            assumes_input: false,
            problem: None,
            usable: false,
        })
    }

    /// The same with what the network shows, or why there is none.
    pub(super) fn with_network(mut self, weights: Weights) -> Self {
        match Network::from_weights(weights) {
            Ok(network) => {
                self.image = Some(network.image().to_string());
                self.classes = Some(network.classes());
                self.input = Some(network.preprocessing().clone());
                let labels = network.labels();
                self.labels = Some((0..labels.len()).map(|at| labels.name(at).to_owned()).collect());
                self.norms = Some(network.norms().len());
                self.notes.extend(network.notes());
                self.assumes_input = network.assumes_input();
                self.usable = true;
            }
            Err(error) => self.problem = Some(error.to_string()),
        }
        self
    }

    pub(super) fn text(&self) -> String {
        let mut text = format!("{}\n", self.path);
        let mut line = |name: &str, value: &str| {
            let _ = writeln!(text, "  {name:<11} {value}");
        };
        let verdict = if self.usable { "" } else { ", but unusable as it is" };
        line("network", &format!("an ONNX model of {} nodes, opset {}{verdict}", self.nodes, self.opset));
        if !self.producer.is_empty() {
            line("written by", &shown(&self.producer));
        }
        if let (Some(image), Some(classes)) = (&self.image, self.classes) {
            line("images", image);
            line("classes", &classes.to_string());
        }
        if let Some(input) = &self.input {
            line("input", &input.to_string());
        }
        if let Some(norms) = self.norms.filter(|&norms| norms > 0) {
            line("norms", &format!("{norms} batch norms, with the statistics of its training"));
        }
        line("tensors", &self.tensors.to_string());
        line("size", &format!("{} bytes", self.bytes));
        line("sha256", &self.sha256);
        self.notes.iter().for_each(|note| line("note", note));
        if self.assumes_input {
            line(
                "",
                "--input-range, --input-mean and --input-std say otherwise, and so does a file with this name and .json after it:",
            );
            line("", r#"{"range": 255, "mean": [127, 127, 127], "std": [128, 128, 128], "labels": ["cat", "dog"]}"#);
        }
        if let Some(problem) = &self.problem {
            line("problem", problem);
        }
        text
    }
}
