//! A task file as bytes.

use crate::{
    bencode::{bytes, dict, integer, list},
    file::{Bounty, Check, Command, InputFile, Module, OutputFile, TaskFile, Wasm, Work},
    other::Other,
    path::RelativePath,
};
use std::collections::BTreeMap;

/// The version of the format.
pub(crate) const VERSION: u8 = 1;

/// A dictionary that is put together: keys may come in any order.
struct Entries(BTreeMap<Vec<u8>, Vec<u8>>);

impl Entries {
    fn beside(other: &Other) -> Self {
        let other = other.iter();
        Self(
            other
                .map(|(key, value)| (key.to_vec(), value.as_bytes().to_vec()))
                .collect(),
        )
    }

    fn put(mut self, key: &str, value: Vec<u8>) -> Self {
        self.0.insert(key.as_bytes().to_vec(), value);
        self
    }

    /// Lists that are empty are left out.
    fn put_list(self, key: &str, values: impl IntoIterator<Item = Vec<u8>>) -> Self {
        let mut values = values.into_iter().peekable();
        match values.peek() {
            Some(_) => self.put(key, list(values)),
            None => self,
        }
    }

    fn written(&self) -> Vec<u8> {
        dict(&self.0)
    }
}

/// The bytes of a task file. Whether it keeps the limits is seen when they are read.
pub(crate) fn task_file(file: &TaskFile) -> Vec<u8> {
    let mut entries = Entries::beside(&file.other)
        .put("version", integer(VERSION.into()))
        .put("name", bytes(file.name.as_str().as_bytes()))
        .put("pieces", integer(file.pieces.get().into()))
        .put("piece-bytes", integer(file.piece_bytes_max.get().into()))
        .put_list("files", file.files.iter().map(output_file))
        .put_list("inputs", file.inputs.iter().map(input_file))
        .put_list(
            "bootstrap",
            file.bootstrap
                .iter()
                .map(|it| bytes(it.as_str().as_bytes())),
        )
        .put_list(
            "trackers",
            file.trackers.iter().map(|it| bytes(it.as_str().as_bytes())),
        );
    entries = match &file.work {
        Work::Command(it) => entries.put("command", command(it)),
        Work::Module(it) => entries.put("module", module(it)),
    };
    if let Check::By(command) = &file.check {
        entries = entries.put("check", bytes(command.as_str().as_bytes()));
    }
    if let Some(it) = &file.bounty {
        entries = entries.put("bounty", bounty(it));
    }
    entries.written()
}

fn command(command: &Command) -> Vec<u8> {
    let limits = &command.limits;
    Entries::beside(&command.other)
        .put("shell", bytes(command.shell.as_str().as_bytes()))
        .put("seconds", integer(limits.seconds.get().into()))
        .put("memory", integer(limits.memory_bytes.into()))
        .put("disk", integer(limits.disk_bytes.into()))
        .written()
}

fn module(module: &Module) -> Vec<u8> {
    let arguments = module.arguments.iter();
    let entries = Entries::beside(&module.other)
        .put_list(
            "arguments",
            arguments.map(|it| bytes(it.as_str().as_bytes())),
        )
        .put("fuel", integer(module.limits.fuel.into()))
        .put("memory", integer(module.limits.memory_bytes.into()));
    match &module.wasm {
        Wasm::Inside(wasm) => entries.put("wasm", bytes(wasm)),
        Wasm::Beside(file) => entries.put("file", input_file(file)),
    }
    .written()
}

fn output_file(file: &OutputFile) -> Vec<u8> {
    Entries::beside(&file.other)
        .put("path", path(&file.path))
        .put("parts", integer(file.parts.get().into()))
        .written()
}

fn input_file(file: &InputFile) -> Vec<u8> {
    Entries::beside(&file.other)
        .put("path", path(&file.path))
        .put("bytes", integer(file.bytes.into()))
        .put("sha256", bytes(&file.sha256.0))
        .written()
}

fn bounty(bounty: &Bounty) -> Vec<u8> {
    // One beyond what can be written is beyond what may be read.
    let amount = i128::try_from(bounty.amount).unwrap_or(i128::MAX);
    Entries::beside(&bounty.other)
        .put("genesis", bytes(&bounty.genesis.0))
        .put("job", bytes(&bounty.job.0))
        .put("amount", integer(amount))
        .written()
}

fn path(path: &RelativePath) -> Vec<u8> {
    list(path.parts().map(|part| bytes(part.as_bytes())))
}
