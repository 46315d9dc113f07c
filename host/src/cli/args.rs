//! What was typed: the arguments as clap reads them. What they mean is said in [`super::intent`].

use std::path::PathBuf;

use clap::{ArgAction, Args, Parser, Subcommand, ValueEnum};

use super::exit::TABLE;

/// One coherent, restorable snapshot of an application's whole state, in one zip file.
///
/// Databases, media and other state are dumped in the order that the configuration gives, so that after a restore nothing
/// dangles. Without a configuration, the databases and media that the environment names are dumped: DATABASE_URL,
/// ANALYTICS_DATABASE_URL, …, MEDIA_URL or MEDIA_ROOT.
#[derive(Debug, Parser)]
#[command(name = "dr-host", version, after_help = TABLE, max_term_width = 100)]
pub(super) struct Arguments {
    #[command(flatten)]
    pub(super) output: OutputArguments,
    #[command(subcommand)]
    pub(super) command: Command,
}

/// What every command understands.
#[derive(Debug, Args)]
pub(super) struct OutputArguments {
    /// Say only errors and findings
    #[arg(short, long, global = true, conflicts_with = "verbose", help_heading = "Output")]
    pub(super) quiet: bool,
    /// Say more; twice, also what helps to debug a driver
    #[arg(short, long, global = true, action = ArgAction::Count, help_heading = "Output")]
    pub(super) verbose: u8,
    /// Print JSON: one event a line, or one document
    #[arg(long, global = true, help_heading = "Output")]
    pub(super) json: bool,
}

/// What is to be done.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    Dump(DumpArguments),
    Restore(RestoreArguments),
    List(ListArguments),
    Verify(VerifyArguments),
    Plan(PlanArguments),
    Init(InitArguments),
    Driver(DriverArguments),
    Completions(CompletionsArguments),
    Man(ManArguments),
}

/// Which sets are meant.
#[derive(Debug, Args)]
pub(super) struct SetArguments {
    /// Only this set, and those below it; may be repeated
    #[arg(long, value_name = "PATH")]
    pub(super) only: Vec<String>,
    /// Not this set, nor those below it; may be repeated
    #[arg(long, value_name = "PATH")]
    pub(super) skip: Vec<String>,
}

/// Which configuration applies.
#[derive(Debug, Args)]
pub(super) struct ConfigArguments {
    /// The configuration; without it, dumprestore.toml in the current directory, else what the environment names
    #[arg(short, long, value_name = "FILE")]
    pub(super) config: Option<PathBuf>,
}

/// Dump all sets into one archive
///
/// The archive appears under its name only when it is whole. It is readable by its owner alone.
#[derive(Debug, Args)]
#[command(after_help = TABLE)]
pub(super) struct DumpArguments {
    /// Where to write the archive: a file, or - for standard output (all else then goes to standard error)
    pub(super) out: String,
    #[command(flatten)]
    pub(super) config: ConfigArguments,
    #[command(flatten)]
    pub(super) sets: SetArguments,
    /// Replace OUT if it exists, once the new archive is whole
    #[arg(long)]
    pub(super) overwrite: bool,
    /// How to compress, instead of what the configuration says
    #[arg(long, value_name = "METHOD")]
    pub(super) compression: Option<CompressionArgument>,
}

/// How to compress.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum CompressionArgument {
    /// Quick and small
    Zstd,
    /// Any unzip opens it
    Deflate,
    /// Not at all
    Store,
}

/// Put the sets of an archive back
///
/// Sets are restored in the reverse of the order in which they were dumped: what is referred to comes before what refers to it.
/// Everything is checked before the first byte is written. Where a set is restored to is what the configuration says now, not
/// what it said at the dump.
///
/// `--only SET:ITEM` restores single items of a set, where its driver can: of a PostgreSQL database, the rows of single tables
/// (`--only database:public.orders`) into tables that are there and empty.
#[derive(Debug, Args)]
#[command(after_help = TABLE)]
pub(super) struct RestoreArguments {
    /// The archive, a file
    #[arg(value_name = "IN")]
    pub(super) input: String,
    #[command(flatten)]
    pub(super) config: ConfigArguments,
    #[command(flatten)]
    pub(super) sets: SetArguments,
    /// Throw away what stands in a target, such as a database with tables, and make it anew
    #[arg(long)]
    pub(super) recreate: bool,
    /// With --recreate, end what still uses a target: the sessions that are connected to a database
    #[arg(long, requires = "recreate")]
    pub(super) force: bool,
    /// With --only SET:ITEM, empty the items before they are filled
    #[arg(long, requires = "only", conflicts_with = "recreate")]
    pub(super) truncate: bool,
    /// What to do with files and objects in a target that the archive lacks; without it, they are a reason to refuse. `-v`
    /// names what is deleted
    #[arg(long, value_name = "WHAT")]
    pub(super) extra: Option<ExtraArgument>,
    /// Do not ask before --recreate, --truncate or --extra delete; needed where nobody can be asked
    #[arg(short, long)]
    pub(super) yes: bool,
    #[command(flatten)]
    pub(super) expect: ExpectArguments,
}

/// What becomes of what the archive lacks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum ExtraArgument {
    /// Leave it where it is
    Keep,
    /// Delete it
    Delete,
}

/// What an archive must be.
#[derive(Debug, Args)]
pub(super) struct ExpectArguments {
    /// Refuse any archive but the one with this hash, which its dump printed
    #[arg(long, value_name = "HASH", value_parser = hash)]
    pub(super) expect: Option<String>,
}

/// Show what an archive holds
///
/// Reads little, whatever the size of the archive; `verify` reads all of it.
#[derive(Debug, Args)]
#[command(after_help = TABLE)]
pub(super) struct ListArguments {
    /// The archive, a file
    #[arg(value_name = "IN")]
    pub(super) input: String,
    #[command(flatten)]
    pub(super) sets: SetArguments,
    /// List the entries of the sets, one a line
    #[arg(long)]
    pub(super) entries: bool,
}

/// Check every byte of an archive, and its links
///
/// Needs neither the configuration nor what was dumped.
#[derive(Debug, Args)]
#[command(after_help = TABLE)]
pub(super) struct VerifyArguments {
    /// The archive, a file
    #[arg(value_name = "IN")]
    pub(super) input: String,
    #[command(flatten)]
    pub(super) sets: SetArguments,
    #[command(flatten)]
    pub(super) expect: ExpectArguments,
}

/// Show what a dump would do, without connecting to anything or writing
#[derive(Debug, Args)]
#[command(after_help = TABLE)]
pub(super) struct PlanArguments {
    #[command(flatten)]
    pub(super) config: ConfigArguments,
    #[command(flatten)]
    pub(super) sets: SetArguments,
}

/// Write a commented configuration from what the environment names
#[derive(Debug, Args)]
#[command(after_help = TABLE)]
pub(super) struct InitArguments {
    /// The file to write, which must not exist
    #[arg(value_name = "FILE", default_value = crate::config::FILE)]
    pub(super) path: PathBuf,
    #[command(flatten)]
    pub(super) sets: SetArguments,
}

/// Write, inspect and test a driver of your own
#[derive(Debug, Args)]
#[command(after_help = TABLE)]
pub(super) struct DriverArguments {
    #[command(subcommand)]
    pub(super) command: DriverCommand,
}

/// What is to be done about a driver.
#[derive(Debug, Subcommand)]
pub(super) enum DriverCommand {
    New(NewArguments),
    Inspect(InspectArguments),
    Test(TestArguments),
    /// Print the contract that a driver fulfils
    #[command(after_help = TABLE)]
    Wit,
}

/// Make the project of a new driver: it builds, and passes its own test as made
#[derive(Debug, Args)]
#[command(after_help = TABLE)]
pub(super) struct NewArguments {
    /// The driver's name, and the directory to make
    pub(super) name: String,
    /// The language to write it in
    #[arg(long, value_name = "LANGUAGE", default_value = "rust")]
    pub(super) lang: LanguageArgument,
}

/// The languages in which a project can be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum LanguageArgument {
    /// Rust, with wit-bindgen
    Rust,
}

/// Show what a component is, what it needs, and what its imports make possible
///
/// Nothing is granted to it, and nothing of it runs but its description.
#[derive(Debug, Args)]
#[command(after_help = TABLE)]
pub(super) struct InspectArguments {
    /// The component, a file
    #[arg(value_name = "COMPONENT")]
    pub(super) component: PathBuf,
}

/// Hold a component to the contract
///
/// Dumps, restores and compares, and does to the driver what a host may do: a failing call at every position, cancellation, archives
/// with nothing in them or with something missing. Places are filled by letting the driver restore archives that the test makes
/// up, and looked at by letting it dump them again. In --config and --grant, DIR stands for a directory and NUMBER for a number
/// that each place has for itself; a place in which something stands already is refused.
#[derive(Debug, Args)]
#[command(after_help = TABLE)]
pub(super) struct TestArguments {
    /// The component, a file
    #[arg(value_name = "COMPONENT")]
    pub(super) component: PathBuf,
    /// The driver's configuration, as JSON: '{"directory": "/data"}'
    #[arg(long, value_name = "JSON", default_value = "{}")]
    pub(super) config: String,
    /// What it may touch, as in a configuration's `grant`: net=127.0.0.1:6379, write=DIR:/data; may be repeated
    #[arg(long, value_name = "KEY=VALUE", value_parser = grant)]
    pub(super) grant: Vec<(String, String)>,
    /// A secret; may be repeated
    #[arg(long, value_name = "NAME=VALUE", value_parser = pair)]
    pub(super) secret: Vec<(String, String)>,
    /// What a restore of it that fails may leave behind
    #[arg(long, value_name = "WHAT", default_value = "anything")]
    pub(super) leaves: LeavesArgument,
    /// Only cases whose names hold this
    #[arg(long, value_name = "TEXT")]
    pub(super) only: Option<String>,
}

/// What a failed restore may leave.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum LeavesArgument {
    /// What stood there before
    Nothing,
    /// Whole items: each as it was before, or as the archive has it
    Items,
    /// Anything
    Anything,
}

/// Print completions for a shell
#[derive(Debug, Args)]
#[command(after_help = TABLE)]
pub(super) struct CompletionsArguments {
    /// The shell
    pub(super) shell: clap_complete::Shell,
}

/// Print the manual page, or write one for each command
#[derive(Debug, Args)]
#[command(after_help = TABLE)]
pub(super) struct ManArguments {
    /// The directory to write the pages to; without it, the main page is printed
    #[arg(value_name = "DIR")]
    pub(super) directory: Option<PathBuf>,
}

/// Reads `NAME=VALUE`.
fn pair(text: &str) -> Result<(String, String), String> {
    let pair = text.split_once('=').filter(|(name, _)| !name.is_empty());
    pair.map(|(name, value)| (name.to_owned(), value.to_owned())).ok_or_else(|| "write NAME=VALUE".into())
}

/// Reads a grant.
fn grant(text: &str) -> Result<(String, String), String> {
    let (key, value) = pair(text).map_err(|_| "write KEY=VALUE, as in net=127.0.0.1:6379".to_owned())?;
    match key.as_str() {
        "net" | "read" | "write" | "env" | "http" => Ok((key, value)),
        _ => Err("one of net, read, write, env and http can be granted".into()),
    }
}

/// Reads a SHA-256 in hexadecimal.
fn hash(text: &str) -> Result<String, String> {
    let is_hash = text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    if is_hash { Ok(text.to_ascii_lowercase()) } else { Err("a hash is 64 hexadecimal digits, as `dump` and `list` print it".into()) }
}
