//! The values of a pickle.

use safetensors::Dtype;

/// The index of a value in [`Values`]. Values refer to each other by index, so a value may contain itself without recursion.
pub(super) type Id = u32;

/// One value.
#[derive(Debug)]
pub(super) enum Value {
    /// None, a float, bytes, a set, a device, an integer beyond 64 bits: values that tensors do not need.
    Inert,
    Bool(bool),
    Int(i64),
    Text(Box<str>),
    List(Vec<Id>),
    Tuple(Vec<Id>),
    Dict(Vec<(Id, Id)>),
    Global(Global),
    /// Any other Python object that is named: `module.name`.
    Class(Box<str>),
    Object(Box<Object>),
    Storage(Box<Storage>),
    Tensor(Box<Tensor>),
}

/// What Python would make by calling a [`Value::Class`]. It is never made: this only remembers what would be put into it.
#[derive(Debug)]
pub(super) struct Object {
    /// A [`Value::Class`].
    pub(super) class: Id,
    /// Its items, as of a dictionary.
    pub(super) items: Vec<(Id, Id)>,
    /// The dictionary of its attributes.
    pub(super) attributes: Option<Id>,
}

/// A run of elements in the file.
#[derive(Debug)]
pub(super) struct Storage {
    pub(super) dtype: Dtype,
    /// A text.
    pub(super) key: Id,
    /// How many elements.
    pub(super) len: u64,
}

/// A view of a storage, offset and strides in elements.
#[derive(Debug)]
pub(super) struct Tensor {
    /// A storage.
    pub(super) storage: Id,
    pub(super) offset: u64,
    pub(super) shape: Vec<u64>,
    pub(super) stride: Vec<u64>,
}

/// The Python objects that a pickle may ask for by name.
#[derive(Clone, Copy, Debug)]
pub(super) enum Global {
    /// Creates a dictionary, empty or from pairs.
    OrderedDict,
    /// Holds named options, which are discarded.
    Namespace,
    /// Returns its argument.
    Size,
    /// Creates a tensor from storage, offset, size and stride.
    RebuildTensor,
    /// Returns its argument, a tensor.
    RebuildParameter,
    /// A type of storage.
    Storage(Dtype),
    /// Creates a value that tensors do not need.
    Inert,
}

impl Global {
    /// The object with this name, if pickles may use it.
    pub(super) fn of(module: &str, name: &str) -> Option<Self> {
        match (module, name) {
            ("collections", "OrderedDict") => Some(Self::OrderedDict),
            ("argparse", "Namespace") => Some(Self::Namespace),
            ("torch", "Size") => Some(Self::Size),
            ("torch._utils", "_rebuild_tensor" | "_rebuild_tensor_v2") => Some(Self::RebuildTensor),
            ("torch._utils", "_rebuild_parameter" | "_rebuild_parameter_with_state") => Some(Self::RebuildParameter),
            // In files of 2017, among them torchvision's.
            ("torch.nn.parameter", "Parameter") => Some(Self::RebuildParameter),
            // How protocol 2 writes bytes.
            ("_codecs", "encode") | ("collections", "Counter") | ("torch", "device") => Some(Self::Inert),
            ("builtins" | "__builtin__", "set" | "frozenset" | "bytes" | "bytearray" | "complex") => Some(Self::Inert),
            ("torch", name) if DTYPES.contains(&name) => Some(Self::Inert),
            ("torch", name) => storage_dtype(name).map(Self::Storage),
            _ => None,
        }
    }
}

/// The names of PyTorch's dtypes, which checkpoints hold as settings.
const DTYPES: [&str; 12] = [
    "float32",
    "float64",
    "float16",
    "bfloat16",
    "int8",
    "int16",
    "int32",
    "int64",
    "uint8",
    "bool",
    "complex64",
    "complex128",
];

fn storage_dtype(name: &str) -> Option<Dtype> {
    Some(match name {
        "DoubleStorage" => Dtype::F64,
        "FloatStorage" => Dtype::F32,
        "HalfStorage" => Dtype::F16,
        "BFloat16Storage" => Dtype::BF16,
        "LongStorage" => Dtype::I64,
        "IntStorage" => Dtype::I32,
        "ShortStorage" => Dtype::I16,
        "CharStorage" => Dtype::I8,
        "ByteStorage" => Dtype::U8,
        "BoolStorage" => Dtype::BOOL,
        _ => return None,
    })
}

/// All values of a pickle.
#[derive(Debug)]
pub(super) struct Values(pub(super) Vec<Value>);

impl Values {
    pub(super) fn get(&self, id: Id) -> &Value {
        &self.0[id as usize]
    }

    pub(super) fn text(&self, id: Id) -> Option<&str> {
        if let Value::Text(text) = self.get(id) { Some(text) } else { None }
    }

    /// An integer that counts something.
    pub(super) fn count(&self, id: Id) -> Option<u64> {
        if let Value::Int(int) = self.get(id) { u64::try_from(*int).ok() } else { None }
    }

    pub(super) fn tuple(&self, id: Id) -> Option<&[Id]> {
        if let Value::Tuple(items) = self.get(id) { Some(items) } else { None }
    }

    /// A list's or tuple's items.
    pub(super) fn items(&self, id: Id) -> Option<&[Id]> {
        if let Value::List(items) | Value::Tuple(items) = self.get(id) { Some(items) } else { None }
    }

    /// A dictionary's entries, also of a kind that Python would make, such as a `defaultdict`.
    pub(super) fn dict(&self, id: Id) -> Option<&[(Id, Id)]> {
        match self.get(id) {
            Value::Dict(entries) => Some(entries),
            Value::Object(object) if !object.items.is_empty() => Some(&object.items),
            _ => None,
        }
    }

    pub(super) fn object(&self, id: Id) -> Option<&Object> {
        if let Value::Object(object) = self.get(id) { Some(object) } else { None }
    }

    /// `module.name` of an object's class.
    pub(super) fn class(&self, object: &Object) -> &str {
        if let Value::Class(class) = self.get(object.class) { class } else { "an object" }
    }

    /// The attribute of an object.
    pub(super) fn attribute(&self, object: Id, name: &str) -> Option<Id> {
        self.entry(self.object(object)?.attributes?, name)
    }

    pub(super) fn tensor(&self, id: Id) -> Option<&Tensor> {
        if let Value::Tensor(tensor) = self.get(id) { Some(tensor) } else { None }
    }

    pub(super) fn storage(&self, id: Id) -> Option<&Storage> {
        if let Value::Storage(storage) = self.get(id) { Some(storage) } else { None }
    }

    /// What a dictionary has under a text.
    pub(super) fn entry(&self, dict: Id, key: &str) -> Option<Id> {
        self.dict(dict)?.iter().find(|(k, _)| self.text(*k) == Some(key)).map(|&(_, value)| value)
    }
}
