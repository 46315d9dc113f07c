//! Asking the server to stop a query: over a connection of its own, as the protocol has it.

use std::time::Duration;

use super::Address;
use crate::cancel::Cancel;
use crate::runtime::wait;

/// How long the request may take: it is a courtesy to the server, and nobody waits for it.
const PATIENCE: Duration = Duration::from_secs(1);

impl Address {
    /// Asks the server to stop what it does for a blocking client. That it cannot be asked is no failure: the connection is
    /// about to be closed.
    pub(in crate::drivers::postgres) fn cancel(&self, token: postgres::CancelToken) {
        let Ok(tls) = self.connector() else { return };
        let (asked, answer) = crossbeam_channel::bounded(1);
        std::thread::spawn(move || {
            let _nobody_may_wait_any_more = asked.send(token.cancel_query(tls));
        });
        let _ = answer.recv_timeout(PATIENCE);
    }

    /// The same, for a client for futures.
    pub(in crate::drivers::postgres) fn cancel_async(&self, token: &tokio_postgres::CancelToken) {
        let Ok(tls) = self.connector() else { return };
        let _ = wait(&Cancel::new(), async { tokio::time::timeout(PATIENCE, token.cancel_query(tls)).await });
    }
}
