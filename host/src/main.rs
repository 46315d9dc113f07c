//! The binary: arguments in, exit code out. Everything else is [`dr_host::cli`].

use std::process::ExitCode;

fn main() -> ExitCode {
    dr_host::cli::run(std::env::args_os())
}
