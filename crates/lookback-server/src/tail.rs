//! Records as they arrive, as server-sent events.
//!
//! One poll of a table serves all of its readers: [`hub`] has the position after everything that
//! has arrived. Each reader has a position of its own, which its events have as their id, and reads
//! what is between the two. So nothing waits in memory for a slow reader, and one that comes back
//! goes on where it was. Decision 0020.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{FromRequestParts as _, Request, State};
use axum::response::Response;
use axum::routing::get;
use lookback::query::Position;
use lookback::{Log, Model, QueryBuilder, RequestSnapshot, json};
use serde::Serialize;

use self::hub::Hub;
use self::reader::{Client, Reader, Source};
use crate::access::MayRead;
use crate::client::Client as Address;
use crate::openapi::{Access, Operation};
use crate::parameters::Deleted;
use crate::problem::{Kind, Problem};
use crate::server::Shared;

mod event;
mod hub;
mod parameters;
mod reader;

/// How readers are treated that follow a table.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct TailSettings {
    /// The most readers at a time; 256 by default. Above it, the server answers 503.
    pub readers: usize,
    /// The pause between two polls of a table that has readers; 200 ms by default.
    pub poll_interval: Duration,
    /// The time after which a reader gets a sign of life, if nothing arrives; 15 s by default.
    pub heartbeat: Duration,
    /// How long a reader may take nothing before it is dropped; 30 s by default.
    pub patience: Duration,
    /// How often it is checked whether a reader still may read; 10 s by default.
    pub access_interval: Duration,
}

impl Default for TailSettings {
    fn default() -> Self {
        Self {
            readers: 256,
            poll_interval: Duration::from_millis(200),
            heartbeat: Duration::from_secs(15),
            patience: Duration::from_secs(30),
            access_interval: Duration::from_secs(10),
        }
    }
}

/// The tables that readers can follow.
#[derive(Debug, Default)]
pub(crate) struct Tails {
    logs: Arc<Hub<Log>>,
    requests: Arc<Hub<RequestSnapshot>>,
}

/// A model whose table can be followed.
pub(crate) trait Followed: Model + Serialize + Sync {
    /// The hub of the table.
    fn hub(tails: &Tails) -> &Arc<Hub<Self>>;
    /// Makes a query read when each record was deleted.
    fn read_deleted_at(query: QueryBuilder<Self>) -> QueryBuilder<Self>;
    /// When the record was deleted; `None` if the query did not read it.
    fn deleted_at(&self) -> Option<Option<chrono::DateTime<chrono::Utc>>>;
}

macro_rules! followed {
    ($model:ty, $hub:ident) => {
        impl Followed for $model {
            fn hub(tails: &Tails) -> &Arc<Hub<Self>> {
                &tails.$hub
            }

            fn read_deleted_at(query: QueryBuilder<Self>) -> QueryBuilder<Self> {
                query.with_hidden(Self::deleted_at())
            }

            fn deleted_at(&self) -> Option<Option<chrono::DateTime<chrono::Utc>>> {
                self.deleted_at.get().copied()
            }
        }
    };
}

followed!(Log, logs);
followed!(RequestSnapshot, requests);

/// Returns the routes.
pub(crate) fn routes() -> Router<Arc<Shared>> {
    Router::new()
        .route("/logs/tail", get(tail::<Log>))
        .route("/requests/tail", get(tail::<RequestSnapshot>))
}

pub(crate) fn operations() -> Vec<Operation> {
    fn following<M: Model>(name: &str) -> Operation {
        let path = format!("/api/v1/{name}/tail");
        Operation::get(path, format!("The {name} as they arrive"), Access::Read)
            .about("The header `Last-Event-ID` has the id of the last event that came.")
            .query::<M>(parameters::TAIL)
            .answer(
                200,
                "Server-sent events, without an end.",
                &[("text/event-stream", json!({ "type": "string" }))],
            )
    }
    vec![
        following::<Log>("logs"),
        following::<RequestSnapshot>("requests"),
    ]
}

async fn tail<M: Followed>(
    State(shared): State<Arc<Shared>>,
    request: Request,
) -> Result<Response, Problem> {
    let (mut parts, _) = request.into_parts();
    let _access = MayRead::from_request_parts(&mut parts, &shared).await?;
    let (parameters, after) = parameters::parse(&parts)?;
    let place = Arc::clone(&shared.tail_places)
        .try_acquire_owned()
        .map_err(|_| Problem::new(Kind::Busy, "too many readers follow the tables"))?;
    // So that an address has connections left for anything else.
    let most = (shared.settings.connections_per_address / 2).max(1);
    let one_of_address = match Address::of(&parts).network() {
        Some(address) => {
            let taken = shared.tail_addresses.take(address, most);
            Some(taken.ok_or_else(|| {
                let detail = format!("this address has {most} readers that follow the tables");
                Problem::new(Kind::Busy, detail)
            })?)
        }
        None => None,
    };
    let mut query = parameters.filtered::<M>()?;
    if parameters.deleted != Deleted::Without {
        query = M::read_deleted_at(query);
    }
    let key = parameters.restriction();
    let hub = Arc::clone(M::hub(&shared.tails));
    let subscription = hub.join(&shared).await?;
    let now = subscription.position();
    let is_first = after.is_none();
    let position = match after {
        Some(after) => {
            check_position::<M>(&shared, &after, &now).await?;
            after
        }
        None => now.clone(),
    };
    // A wrong filter or position is answered, and not an event.
    query
        .arrived(&shared.pool, &position, &position)
        .await
        .map_err(invalid)?;
    let last = if is_first && parameters.last > 0 {
        last_records(&shared, &query, parameters.last, &now).await?
    } else {
        Vec::new()
    };
    let reader = Reader {
        source: Source {
            group: hub.group(key, query),
            subscription,
        },
        client: Client {
            shared,
            parts,
            _place: (place, one_of_address),
        },
        position,
    };
    Ok(reader.respond(last))
}

/// Checks that the position of a reader can be one of this table: its ids were not set back.
async fn check_position<M: Model>(
    shared: &Shared,
    after: &Position,
    now: &Position,
) -> Result<(), Problem> {
    if now.is_behind(after) {
        // Of a server that is ahead, or of a table that has other ids now.
        let mut arrivals = lookback::query::Arrivals::<M>::new().after(after.clone());
        arrivals.poll(&shared.pool).await.map_err(invalid)?;
    }
    Ok(())
}

/// Reads the last matching records, the oldest of them first. Those that have not arrived at the
/// position arrive later.
async fn last_records<M: Followed>(
    shared: &Shared,
    query: &QueryBuilder<M>,
    last: u32,
    now: &Position,
) -> Result<Vec<M>, Problem> {
    let query = query
        .clone()
        .timeout(shared.settings.read_timeout)
        .limit(last)
        .without_total();
    let page = query.list(&shared.pool).await.map_err(invalid)?;
    let mut records = page.data;
    records.retain(|record| now.has(record.id()));
    records.reverse();
    Ok(records)
}

fn invalid(error: lookback::Error) -> Problem {
    Problem::of(&error, Kind::InvalidQuery)
}
