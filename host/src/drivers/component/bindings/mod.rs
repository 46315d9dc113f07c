//! The contract's versions that this host runs, one module each; what differs between them stays in here.
//!
//! Everything outside speaks the words of the [`Driver`](crate::drivers::Driver) trait. A later version, or a second world
//! whose entries carry streams, is one more module and one more case of [`Contract`], beside those that are there: a released
//! version stays.

pub(super) mod v0_1;

use wasmtime::Store;
use wasmtime::component::{Component, InstancePre, Linker};
use wasmtime::{Engine, Result};

use super::describe::Described;
use super::guest::Guest;
use crate::drivers::{Context, Ended, LinkColumn, Outcome, PointInTime};

/// The package of the contract.
const PACKAGE: &str = "dumprestore:driver/";

/// The interface that every version exports.
const MOMENTS: &str = "dumprestore:driver/moments@";

/// A version of the contract.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Contract {
    /// 0.1.0.
    V0_1,
}

impl Contract {
    /// All that this host runs, the newest last.
    pub(super) const ALL: [Self; 1] = [Self::V0_1];

    /// Its number.
    pub(super) fn version(self) -> &'static str {
        match self {
            Self::V0_1 => v0_1::VERSION,
        }
    }

    /// The version against which a component was built.
    ///
    /// # Errors
    /// A sentence that names its version and those that this host runs.
    pub(super) fn of(component: &Component) -> Result<Self, String> {
        let engine = component.engine();
        let ty = component.component_type();
        let exported = ty.exports(engine).find_map(|(name, _)| name.strip_prefix(MOMENTS)).map(str::to_owned);
        let imported = || ty.imports(engine).find_map(|(name, _)| name.strip_prefix(PACKAGE)?.split_once('@')).map(|(_, v)| v.to_owned());
        let Some(version) = exported else {
            return Err(match imported() {
                Some(version) => format!("it imports `{PACKAGE}*@{version}` and exports no `moments`: it is no driver"),
                None => "it is a component, and no driver: it does not export `dumprestore:driver/moments`".into(),
            });
        };
        Self::ALL.into_iter().find(|contract| contract.version() == version).ok_or_else(|| {
            let runs: Vec<_> = Self::ALL.iter().map(|contract| format!("`{}`", contract.version())).collect();
            format!("it is built against version `{version}` of the contract, and this host runs {}", runs.join(", "))
        })
    }

    /// Adds what this version lets a component import.
    pub(super) fn link(self, linker: &mut Linker<Guest>) -> Result<()> {
        match self {
            Self::V0_1 => v0_1::link(linker),
        }
    }

    /// Finds the exports, once per component.
    pub(super) fn prepare(self, instance: InstancePre<Guest>) -> Result<Prepared> {
        match self {
            Self::V0_1 => v0_1::wit::DriverPre::new(instance).map(Prepared::V0_1),
        }
    }
}

/// A component, linked, of which instances can be made.
#[derive(Clone)]
pub(super) enum Prepared {
    V0_1(v0_1::wit::DriverPre<Guest>),
}

impl Prepared {
    /// Makes an instance, which runs what the component does at its start.
    pub(super) async fn instantiate(&self, store: &mut Store<Guest>) -> Result<Exports> {
        match self {
            Self::V0_1(prepared) => prepared.instantiate_async(store).await.map(Exports::V0_1),
        }
    }

    pub(super) fn engine(&self) -> &Engine {
        match self {
            Self::V0_1(prepared) => prepared.engine(),
        }
    }
}

/// What an instance exports: `describe` and the moments, in the words of the [`Driver`](crate::drivers::Driver) trait.
pub(super) enum Exports {
    V0_1(v0_1::wit::Driver),
}

/// What every moment is called with.
pub(super) struct Told<'t> {
    /// The instance's store.
    pub(super) store: &'t mut Store<Guest>,
    pub(super) context: &'t Context,
    /// The set's configuration, as JSON.
    pub(super) config: &'t str,
}

/// What a guest answers: the outer error is a trap.
type Answer<T> = Result<crate::error::Result<T>>;

impl Exports {
    pub(super) async fn describe(&self, store: &mut Store<Guest>) -> Result<Described> {
        match self {
            Self::V0_1(driver) => v0_1::exports::describe(driver, store).await,
        }
    }

    pub(super) async fn before_dump(&self, told: Told<'_>) -> Answer<PointInTime> {
        match self {
            Self::V0_1(driver) => v0_1::exports::before_dump(driver, told).await,
        }
    }

    pub(super) async fn link_values(&self, told: Told<'_>, column: &LinkColumn) -> Answer<()> {
        match self {
            Self::V0_1(driver) => v0_1::exports::link_values(driver, told, column).await,
        }
    }

    pub(super) async fn dump(&self, told: Told<'_>) -> Answer<Outcome> {
        match self {
            Self::V0_1(driver) => v0_1::exports::dump(driver, told).await,
        }
    }

    pub(super) async fn after_dump(&self, told: Told<'_>, ended: &Ended) -> Answer<()> {
        match self {
            Self::V0_1(driver) => v0_1::exports::after_dump(driver, told, ended).await,
        }
    }

    pub(super) async fn before_restore(&self, told: Told<'_>) -> Answer<()> {
        match self {
            Self::V0_1(driver) => v0_1::exports::before_restore(driver, told).await,
        }
    }

    pub(super) async fn restore(&self, told: Told<'_>) -> Answer<Outcome> {
        match self {
            Self::V0_1(driver) => v0_1::exports::restore(driver, told).await,
        }
    }

    pub(super) async fn after_restore(&self, told: Told<'_>, ended: &Ended) -> Answer<()> {
        match self {
            Self::V0_1(driver) => v0_1::exports::after_restore(driver, told, ended).await,
        }
    }
}
