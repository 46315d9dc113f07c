//! What the host calls in a guest of this version.

use wasmtime::component::Resource;
use wasmtime::{Result, Store};

use super::super::super::describe::Described;
use super::super::super::grants::{Capability, Need};
use super::super::super::guest::Guest;
use super::super::super::handle::{LinkSink, Reader, Ticket, Writer};
use super::super::Told;
use super::convert;
use super::wit;
use super::wit::exports::dumprestore::driver::moments;
use crate::drivers::{Ended, LinkColumn, Outcome, PointInTime};
use crate::error::Result as Answer;

/// What a guest says of itself.
pub(in super::super) async fn describe(driver: &wit::Driver, store: &mut Store<Guest>) -> Result<Described> {
    let said = driver.dumprestore_driver_moments().call_describe(store).await?;
    let need = |need: moments::Need| Need {
        capability: match need.capability {
            moments::Capability::Network => Capability::Network,
            moments::Capability::ReadDirectory => Capability::ReadDirectory,
            moments::Capability::WriteDirectory => Capability::WriteDirectory,
            moments::Capability::Environment => Capability::Environment,
            moments::Capability::Secret => Capability::Secret,
            moments::Capability::Http => Capability::Http,
        },
        target: need.target,
        reason: need.reason,
        optional: need.optional,
    };
    Ok(Described {
        name: said.name,
        version: said.version,
        summary: said.summary,
        config_schema: said.config_schema,
        needs: said.needs.into_iter().map(need).collect(),
        formats: said.formats,
        worth: convert::worth_in(said.worth),
        has_columns: said.has_columns,
        has_names: said.has_names,
    })
}

pub(in super::super) async fn before_dump(driver: &wit::Driver, told: Told<'_>) -> Result<Answer<PointInTime>> {
    let context = convert::context_out(told.context, told.config);
    let said = driver.dumprestore_driver_moments().call_before_dump(told.store, &context).await?;
    Ok(said.map_err(convert::error_in).and_then(convert::point_in))
}

pub(in super::super) async fn link_values(driver: &wit::Driver, told: Told<'_>, column: &LinkColumn) -> Result<Answer<()>> {
    let (context, column) = (convert::context_out(told.context, told.config), convert::column_out(column));
    let sink = handle(told.store, LinkSink)?;
    let said = driver.dumprestore_driver_moments().call_link_values(told.store, &context, &column, sink).await?;
    Ok(said.map_err(convert::error_in))
}

pub(in super::super) async fn dump(driver: &wit::Driver, told: Told<'_>) -> Result<Answer<Outcome>> {
    let context = convert::context_out(told.context, told.config);
    let writer = handle(told.store, Writer)?;
    let said = driver.dumprestore_driver_moments().call_dump(told.store, &context, writer).await?;
    Ok(said.map(convert::outcome_in).map_err(convert::error_in))
}

pub(in super::super) async fn after_dump(driver: &wit::Driver, told: Told<'_>, ended: &Ended) -> Result<Answer<()>> {
    let (context, ended) = (convert::context_out(told.context, told.config), convert::ended_out(ended));
    let said = driver.dumprestore_driver_moments().call_after_dump(told.store, &context, &ended).await?;
    Ok(said.map_err(convert::error_in))
}

pub(in super::super) async fn before_restore(driver: &wit::Driver, told: Told<'_>) -> Result<Answer<()>> {
    let context = convert::context_out(told.context, told.config);
    let reader = reader(told.store)?;
    let said = driver.dumprestore_driver_moments().call_before_restore(told.store, &context, reader).await?;
    Ok(said.map_err(convert::error_in))
}

pub(in super::super) async fn restore(driver: &wit::Driver, told: Told<'_>) -> Result<Answer<Outcome>> {
    let context = convert::context_out(told.context, told.config);
    let reader = reader(told.store)?;
    let said = driver.dumprestore_driver_moments().call_restore(told.store, &context, reader).await?;
    Ok(said.map(convert::outcome_in).map_err(convert::error_in))
}

pub(in super::super) async fn after_restore(driver: &wit::Driver, told: Told<'_>, ended: &Ended) -> Result<Answer<()>> {
    let (context, ended) = (convert::context_out(told.context, told.config), convert::ended_out(ended));
    let said = driver.dumprestore_driver_moments().call_after_restore(told.store, &context, &ended).await?;
    Ok(said.map_err(convert::error_in))
}

/// The reader that a call is given.
fn reader(store: &mut Store<Guest>) -> Result<Resource<Reader>> {
    let call = store.data_mut().call().and_then(|call| call.totals()).map_err(|why| wasmtime::Error::msg(why.to_string()))?;
    let ticket = ticket(store)?;
    Ok(store.data_mut().table.push(Reader(ticket, call))?)
}

/// A handle that a call is given.
fn handle<T: Send + 'static>(store: &mut Store<Guest>, kind: fn(Ticket) -> T) -> Result<Resource<T>> {
    let ticket = ticket(store)?;
    Ok(store.data_mut().table.push(kind(ticket))?)
}

fn ticket(store: &mut Store<Guest>) -> Result<Ticket> {
    let call = store.data_mut().call().map_err(|why| wasmtime::Error::msg(why.to_string()))?;
    Ok(Ticket { call: call.number, slot: 0 })
}
