//! A pickle machine that builds only tensors and plain containers, whatever a pickle asks for. It never runs the code of any other
//! Python object: it only remembers the object's name, items and attributes.
//!
//! A pickle is a program: its instructions push values, collect them into containers, and call Python objects by name.
//! Python's `pickle` and `pickletools` define the instructions; this machine has those that protocols 2 to 5 use in the files of
//! `torch.save`. No instruction recurses, values refer to each other by index, and everything that takes memory pays for
//! it from a budget.

use super::value::{Global, Id, Object, Storage, Tensor, Value, Values};

/// Indices of the constants, which every pickle has.
const INERT: Id = 0;
const FALSE: Id = 1;
const TRUE: Id = 2;
const EMPTY_TUPLE: Id = 3;

/// Most extents of one tensor.
const MAX_RANK: usize = 8;

/// The deepest stack. Containers are filled a thousand items at a time.
const DEEPEST: usize = 1 << 16;

/// The result of a pickle.
#[derive(Debug)]
pub(super) struct Pickle {
    pub(super) values: Values,
    pub(super) root: Id,
    /// Its length in bytes.
    pub(super) len: usize,
}

/// The number of values, items and memos that the pickles of a file of this size may create: enough for six hundred tensors in the
/// smallest file, plus one tensor per 900 bytes, which is less than a tensor and its names take.
pub(super) fn budget(file_len: usize) -> usize {
    (1 << 15) + file_len / 16
}

/// Runs the pickle at the beginning of `bytes`.
pub(super) fn load(bytes: &[u8], budget: usize) -> Result<Pickle, String> {
    let values = Values(vec![Value::Inert, Value::Bool(false), Value::Bool(true), Value::Tuple(Vec::new())]);
    let mut machine =
        Machine { bytes, at: 0, values, stack: Vec::new(), marks: Vec::new(), memo: Vec::new(), left: budget };
    loop {
        let begin = machine.at;
        let place = |what: String| format!("{what} (at byte {begin} of its pickle)");
        match machine.byte().map_err(place)? {
            b'.' => break,
            opcode => machine.execute(opcode).map_err(place)?,
        }
    }
    let root = machine.pop()?;
    Ok(Pickle { values: machine.values, root, len: machine.at })
}

struct Machine<'a> {
    bytes: &'a [u8],
    at: usize,
    values: Values,
    stack: Vec<Id>,
    /// The marks: heights of the stack.
    marks: Vec<usize>,
    /// Memoised values, by Python's memo index.
    memo: Vec<Id>,
    /// The rest of the budget.
    left: usize,
}

type Done = Result<(), String>;

fn damaged<T>(what: &str) -> Result<T, String> {
    Err(format!("is damaged: {what}"))
}

impl Machine<'_> {
    /// One instruction; its names are those of `pickletools`.
    fn execute(&mut self, opcode: u8) -> Done {
        match opcode {
            // PROTO, FRAME
            0x80 => self.protocol(),
            0x95 => self.take(8).map(drop),
            // NONE, NEWTRUE, NEWFALSE, BINFLOAT
            b'N' => self.push_id(INERT),
            0x88 => self.push_id(TRUE),
            0x89 => self.push_id(FALSE),
            b'G' => self.take(8).map(drop).and_then(|()| self.push_id(INERT)),
            // BININT1, BININT2, BININT, LONG1, LONG4
            b'K' | b'M' | b'J' | 0x8a | 0x8b => self.integer(opcode),
            // SHORT_BINSTRING, BINSTRING, SHORT_BINUNICODE, BINUNICODE, BINUNICODE8
            b'U' | b'T' | 0x8c | b'X' | 0x8d => self.text(opcode),
            // SHORT_BINBYTES, BINBYTES, BINBYTES8, BYTEARRAY8
            b'C' | b'B' | 0x8e | 0x96 => self.counted(opcode).map(drop).and_then(|()| self.push_id(INERT)),
            // MARK
            b'(' => self.mark(),
            // EMPTY_TUPLE, TUPLE1, TUPLE2, TUPLE3, TUPLE
            b')' => self.push_id(EMPTY_TUPLE),
            0x85..=0x87 => self.tuple_of((opcode - 0x84).into()),
            b't' => self.unmark().and_then(|from| self.tuple_of(self.stack.len() - from)),
            // EMPTY_LIST, EMPTY_SET, EMPTY_DICT
            b']' | 0x8f => self.push(Value::List(Vec::new())),
            b'}' => self.push(Value::Dict(Vec::new())),
            // APPEND, APPENDS, ADDITEMS
            b'a' => self.append(1),
            b'e' | 0x90 => self.unmark().and_then(|from| self.append(self.stack.len() - from)),
            // SETITEM, SETITEMS
            b's' => self.set_items(2),
            b'u' => self.unmark().and_then(|from| self.set_items(self.stack.len() - from)),
            // FROZENSET
            0x91 => self.unmark().and_then(|from| {
                self.stack.truncate(from);
                self.push_id(INERT)
            }),
            // BINPUT, LONG_BINPUT, MEMOIZE
            b'q' | b'r' | 0x94 => self.put(opcode),
            // BINGET, LONG_BINGET
            b'h' | b'j' => self.get(opcode),
            // GLOBAL, STACK_GLOBAL
            b'c' => self.global(),
            0x93 => self.stack_global(),
            // POP, POP_MARK, DUP
            b'0' => self.pop().map(drop),
            b'1' => self.unmark().map(|from| self.stack.truncate(from)),
            b'2' => self.top().and_then(|id| self.push_id(id)),
            // REDUCE, NEWOBJ, NEWOBJ_EX, BUILD, BINPERSID
            b'R' | 0x81 => self.call(),
            0x92 => self.call_with_names(),
            b'b' => self.build(),
            b'Q' => self.persistent(),
            _ => Err(format!("has the pickle instruction {opcode:#04x}, which torch.save does not write")),
        }
    }

    fn protocol(&mut self) -> Done {
        match self.byte()? {
            2..=5 => Ok(()),
            other => Err(format!("is a pickle of protocol {other}; save it with torch.save's default")),
        }
    }

    // Reading.

    fn take(&mut self, n: usize) -> Result<&[u8], String> {
        match self.bytes[self.at..].get(..n) {
            Some(taken) => {
                self.at += n;
                Ok(taken)
            }
            None => Err("ends in the middle of its pickle: is it a whole download?".into()),
        }
    }

    fn byte(&mut self) -> Result<u8, String> {
        self.take(1).map(|taken| taken[0])
    }

    /// `n` bytes, little-endian, without a sign.
    fn unsigned(&mut self, n: usize) -> Result<u64, String> {
        Ok(self.take(n)?.iter().rev().fold(0, |number, &byte| number << 8 | u64::from(byte)))
    }

    fn integer(&mut self, opcode: u8) -> Done {
        let value = match opcode {
            b'K' => self.unsigned(1)? as i64,
            b'M' => self.unsigned(2)? as i64,
            b'J' => i64::from(self.unsigned(4)? as u32 as i32),
            _ => {
                let n = self.unsigned(if opcode == 0x8a { 1 } else { 4 })? as usize;
                let digits = self.take(n)?;
                if n > 8 {
                    return self.push_id(INERT);
                }
                // The sign is the highest bit of the last byte.
                let sign = if digits.last().is_some_and(|&byte| byte >= 0x80) { 0xff } else { 0 };
                let mut whole = [sign; 8];
                whole[..n].copy_from_slice(digits);
                i64::from_le_bytes(whole)
            }
        };
        self.push(Value::Int(value))
    }

    /// The bytes that follow their number.
    fn counted(&mut self, opcode: u8) -> Result<&[u8], String> {
        let width = match opcode {
            b'U' | b'C' | 0x8c => 1,
            b'T' | b'B' | b'X' => 4,
            _ => 8,
        };
        let n = self.unsigned(width)?;
        self.take(usize::try_from(n).unwrap_or(usize::MAX))
    }

    fn text(&mut self, opcode: u8) -> Done {
        let bytes = self.counted(opcode)?.to_vec();
        match String::from_utf8(bytes) {
            Ok(text) => self.push(Value::Text(text.into())),
            // Python 2 wrote its bytes like this.
            Err(_) if matches!(opcode, b'U' | b'T') => self.push_id(INERT),
            Err(_) => damaged("a text is not UTF-8"),
        }
    }

    // The stack.

    fn pay(&mut self, units: usize) -> Done {
        match self.left.checked_sub(units) {
            Some(left) => {
                self.left = left;
                Ok(())
            }
            None => Err("holds more values than the weights of a network of its size".into()),
        }
    }

    fn push_id(&mut self, id: Id) -> Done {
        if self.stack.len() == DEEPEST {
            return damaged("its stack grows too deep");
        }
        self.stack.push(id);
        Ok(())
    }

    fn push(&mut self, value: Value) -> Done {
        self.pay(1)?;
        let id = Id::try_from(self.values.0.len()).map_err(|_| "holds too many values")?;
        self.values.0.push(value);
        self.push_id(id)
    }

    /// The height of the last mark: instructions may pop only what lies above.
    fn floor(&self) -> usize {
        self.marks.last().copied().unwrap_or(0)
    }

    fn pop(&mut self) -> Result<Id, String> {
        if self.stack.len() <= self.floor() {
            return damaged("its stack is empty");
        }
        Ok(self.stack.pop().expect("checked"))
    }

    fn top(&self) -> Result<Id, String> {
        if self.stack.len() <= self.floor() {
            damaged("its stack is empty")
        } else {
            Ok(self.stack[self.stack.len() - 1])
        }
    }

    fn mark(&mut self) -> Done {
        if self.marks.len() == DEEPEST {
            return damaged("its stack grows too deep");
        }
        self.marks.push(self.stack.len());
        Ok(())
    }

    fn unmark(&mut self) -> Result<usize, String> {
        self.marks.pop().map_or_else(|| damaged("a mark is missing"), Ok)
    }

    /// The last `n` of the stack.
    fn pop_many(&mut self, n: usize) -> Result<Vec<Id>, String> {
        if self.stack.len() - self.floor() < n {
            return damaged("its stack is empty");
        }
        Ok(self.stack.split_off(self.stack.len() - n))
    }

    // Containers.

    fn tuple_of(&mut self, n: usize) -> Done {
        self.pay(n)?;
        let items = self.pop_many(n)?;
        self.push(Value::Tuple(items))
    }

    fn append(&mut self, n: usize) -> Done {
        let mut items = self.pop_many(n)?;
        // A list's floats are not needed, and there may be many, such as the losses of a training run.
        items.retain(|&id| id != INERT);
        self.pay(items.len())?;
        let list = self.top()?;
        match &mut self.values.0[list as usize] {
            Value::List(list) => list.extend(items),
            // A list of its own kind.
            Value::Object(_) => {}
            _ => return damaged("it appends to a value that is not a list"),
        }
        Ok(())
    }

    fn set_items(&mut self, n: usize) -> Done {
        self.pay(n)?;
        let items = self.pop_many(n)?;
        let (pairs, []) = items.as_chunks::<2>() else { return damaged("a key has no value") };
        let dict = self.top()?;
        match &mut self.values.0[dict as usize] {
            Value::Dict(entries) => entries.extend(pairs.iter().map(|&[key, value]| (key, value))),
            Value::Object(object) => object.items.extend(pairs.iter().map(|&[key, value]| (key, value))),
            _ => return damaged("it sets an item of a value that is not a dictionary"),
        }
        Ok(())
    }

    fn put(&mut self, opcode: u8) -> Done {
        let next = self.memo.len() as u64;
        let at = match opcode {
            b'q' => self.unsigned(1)?,
            b'r' => self.unsigned(4)?,
            _ => next,
        };
        let id = self.top()?;
        if at > next {
            return damaged("it numbers its memos out of order");
        }
        if at < next {
            self.memo[at as usize] = id;
            return Ok(());
        }
        self.pay(1)?;
        self.memo.push(id);
        Ok(())
    }

    fn get(&mut self, opcode: u8) -> Done {
        let at = self.unsigned(if opcode == b'h' { 1 } else { 4 })?;
        match self.memo.get(at as usize) {
            Some(&id) => self.push_id(id),
            None => damaged("it names a memo that does not exist"),
        }
    }
}

mod call;

#[cfg(test)]
#[path = "machine_tests.rs"]
mod tests;
