//! Questions before something is destroyed: asked on a terminal; elsewhere `--yes` is the answer, or nothing happens.

use std::io::{BufRead as _, IsTerminal as _, Write as _};

use super::exit::Refused;
use super::output::{Line, Look, Output, Stream};
use crate::error::{Error, ErrorKind};

/// Asks whether to go on; `why` says what would be destroyed, `option` is what asked for it.
///
/// # Errors
/// The answer is no, or there is nobody to ask.
pub(super) fn confirm(output: &Output, option: &str, why: &[Line]) -> Result<(), Refused> {
    if !std::io::stdin().is_terminal() || !Stream::Err.is_terminal() {
        let error =
            Error::new(ErrorKind::InvalidConfig, format!("`{option}` destroys what stands in the targets, and there is nobody to ask"));
        return Err(error.hint("add `--yes` if that is what you want").into());
    }
    output.printer.note(why);
    eprint!("Go on? [y/N] ");
    let _best_effort = std::io::stderr().flush();
    let mut answer = String::new();
    let heard = std::io::stdin().lock().read_line(&mut answer);
    match (heard, answer.trim().to_ascii_lowercase().as_str()) {
        (Ok(_), "y" | "yes") => Ok(()),
        _ => {
            output.printer.note(&[Line::looking(Look::Strong, "nothing was changed")]);
            Err(Error::new(ErrorKind::Other, "not confirmed").into())
        }
    }
}
