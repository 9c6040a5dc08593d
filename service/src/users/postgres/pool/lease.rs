use deadpool::managed::Object;
use sqlx::postgres::PgConnection;
use tokio::sync::OwnedSemaphorePermit;

use super::connector::Connector;
use crate::users::postgres::fate::Fate;

/// A connection lent to one statement; closed when dropped, since an answer may still be on its way.
pub(in crate::users::postgres) struct Lease {
    connection: Option<Object<Connector>>,
    /// Free for the next caller after the connection is.
    _place: OwnedSemaphorePermit,
}

impl Lease {
    pub(super) fn of(connection: Object<Connector>, place: OwnedSemaphorePermit) -> Self {
        Self { connection: Some(connection), _place: place }
    }

    pub(in crate::users::postgres) fn connection(&mut self) -> &mut PgConnection {
        self.connection.as_deref_mut().expect("taken only at the end")
    }

    /// Gives the connection back, or closes it. To be usable, nothing may be on its way on it.
    pub(in crate::users::postgres) fn end(mut self, fate: Fate) {
        let Some(connection) = self.connection.take() else { return };
        let Some(pool) = Object::pool(&connection) else { return };
        let connector = pool.manager();
        match fate {
            Fate::Usable => {
                connector.answered();
                drop(connection);
                connector.freed.notify_one();
                return;
            }
            Fate::Doubtful => {}
            Fate::Lost => connector.lost(),
            Fate::Outdated => connector.outdate(Object::metrics(&connection).created),
        }
        self.connection = Some(connection);
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        let Some(connection) = self.connection.take() else { return };
        let pool = Object::pool(&connection);
        // Off the books of the pool, which may open another one at once, and then closed by its own drop.
        drop(Object::take(connection));
        if let Some(pool) = pool {
            pool.manager().freed.notify_waiters();
        }
    }
}
