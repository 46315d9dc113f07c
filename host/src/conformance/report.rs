//! What the suite found: one verdict a case, and the table that people read.

use std::fmt;
use std::time::Duration;

/// The verdicts on one driver.
#[derive(Clone, Debug)]
pub struct Report {
    /// Which driver.
    pub subject: String,
    /// The cases, in the order in which they ran.
    pub cases: Vec<Case>,
}

/// One case.
#[derive(Clone, Debug)]
pub struct Case {
    /// What it is called.
    pub name: &'static str,
    /// What came of it.
    pub verdict: Verdict,
    /// How long it took.
    pub took: Duration,
}

/// What came of a case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The driver keeps this part of the contract; what was tried, where that differs from driver to driver.
    Passed(String),
    /// The driver breaks it: how.
    Failed(String),
    /// The case makes no sense for this driver: why.
    LeftOut(String),
}

impl Report {
    /// Whether no case failed.
    pub fn passed(&self) -> bool {
        self.failures().next().is_none()
    }

    /// The cases that failed, each with how.
    pub fn failures(&self) -> impl Iterator<Item = (&'static str, &str)> {
        self.cases.iter().filter_map(|case| match &case.verdict {
            Verdict::Failed(why) => Some((case.name, why.as_str())),
            Verdict::Passed(_) | Verdict::LeftOut(_) => None,
        })
    }

    fn count(&self, of: impl Fn(&Verdict) -> bool) -> usize {
        self.cases.iter().filter(|case| of(&case.verdict)).count()
    }
}

/// A table, one line a case.
impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = self.cases.iter().map(|case| case.name.chars().count()).max().unwrap_or(0);
        for case in &self.cases {
            let (word, why) = match &case.verdict {
                Verdict::Passed(tried) => ("passed", tried),
                Verdict::Failed(why) => ("FAILED", why),
                Verdict::LeftOut(why) => ("left out", why),
            };
            let line = format!("{word:<8}  {:>6.2} s  {:<width$}  {}", case.took.as_secs_f64(), case.name, why.replace('\n', " "));
            writeln!(f, "{}", line.trim_end())?;
        }
        write!(
            f,
            "{}: {} cases, {} passed, {} failed, {} left out",
            self.subject,
            self.cases.len(),
            self.count(|verdict| matches!(verdict, Verdict::Passed(_))),
            self.count(|verdict| matches!(verdict, Verdict::Failed(_))),
            self.count(|verdict| matches!(verdict, Verdict::LeftOut(_))),
        )
    }
}
