//! Looking at a program before anyone compiles it: is it one, can it be started, what does it need.

use crate::{
    error::{LooksLike, ProgramError},
    instrument::{self, Frame},
    limits::{
        EXPORTS_MAX, FUNCTION_BYTES_MAX, FUNCTIONS_MAX, GLOBALS_MAX, IMPORTS_MAX, LOCALS_MAX,
        PAGE_BYTES, PROGRAM_BYTES_MAX, RESULTS_MAX, SEGMENTS_MAX, TABLE_ELEMENTS_MAX, TABLES_MAX,
        TYPES_MAX,
    },
    wasi::{self, Signature},
};
use quern_primitives::limits::TASK_MEMORY_BYTES_MAX;
use wasmparser::{
    ExportSectionReader, ExternalKind, FuncType, FuncValidatorAllocations, FunctionBody,
    ImportSectionReader, MemorySectionReader, Parser, Payload, TableSectionReader, TypeRef,
    ValType, ValidPayload, Validator, WasmFeatures,
};

const MAGIC: &[u8] = b"\0asm";
/// The second half of the version field of a component; of a module it is 0.
const COMPONENT_LAYER: [u8; 2] = [1, 0];

/// What toolchains use by default or on request, and every machine computes alike. Not on: threads,
/// and what needs more of the engine than it is worth (garbage collection, exceptions, 64-bit
/// memory, tail calls).
pub(crate) const FEATURES: WasmFeatures = WasmFeatures::MUTABLE_GLOBAL
    .union(WasmFeatures::SATURATING_FLOAT_TO_INT)
    .union(WasmFeatures::SIGN_EXTENSION)
    .union(WasmFeatures::REFERENCE_TYPES)
    .union(WasmFeatures::MULTI_VALUE)
    .union(WasmFeatures::BULK_MEMORY)
    .union(WasmFeatures::SIMD)
    .union(WasmFeatures::RELAXED_SIMD)
    .union(WasmFeatures::EXTENDED_CONST)
    .union(WasmFeatures::FLOATS);

/// What a program is and needs, as an owner may want to know before a job is submitted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProgramFacts {
    /// Its length.
    pub program_bytes: u64,
    /// Bytes of memory it starts with; a task with a lower limit cannot run it.
    pub memory_bytes_min: u64,
    /// Bytes of memory it limits itself to, if it does.
    pub memory_bytes_max: Option<u64>,
    /// Functions it defines.
    pub functions: u32,
    /// The WASI functions it may call, each once, in the order it imports them.
    pub imports: Vec<&'static str>,
}

/// Says whether the grid runs this program, without compiling it, and what it needs.
pub fn inspect(program: &[u8]) -> Result<ProgramFacts, ProgramError> {
    survey(program).map(|survey| survey.facts)
}

/// What a program was found to be, with what its metering needs.
#[derive(Debug)]
pub(crate) struct Survey {
    pub(crate) facts: ProgramFacts,
    pub(crate) types: Vec<FuncType>,
    /// The types of imported functions, then of defined ones, as indices of `types`.
    pub(crate) function_types: Vec<u32>,
    pub(crate) imported_functions: u32,
    pub(crate) globals: u32,
    /// The function that runs before all others, if there is one.
    pub(crate) start: Option<u32>,
    /// One for each defined function.
    pub(crate) frames: Vec<Frame>,
    locals: u64,
    exports_memory: bool,
    start_command: Option<u32>,
    is_reactor: bool,
}

/// Checks all of a program. Ours are checked first where ours say more than the parser's words.
pub(crate) fn survey(program: &[u8]) -> Result<Survey, ProgramError> {
    check_preamble(program)?;
    let mut survey = Survey::new(program.len() as u64);
    let mut validator = Validator::new_with_features(FEATURES);
    let mut allocations = FuncValidatorAllocations::default();
    for payload in Parser::new(0).parse_all(program) {
        let payload = payload?;
        survey.check_bounds(&payload)?;
        match validator.payload(&payload)? {
            ValidPayload::Func(function, body) => {
                let mut function = function.into_validator(allocations);
                survey
                    .frames
                    .push(instrument::measure(&mut function, &body)?);
                allocations = function.into_allocations();
            }
            ValidPayload::Ok | ValidPayload::Parser(_) | ValidPayload::End(_) => {}
        }
        survey.learn(&payload)?;
    }
    survey.check_whole()?;
    Ok(survey)
}

fn check_preamble(program: &[u8]) -> Result<(), ProgramError> {
    if !program.starts_with(MAGIC) {
        return Err(ProgramError::NotWebAssembly {
            looks_like: looks_like(program),
        });
    }
    if program.get(6..8) == Some(&COMPONENT_LAYER[..]) {
        return Err(ProgramError::Component);
    }
    if program.len() > PROGRAM_BYTES_MAX {
        return Err(ProgramError::TooLarge {
            bytes: program.len(),
            max: PROGRAM_BYTES_MAX,
        });
    }
    Ok(())
}

fn looks_like(bytes: &[u8]) -> LooksLike {
    let known: [(&[u8], LooksLike); 9] = [
        (b"\x7fELF", LooksLike::Executable),
        (b"MZ", LooksLike::Executable),
        (b"\xcf\xfa\xed\xfe", LooksLike::Executable),
        (b"\xca\xfe\xba\xbe", LooksLike::Executable),
        (b"#!", LooksLike::Script),
        (b"PK\x03\x04", LooksLike::Archive),
        (b"\x1f\x8b", LooksLike::Archive),
        (b"\x28\xb5\x2f\xfd", LooksLike::Archive),
        (b"!<arch>", LooksLike::Archive),
    ];
    if bytes.is_empty() {
        return LooksLike::Nothing;
    }
    if let Some((_, found)) = known.iter().find(|(start, _)| bytes.starts_with(start)) {
        return *found;
    }
    let text = bytes.trim_ascii_start();
    if text.starts_with(b"(") || text.starts_with(b";;") {
        LooksLike::Text
    } else {
        LooksLike::Unknown
    }
}

impl Survey {
    fn new(program_bytes: u64) -> Self {
        Survey {
            facts: ProgramFacts {
                program_bytes,
                memory_bytes_min: 0,
                memory_bytes_max: None,
                functions: 0,
                imports: Vec::new(),
            },
            types: Vec::new(),
            function_types: Vec::new(),
            imported_functions: 0,
            globals: 0,
            start: None,
            frames: Vec::new(),
            locals: 0,
            exports_memory: false,
            start_command: None,
            is_reactor: false,
        }
    }

    /// Bounds on what is not valid yet, so that nothing is worked on that is too large anyway.
    fn check_bounds(&mut self, payload: &Payload<'_>) -> Result<(), ProgramError> {
        match payload {
            Payload::TypeSection(section) => at_most("types", section.count(), TYPES_MAX),
            Payload::ImportSection(section) => at_most("imports", section.count(), IMPORTS_MAX),
            Payload::FunctionSection(section) => {
                at_most("functions", section.count(), FUNCTIONS_MAX)
            }
            Payload::TableSection(section) => check_tables(section),
            Payload::MemorySection(section) => check_memories(section),
            Payload::GlobalSection(section) => at_most("globals", section.count(), GLOBALS_MAX),
            Payload::ExportSection(section) => at_most("exports", section.count(), EXPORTS_MAX),
            Payload::ElementSection(section) => {
                at_most("element segments", section.count(), SEGMENTS_MAX)
            }
            Payload::DataSection(section) => {
                at_most("data segments", section.count(), SEGMENTS_MAX)
            }
            Payload::CodeSectionEntry(body) => self.check_body(body),
            _ => Ok(()),
        }
    }

    fn check_body(&mut self, body: &FunctionBody<'_>) -> Result<(), ProgramError> {
        let bytes = body.range().len();
        if bytes > FUNCTION_BYTES_MAX {
            let (count, max) = (bytes as u64, FUNCTION_BYTES_MAX as u64);
            return Err(ProgramError::TooMany {
                what: "bytes in one function",
                count,
                max,
            });
        }
        for group in body.get_locals_reader()? {
            let (count, _) = group?;
            self.locals += u64::from(count);
        }
        if self.locals > LOCALS_MAX {
            let (count, max) = (self.locals, LOCALS_MAX);
            return Err(ProgramError::TooMany {
                what: "local variables",
                count,
                max,
            });
        }
        Ok(())
    }

    /// Notes what a section says, once it is known to be valid.
    fn learn(&mut self, payload: &Payload<'_>) -> Result<(), ProgramError> {
        match payload {
            Payload::TypeSection(section) => {
                let types = section.clone().into_iter_err_on_gc_types();
                self.types = types.collect::<Result<_, _>>()?;
                let results = self.types.iter().map(|it| it.results().len());
                let most = u32::try_from(results.max().unwrap_or_default());
                at_most(
                    "results of a function or block",
                    most.unwrap_or(u32::MAX),
                    RESULTS_MAX,
                )?;
            }
            Payload::ImportSection(section) => self.learn_imports(section)?,
            Payload::FunctionSection(section) => {
                for index in section.clone() {
                    self.function_types.push(index?);
                }
                self.facts.functions = section.count();
            }
            Payload::MemorySection(section) => {
                for memory in section.clone() {
                    let memory = memory?;
                    self.facts.memory_bytes_min = memory.initial * PAGE_BYTES;
                    self.facts.memory_bytes_max = memory.maximum.map(|pages| pages * PAGE_BYTES);
                }
            }
            Payload::GlobalSection(section) => self.globals = section.count(),
            Payload::ExportSection(section) => self.learn_exports(section)?,
            Payload::StartSection { func, .. } => self.start = Some(*func),
            _ => {}
        }
        Ok(())
    }

    fn learn_imports(&mut self, section: &ImportSectionReader<'_>) -> Result<(), ProgramError> {
        for import in section.clone() {
            let import = import?;
            let missing = |kind| ProgramError::MissingImport {
                kind,
                module: import.module.into(),
                name: import.name.into(),
                available: wasi::FUNCTIONS
                    .iter()
                    .map(|function| function.name)
                    .collect(),
            };
            let index = match import.ty {
                TypeRef::Func(index) => index,
                TypeRef::Table(_) => return Err(missing("table")),
                TypeRef::Memory(_) => return Err(missing("memory")),
                TypeRef::Global(_) => return Err(missing("global")),
                TypeRef::Tag(_) => return Err(missing("tag")),
            };
            let known = wasi::FUNCTIONS
                .iter()
                .find(|function| function.name == import.name);
            let known = known.filter(|_| import.module == wasi::MODULE);
            let known = known.ok_or_else(|| missing("function"))?;
            self.check_signature(known, index)?;
            self.function_types.push(index);
            self.imported_functions += 1;
            if !self.facts.imports.contains(&known.name) {
                self.facts.imports.push(known.name);
            }
        }
        Ok(())
    }

    fn check_signature(&self, known: &Signature, index: u32) -> Result<(), ProgramError> {
        let Some(found) = self.types.get(index as usize) else {
            return Ok(());
        };
        if found.params() == known.parameters && found.results() == known.results {
            return Ok(());
        }
        Err(ProgramError::ImportSignature {
            name: known.name,
            expected: signature(known.parameters, known.results),
            found: signature(found.params(), found.results()),
        })
    }

    fn learn_exports(&mut self, section: &ExportSectionReader<'_>) -> Result<(), ProgramError> {
        for export in section.clone() {
            let export = export?;
            if instrument::RESERVED_EXPORTS.contains(&export.name) {
                return Err(ProgramError::ReservedExport {
                    name: export.name.into(),
                });
            }
            match (export.name, export.kind) {
                ("memory", ExternalKind::Memory) => self.exports_memory = true,
                ("_start", ExternalKind::Func) => self.start_command = Some(export.index),
                ("_initialize", ExternalKind::Func) => self.is_reactor = true,
                _ => {}
            }
        }
        Ok(())
    }

    fn check_whole(&self) -> Result<(), ProgramError> {
        let Some(start) = self.start_command else {
            return Err(ProgramError::NoStart {
                reactor: self.is_reactor,
            });
        };
        let start = self.function_types.get(start as usize);
        if let Some(found) = start.and_then(|index| self.types.get(*index as usize))
            && !(found.params().is_empty() && found.results().is_empty())
        {
            let found = signature(found.params(), found.results());
            return Err(ProgramError::StartSignature { found });
        }
        if !self.facts.imports.is_empty() && !self.exports_memory {
            return Err(ProgramError::NoMemory);
        }
        Ok(())
    }
}

fn at_most(what: &'static str, count: u32, max: u32) -> Result<(), ProgramError> {
    if count > max {
        return Err(ProgramError::TooMany {
            what,
            count: count.into(),
            max: max.into(),
        });
    }
    Ok(())
}

fn check_tables(section: &TableSectionReader<'_>) -> Result<(), ProgramError> {
    at_most("tables", section.count(), TABLES_MAX)?;
    for table in section.clone() {
        let (count, max) = (table?.ty.initial, u64::from(TABLE_ELEMENTS_MAX));
        if count > max {
            return Err(ProgramError::TooMany {
                what: "elements in one table",
                count,
                max,
            });
        }
    }
    Ok(())
}

fn check_memories(section: &MemorySectionReader<'_>) -> Result<(), ProgramError> {
    for memory in section.clone() {
        let memory = memory?;
        // A declaration of 2^48 pages and more is 2^64 bytes and more: so many all the same.
        let asked = memory.initial.saturating_mul(PAGE_BYTES);
        if asked > TASK_MEMORY_BYTES_MAX {
            return Err(ProgramError::MemoryTooLarge {
                asked,
                max: TASK_MEMORY_BYTES_MAX,
            });
        }
        if memory.memory64 {
            return Err(ProgramError::Memory64);
        }
    }
    Ok(())
}

/// A function type as people write it.
fn signature(parameters: &[ValType], results: &[ValType]) -> String {
    let list = |types: &[ValType]| {
        types
            .iter()
            .map(ToString::to_string)
            .collect::<Vec<_>>()
            .join(", ")
    };
    format!("({}) -> ({})", list(parameters), list(results))
}
