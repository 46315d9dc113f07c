//! Which names of a tree belong to a set: its `include` and `exclude` globs.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use globset::{GlobBuilder, GlobSet, GlobSetBuilder};

use crate::drivers::SettingError;

/// The globs of one set. With none, everything belongs to it.
#[derive(Clone, Debug, Default)]
pub(in crate::drivers) struct Selection {
    include: Option<GlobSet>,
    exclude: GlobSet,
    /// The globs of `include`, in their order, as they were written.
    included: Vec<String>,
}

/// What becomes of one name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It belongs to the set, and so does what is below it unless `exclude` says otherwise.
    In,
    /// It belongs to the set only if something below it does.
    OnTheWay,
    /// It is left out, with all that is below it.
    Out,
}

impl Selection {
    /// Reads the globs of a set's settings.
    ///
    /// # Errors
    /// Every glob that cannot be read or could never match, each at its place.
    pub(in crate::drivers) fn new(include: &[String], exclude: &[String]) -> Result<Self, Vec<SettingError>> {
        let mut errors = Vec::new();
        let included = read("/include", include, &mut errors);
        let excluded = read("/exclude", exclude, &mut errors);
        if errors.is_empty() {
            Ok(Self { include: (!include.is_empty()).then_some(included), exclude: excluded, included: include.to_vec() })
        } else {
            Err(errors)
        }
    }

    /// Judges a name whose directory was not left out; `within` says that something above it was included.
    pub(super) fn judge(&self, name: &[u8], is_directory: bool, within: bool) -> Verdict {
        if !name.is_empty() && self.exclude.is_match(path(name)) {
            return Verdict::Out;
        }
        match &self.include {
            Some(include) if !within && !include.is_match(path(name)) => {
                if is_directory {
                    Verdict::OnTheWay
                } else {
                    Verdict::Out
                }
            }
            _ => Verdict::In,
        }
    }

    /// The globs of `include`, none of which has matched anything yet.
    pub(super) fn unmatched(&self) -> Unmatched<'_> {
        Unmatched { selection: self, globs: (0..self.included.len()).collect() }
    }

    /// Whether something above a name was included by its own name.
    pub(super) fn includes_above(&self, name: &[u8]) -> bool {
        self.include.as_ref().is_some_and(|include| above(name).any(|directory| include.is_match(path(directory))))
    }

    /// Whether a name belongs to the set, judged from the top: for entries of an archive that older globs let in.
    pub(super) fn admits(&self, name: &[u8], is_directory: bool) -> bool {
        if self.include.is_none() && self.exclude.is_empty() || name.is_empty() {
            return true;
        }
        let mut within = false;
        for (part, is_directory) in above(name).map(|directory| (directory, true)).chain([(name, is_directory)]) {
            match self.judge(part, is_directory, within) {
                Verdict::In => within = true,
                Verdict::OnTheWay => {}
                Verdict::Out => return false,
            }
        }
        true
    }
}

/// The globs of `include` that have matched nothing so far: perhaps they are written wrong.
pub(super) struct Unmatched<'s> {
    selection: &'s Selection,
    globs: Vec<usize>,
}

impl Unmatched<'_> {
    /// Takes note of the globs that match this name.
    pub(super) fn meet(&mut self, name: &[u8]) {
        if let (Some(include), false) = (&self.selection.include, self.globs.is_empty()) {
            let matched = include.matches(path(name));
            self.globs.retain(|glob| !matched.contains(glob));
        }
    }

    /// The globs that are left, as they were written.
    pub(super) fn texts(&self) -> impl Iterator<Item = &str> {
        self.globs.iter().map(|glob| self.selection.included[*glob].as_str())
    }
}

/// The directories above a name, from the top.
pub(super) fn above(name: &[u8]) -> impl Iterator<Item = &[u8]> {
    name.iter().enumerate().filter(|(_, byte)| **byte == b'/').map(|(at, _)| &name[..at])
}

fn path(name: &[u8]) -> &Path {
    Path::new(OsStr::from_bytes(name))
}

fn read(pointer: &str, globs: &[String], errors: &mut Vec<SettingError>) -> GlobSet {
    let mut set = GlobSetBuilder::new();
    for (number, text) in globs.iter().enumerate() {
        match glob(text) {
            Ok(glob) => _ = set.add(glob),
            Err((message, hint)) => {
                let error = SettingError::new(format!("{pointer}/{number}"), message);
                errors.push(match hint {
                    Some(hint) => error.hint(hint),
                    None => error,
                });
            }
        }
    }
    set.build().unwrap_or_else(|why| {
        errors.push(SettingError::new(pointer, why.to_string()));
        GlobSet::empty()
    })
}

/// One glob, or what is wrong with it and what to write instead.
fn glob(text: &str) -> Result<globset::Glob, (String, Option<String>)> {
    let bare = text.trim_start_matches("./").trim_matches('/');
    if bare.is_empty() {
        return Err((format!("`{text}` matches nothing"), None));
    }
    if bare != text {
        let message = format!("`{text}` would match nothing: names start below the directory, without `/`, and end without one");
        return Err((message, Some(format!("write `{bare}`"))));
    }
    GlobBuilder::new(text).literal_separator(true).backslash_escape(true).build().map_err(|why| (why.to_string(), None))
}

#[cfg(test)]
mod tests {
    use super::{Selection, Verdict};

    fn selection(include: &[&str], exclude: &[&str]) -> Selection {
        let own = |globs: &[&str]| globs.iter().map(ToString::to_string).collect::<Vec<_>>();
        Selection::new(&own(include), &own(exclude)).unwrap()
    }

    #[test]
    fn without_globs_everything_belongs_to_the_set() {
        let all = selection(&[], &[]);
        assert_eq!(all.judge(b"a/\xff/.b", false, false), Verdict::In);
        assert!(all.admits(b"", true) && all.admits(b"a/b", false));
    }

    #[test]
    fn a_star_stays_within_its_segment_and_two_stars_do_not() {
        let set = selection(&[], &["*.tmp", "cache/**"]);
        assert!(!set.admits(b"a.tmp", false) && set.admits(b"a/b.tmp", false));
        assert!(set.admits(b"cache", true) && !set.admits(b"cache/x/y", false) && set.admits(b"cache2/x", false));
    }

    #[test]
    fn an_excluded_directory_takes_along_what_is_below_it() {
        let set = selection(&["keep/**"], &["keep/not"]);
        assert!(set.admits(b"keep/a/b", false) && !set.admits(b"keep/not/b", false));
    }

    #[test]
    fn directories_on_the_way_to_what_is_included_are_looked_into() {
        let set = selection(&["**/keys/*.pem", "etc"], &[]);
        assert_eq!(set.judge(b"a", true, false), Verdict::OnTheWay);
        assert_eq!(set.judge(b"a/keys/x.pem", false, false), Verdict::In);
        assert!(set.admits(b"etc/deep/below", false) && !set.admits(b"a/keys/x.txt", false));
    }

    #[test]
    fn globs_that_could_never_match_are_told_each_at_its_place() {
        let wrong = Selection::new(&["/a/".into(), "b".into()], &["[".into(), "./c".into()]).unwrap_err();
        let places: Vec<_> = wrong.iter().map(|error| (error.pointer.as_str(), error.hint.as_deref())).collect();
        assert_eq!(places, [("/include/0", Some("write `a`")), ("/exclude/0", None), ("/exclude/1", Some("write `c`"))]);
    }
}
