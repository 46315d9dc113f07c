//! Drivers as components, made from WAT text and `wit/driver.wit`: no WebAssembly toolchain is needed, and a component can do
//! what no compiler would let it.
//!
//! [`Guest::new`] is a whole, well-behaved driver: it dumps two entries and reads through all at a restore. Every moment of it can be
//! replaced by another body. A body is WAT that leaves an `i32` (the address of the moment's result) on the stack; it may use
//! the functions, globals and locals that `driver.wat`, beside this file, lists at its beginning.

use std::fmt;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

/// The contract.
const CONTRACT: &str = include_str!("../../../wit/driver.wit");

/// As much of WASI 0.2 as the guests here import.
const WASI: &str = include_str!("wasi.wit");

/// What every guest has.
const COMMON: &str = include_str!("driver.wat");

/// Where texts begin in a guest's memory; below stand the results.
const TEXTS: usize = 4096;

/// A page of a guest's memory.
const PAGE: usize = 65536;

/// The moments, and `describe`, by the names of their exports.
pub const MOMENTS: [&str; 9] = [
    "describe",
    "before-dump",
    "link-values",
    "dump",
    "after-dump",
    "before-restore",
    "restore",
    "after-restore",
    // What a module runs at its start, before any of them.
    "start",
];

/// A text in a guest's memory: shown, it is two constants, address and length.
#[derive(Clone, Copy, Debug)]
pub struct Text {
    at: usize,
    len: usize,
}

impl Text {
    /// Its address, as a constant.
    pub fn address(self) -> String {
        format!("(i32.const {})", self.at)
    }

    /// As it stands in a list or a record: address and length, 32 bits each.
    ///
    /// # Panics
    /// The guest's memory has more than 4 GiB.
    pub fn record(self) -> [u8; 8] {
        let number = |number: usize| u32::try_from(number).expect("32 bits").to_le_bytes();
        [number(self.at), number(self.len)].concat().try_into().expect("two numbers")
    }
}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "(i32.const {}) (i32.const {})", self.at, self.len)
    }
}

/// A component in the making.
#[derive(Clone, Debug)]
pub struct Guest {
    name: String,
    version: String,
    schema: String,
    formats: Vec<String>,
    has_columns: bool,
    needs: Vec<(u8, String, bool)>,
    bodies: Vec<(String, String)>,
    imports: String,
    world: String,
    functions: String,
    texts: Vec<u8>,
    contract: String,
}

impl Default for Guest {
    fn default() -> Self {
        Self::new()
    }
}

impl Guest {
    /// A whole driver, `wat` 1.0.0: it writes `greeting.txt` and `empty`, and reads whatever it is given.
    pub fn new() -> Self {
        Self {
            name: "wat".into(),
            version: "1.0.0".into(),
            schema: r#"{"type":"object"}"#.into(),
            formats: vec!["wat/1".into()],
            has_columns: false,
            needs: Vec::new(),
            bodies: Vec::new(),
            imports: String::new(),
            world: String::new(),
            functions: String::new(),
            texts: Vec::new(),
            contract: CONTRACT.into(),
        }
    }

    /// Another name in its description.
    #[must_use]
    pub fn named(mut self, name: &str, version: &str) -> Self {
        (self.name, self.version) = (name.into(), version.into());
        self
    }

    /// Another schema of its configuration.
    #[must_use]
    pub fn schema(mut self, schema: &str) -> Self {
        self.schema = schema.into();
        self
    }

    /// Links may start at it.
    #[must_use]
    pub fn with_columns(mut self) -> Self {
        self.has_columns = true;
        self
    }

    /// Adds a need: the number of its capability in the contract (0 is `network`), its target.
    #[must_use]
    pub fn needs(mut self, capability: u8, target: &str, optional: bool) -> Self {
        self.needs.push((capability, target.into(), optional));
        self
    }

    /// Built against another version of the contract, which is otherwise the same.
    #[must_use]
    pub fn contract_version(mut self, version: &str) -> Self {
        self.contract = CONTRACT.replace("dumprestore:driver@0.1.0", &format!("dumprestore:driver@{version}"));
        self
    }

    /// Replaces the body of a moment, by the name of its export, of `describe`, or of `start`.
    ///
    /// # Panics
    /// There is no such moment.
    #[must_use]
    pub fn body(mut self, moment: &str, body: &str) -> Self {
        assert!(MOMENTS.contains(&moment), "there is no `{moment}`");
        self.bodies.retain(|(there, _)| there != moment);
        self.bodies.push((moment.into(), body.into()));
        self
    }

    /// Adds functions, globals and tables to the module.
    #[must_use]
    pub fn functions(mut self, text: &str) -> Self {
        self.functions.push_str(text);
        self
    }

    /// Adds imports: of the world (`import wasi:clocks/monotonic-clock@0.2.0;`) and of the module (`(import …)`).
    #[must_use]
    pub fn imports(mut self, world: &str, module: &str) -> Self {
        self.world.push_str(world);
        self.imports.push_str(module);
        self
    }

    /// Adds `$sleep (nanoseconds)`.
    #[must_use]
    pub fn sleeping(self) -> Self {
        let world = "import wasi:clocks/monotonic-clock@0.2.0;\nimport wasi:io/poll@0.2.0;\n";
        let module = r#"
  (import "wasi:clocks/monotonic-clock@0.2.0" "subscribe-duration" (func $after (param i64) (result i32)))
  (import "wasi:io/poll@0.2.0" "[method]pollable.block" (func $block (param i32)))"#;
        self.imports(world, module).functions("(func $sleep (param $time i64) (call $block (call $after (local.get $time))))")
    }

    /// Puts a text, or bytes, into the guest's memory.
    pub fn text(&mut self, text: impl AsRef<[u8]>) -> Text {
        let text = text.as_ref();
        let at = TEXTS + self.texts.len();
        self.texts.extend_from_slice(text);
        self.texts.resize(self.texts.len().next_multiple_of(8), 0);
        Text { at, len: text.len() }
    }

    /// Puts a list of texts into the guest's memory; shown, it is the address of the list and how many they are.
    ///
    /// # Panics
    /// They have no place in 32 bits.
    pub fn list(&mut self, texts: &[&str]) -> Text {
        let places: Vec<Text> = texts.iter().map(|text| self.text(text)).collect();
        let number = |number: usize| u32::try_from(number).expect("32 bits").to_le_bytes();
        let list: Vec<u8> = places.iter().flat_map(|place| [number(place.at), number(place.len)].concat()).collect();
        Text { len: texts.len(), ..self.text(&list) }
    }

    /// The core module, as text.
    pub fn wat(&self) -> String {
        let mut guest = self.clone();
        let mut data = String::new();
        let describe = guest.describe(&mut data);
        let (greeting, hello, empty) = (guest.text("greeting.txt"), guest.text("hello"), guest.text("empty"));
        let format = guest.text(self.formats.first().cloned().unwrap_or_default());
        let body = |moment: &str, default: String| {
            let own = guest.bodies.iter().find(|(there, _)| there == moment);
            own.map_or(default, |(_, body)| body.clone())
        };
        let version = self.contract_version_number();
        let heap = (TEXTS + guest.texts.len()).next_multiple_of(PAGE);
        let module = COMMON
            .replace(";; IMPORTS", &self.imports)
            .replace(";; FUNCTIONS", &self.functions)
            .replace("@0.1.0", &format!("@{version}"))
            .replace(";; DESCRIBE", &body("describe", describe))
            .replace(";; BEFORE_DUMP", &body("before-dump", "(call $ok_point)".into()))
            .replace(";; LINK_VALUES", &body("link-values", "(call $ok)".into()))
            .replace(";; AFTER_DUMP", &body("after-dump", "(call $ok)".into()))
            .replace(";; BEFORE_RESTORE", &body("before-restore", "(call $ok)".into()))
            .replace(";; AFTER_RESTORE", &body("after-restore", "(call $ok)".into()))
            .replace(";; RESTORE", &body("restore", "(call $read_all (local.get $source))".into()))
            .replace(
                ";; DUMP",
                &body(
                    "dump",
                    format!(
                        "{} {} (call $ok_outcome)",
                        attempt(&format!("(drop (call $entry (local.get $into) {greeting} {hello}))")),
                        attempt(&format!("(drop (call $entry (local.get $into) {empty} (i32.const 0) (i32.const 0)))")),
                    ),
                ),
            )
            .replace(";; START", &body("start", String::new()))
            .replace("(;FORMAT;)", &format.to_string())
            .replace("(;HEAP;)", &heap.to_string())
            .replace("(;PAGES;)", &(heap / PAGE + 4).to_string());
        let mut text = String::new();
        guest.texts.iter().for_each(|byte| write!(text, "\\{byte:02x}").expect("a string takes all"));
        module.replace(";; DATA", &format!("{data} (data (i32.const {TEXTS}) \"{text}\")"))
    }

    /// The component.
    ///
    /// # Panics
    /// Its text is wrong: the module is shown.
    pub fn build(&self) -> Vec<u8> {
        let wat = self.wat();
        let mut module = wat::parse_str(&wat).unwrap_or_else(|why| panic!("{why}\n{wat}"));
        let mut resolve = Resolve::new();
        resolve.push_str("wasi.wit", WASI).expect("the subset of WASI is WIT");
        let contract = self.contract.replace("world driver {", &format!("world driver {{\n{}", self.world));
        let package = resolve.push_str("driver.wit", &contract).expect("the contract is WIT");
        let world = resolve.select_world(&[package], Some("driver")).expect("the contract has a world");
        embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8).expect("a module takes its world");
        let encoder = ComponentEncoder::default().validate(true).module(&module).unwrap_or_else(|why| panic!("{why:#}\n{wat}"));
        let mut encoder = encoder;
        encoder.encode().unwrap_or_else(|why| panic!("{why:#}\n{wat}"))
    }

    /// Writes the component to `driver.wasm` in a directory.
    ///
    /// # Panics
    /// As [`Guest::build`]; the file cannot be written.
    pub fn write(&self, directory: &Path) -> PathBuf {
        let path = directory.join("driver.wasm");
        fs::write(&path, self.build()).expect("the component can be written");
        path
    }

    fn contract_version_number(&self) -> &str {
        let rest = self.contract.split("package dumprestore:driver@").nth(1).expect("the contract has a package");
        rest.split(';').next().expect("it ends")
    }

    /// The body of `describe`, and the data that it returns the address of.
    fn describe(&mut self, data: &mut String) -> String {
        let mut record = Vec::new();
        let mut put = |numbers: &[usize]| numbers.iter().for_each(|n| record.extend(u32::try_from(*n).expect("32 bits").to_le_bytes()));
        let (name, version, schema) = (self.name.clone(), self.version.clone(), self.schema.clone());
        for text in [&name, &version, &"made of WAT, for tests".to_owned(), &schema] {
            let text = self.text(text);
            put(&[text.at, text.len]);
        }
        let mut needs = Vec::new();
        for (capability, target, optional) in self.needs.clone() {
            let (target, reason) = (self.text(&target), self.text("the test wants it"));
            needs.extend(u32::from(capability).to_le_bytes());
            for number in [target.at, target.len, reason.at, reason.len] {
                needs.extend(u32::try_from(number).expect("32 bits").to_le_bytes());
            }
            needs.extend(u32::from(optional).to_le_bytes());
        }
        let needs = self.text(&needs);
        put(&[needs.at, self.needs.len()]);
        let mut formats = Vec::new();
        for format in self.formats.clone() {
            let text = self.text(&format);
            formats.extend([text.at, text.len].iter().flat_map(|n| u32::try_from(*n).expect("32 bits").to_le_bytes()));
        }
        let formats = self.text(&formats);
        put(&[formats.at, self.formats.len()]);
        record.extend([1, u8::from(self.has_columns), 1, 0]);
        let mut text = String::new();
        record.iter().for_each(|byte| write!(text, "\\{byte:02x}").expect("a string takes all"));
        *data = format!("(data (i32.const 256) \"{text}\")");
        "(i32.const 256)".into()
    }
}

/// A call whose error, in `$ret`, the moment returns at once.
pub fn attempt(call: &str) -> String {
    format!("{call} (if (i32.load8_u (global.get $ret)) (then (return (global.get $ret))))\n")
}
