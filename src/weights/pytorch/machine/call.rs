//! The instructions that name Python objects and call them.

use super::{Done, EMPTY_TUPLE, Global, INERT, Id, MAX_RANK, Machine, Object, Storage, Tensor, Value, damaged};

impl Machine<'_> {
    /// Two lines: module and name.
    pub(super) fn global(&mut self) -> Done {
        let module = self.line()?;
        let name = self.line()?;
        self.name(&module, &name)
    }

    pub(super) fn stack_global(&mut self) -> Done {
        let (name, module) = (self.pop()?, self.pop()?);
        match (self.values.text(module), self.values.text(name)) {
            (Some(module), Some(name)) => {
                let (module, name) = (module.to_owned(), name.to_owned());
                self.name(&module, &name)
            }
            _ => damaged("the name of an object is not text"),
        }
    }

    fn line(&mut self) -> Result<String, String> {
        let rest = &self.bytes[self.at..];
        let n = rest.iter().position(|&byte| byte == b'\n').unwrap_or(rest.len());
        let line = self.take(n)?.to_vec();
        self.take(1)?;
        String::from_utf8(line).or_else(|_| damaged("the name of an object is not UTF-8"))
    }

    /// The only code that decides what a name means. Names without a meaning are kept, and never used.
    fn name(&mut self, module: &str, name: &str) -> Done {
        match Global::of(module, name) {
            Some(global) => self.push(Value::Global(global)),
            None => self.push(Value::Class(format!("{module}.{name}").into())),
        }
    }

    /// In place of what Python would make.
    fn object(&mut self, class: Id) -> Done {
        self.push(Value::Object(Box::new(Object { class, items: Vec::new(), attributes: None })))
    }

    /// Calls the object below the positional and the named arguments.
    pub(super) fn call_with_names(&mut self) -> Done {
        self.pop()?;
        self.call()
    }

    /// Calls the object below the arguments.
    pub(super) fn call(&mut self) -> Done {
        let (arguments, object) = (self.pop()?, self.pop()?);
        let known = self.values.tuple(arguments);
        let first = known.and_then(|arguments| arguments.first().copied());
        let global = match *self.values.get(object) {
            Value::Global(global) => global,
            Value::Class(ref class) => {
                // How Python makes an object whose class has no constructor of its own.
                let made =
                    first.filter(|_| &**class == "copy_reg._reconstructor" || &**class == "copyreg._reconstructor");
                let is_class = |id: &Id| matches!(self.values.get(*id), Value::Class(_));
                return self.object(made.filter(is_class).unwrap_or(object));
            }
            // What an object would make is not known either.
            Value::Object(ref made) => return self.object(made.class),
            _ => return damaged("it calls a value that is not an object"),
        };
        let Some(arguments) = known else { return damaged("arguments are not a tuple") };
        match global {
            Global::Inert => self.push_id(INERT),
            Global::Namespace => self.push(Value::Dict(Vec::new())),
            Global::Size => match first {
                Some(tuple) if self.values.items(tuple).is_some() => self.push_id(tuple),
                None => self.push_id(EMPTY_TUPLE),
                _ => damaged("a torch.Size is not a tuple"),
            },
            Global::OrderedDict => self.ordered_dict(first),
            Global::RebuildParameter => match first {
                Some(tensor) if self.values.tensor(tensor).is_some() => self.push_id(tensor),
                Some(object) if self.values.object(object).is_some() => self.push_id(object),
                _ => damaged("a parameter is not a tensor"),
            },
            Global::RebuildTensor => {
                if let Some(object) = first.and_then(|storage| self.values.object(storage)) {
                    return self.object(object.class);
                }
                let tensor = rebuilt(self, arguments)
                    .map_or_else(|| damaged("the parts of a tensor are wrong, or it has more than 8 extents, or is marked as conjugated or negated"), Ok)?;
                self.pay(tensor.shape.len())?;
                self.push(Value::Tensor(Box::new(tensor)))
            }
            Global::Storage(_) => damaged("it calls a storage"),
        }
    }

    /// An empty one, or one made of pairs, as Python 2 wrote it.
    fn ordered_dict(&mut self, pairs: Option<Id>) -> Done {
        let Some(pairs) = pairs else { return self.push(Value::Dict(Vec::new())) };
        let pair = |&id: &Id| match self.values.items(id) {
            Some(&[key, value]) => Some((key, value)),
            _ => None,
        };
        let Some(items) = self.values.items(pairs) else { return damaged("an OrderedDict is not made of a list") };
        let count = items.len();
        let Some(entries) = items.iter().map(pair).collect() else {
            return damaged("an OrderedDict is made of no pairs");
        };
        self.pay(2 * count)?;
        self.push(Value::Dict(entries))
    }

    /// Keeps the attributes of an object. Drops those of a container or tensor: `_metadata` of a state dict, options of a namespace.
    pub(super) fn build(&mut self) -> Done {
        let state = self.pop()?;
        let at = self.top()? as usize;
        let is_dict = matches!(self.values.get(state), Value::Dict(_));
        match &mut self.values.0[at] {
            Value::Object(object) => {
                object.attributes = is_dict.then_some(state);
                Ok(())
            }
            Value::Dict(_) | Value::Tensor(_) | Value::Inert => Ok(()),
            _ => damaged("it sets attributes of what has none"),
        }
    }

    /// An object outside the pickle: `("storage", kind, key, device, elements)`. In the older format, a sixth part says whether it
    /// is a part of another storage.
    pub(super) fn persistent(&mut self) -> Done {
        let id = self.pop()?;
        let (what, kind, key, len, view) = match *self.values.tuple(id).unwrap_or_default() {
            // PyTorch before 1.6 saved the source of a module's class with it.
            [what, class, _, _] if self.values.text(what) == Some("module") => return self.push_id(class),
            [what, kind, key, _, len] => (what, kind, key, len, INERT),
            [what, kind, key, _, len, view] => (what, kind, key, len, view),
            _ => return damaged("a storage has other parts than five or six"),
        };
        if view != INERT {
            return Err(
                "has a storage that is a part of another, as PyTorch before 0.4 saved them: load it with a newer \
                 PyTorch and save it again"
                    .into(),
            );
        }
        let values = &self.values;
        match (values.text(what), values.get(kind), values.text(key), values.count(len)) {
            (Some("storage"), &Value::Global(Global::Storage(dtype)), Some(_), Some(len)) => {
                self.push(Value::Storage(Box::new(Storage { dtype, key, len })))
            }
            // Of numbers that networks do not have, such as complex ones.
            (Some("storage"), &Value::Class(_), Some(_), Some(_)) => self.object(kind),
            _ => damaged("the parts of a storage are wrong"),
        }
    }
}

/// `(storage, offset, size, stride, needs gradient, hooks, marks)`.
fn rebuilt(machine: &Machine, arguments: &[Id]) -> Option<Tensor> {
    let &[storage, offset, size, stride, ref rest @ ..] = arguments else { return None };
    let values = &machine.values;
    // After gradient and hooks come marks that change how values are read: conjugated, negated.
    if rest.get(2).is_some_and(|&marks| marks != INERT && values.dict(marks) != Some(&[])) {
        return None;
    }
    let extents = |id: Id| -> Option<Vec<u64>> {
        let items = values.items(id).filter(|items| items.len() <= MAX_RANK)?;
        items.iter().map(|&item| values.count(item)).collect()
    };
    let (shape, stride) = (extents(size)?, extents(stride)?);
    values.storage(storage)?;
    (shape.len() == stride.len()).then_some(Tensor { storage, offset: values.count(offset)?, shape, stride })
}
