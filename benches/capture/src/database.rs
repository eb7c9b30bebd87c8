//! A database that can be taken away.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::thread;

use outlet_sqlx::{Connection as _, PgConnection};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use crate::Result;

/// The state of a database, as an application sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    Healthy,
    /// Connections are closed.
    Dead,
    /// Connections stay open, and nothing passes.
    Hanging,
}

/// Forwards connections to the server of a database.
pub(crate) struct Forwarder {
    pub(crate) url: String,
    state: Arc<watch::Sender<State>>,
}

impl Forwarder {
    pub(crate) async fn start(url: &str) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let port = listener.local_addr()?.port();
        let (start, rest) = url.split_once('@').ok_or("a URL without user")?;
        let (server, path) = rest.split_once('/').ok_or("a URL without database")?;
        let server = server.to_owned();
        let state = Arc::new(watch::Sender::new(State::Healthy));
        let forwarder = Self {
            url: format!("{start}@127.0.0.1:{port}/{path}"),
            state: Arc::clone(&state),
        };
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(forward(client, server.clone(), state.subscribe()));
            }
        });
        Ok(forwarder)
    }

    pub(crate) fn set(&self, state: State) {
        self.state.send_replace(state);
    }
}

async fn forward(client: TcpStream, server: String, mut state: watch::Receiver<State>) {
    if *state.borrow() == State::Dead {
        return;
    }
    let Ok(server) = TcpStream::connect(server).await else {
        return;
    };
    let _set = client.set_nodelay(true).and(server.set_nodelay(true));
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    let (mut sent, mut received) = (vec![0; 64 * 1024], vec![0; 64 * 1024]);
    loop {
        let now = *state.borrow_and_update();
        match now {
            State::Dead => return,
            State::Hanging => {
                if state.changed().await.is_err() {
                    return;
                }
            }
            State::Healthy => tokio::select! {
                changed = state.changed() => if changed.is_err() { return },
                read = from_client.read(&mut sent) => match read {
                    Ok(bytes @ 1..) if to_server.write_all(&sent[..bytes]).await.is_ok() => {}
                    _ => return,
                },
                read = from_server.read(&mut received) => match read {
                    Ok(bytes @ 1..) if to_client.write_all(&received[..bytes]).await.is_ok() => {}
                    _ => return,
                },
            },
        }
    }
}

/// Creates the tables of `outlet-postgres`, with the driver that it uses.
pub(crate) async fn migrate_outlet(url: &str) -> Result<()> {
    let pool = outlet_sqlx::PgPool::connect(url).await?;
    outlet_postgres::migrator().run(&pool).await?;
    Ok(())
}

/// Moves the server of a database, and this process, off the first core.
pub(crate) async fn leave_first_core(url: &str) -> Result<()> {
    let mut conn = PgConnection::connect(url).await?;
    let folder: String = outlet_sqlx::query_scalar("SELECT current_setting('data_directory')")
        .fetch_one(&mut conn)
        .await?;
    let text = fs::read_to_string(Path::new(&folder).join("postmaster.pid"))?;
    let server = text.lines().next().ok_or("no id of a process in postmaster.pid")?;
    let others = format!("1-{}", thread::available_parallelism()?.get() - 1);
    for process in [server, &std::process::id().to_string()] {
        let moved = Command::new("taskset").args(["-a", "-c", "-p", &others, process]).output()?;
        if !moved.status.success() {
            return Err(String::from_utf8_lossy(&moved.stderr).into());
        }
    }
    Ok(())
}
