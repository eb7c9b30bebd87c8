//! A server in a process of its own, and the load on it.

use std::env;
use std::fmt;
use std::fs;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use crate::Result;
use crate::app::{self, Kind};

/// What a load measured.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Measured {
    pub(crate) per_second: f64,
    pub(crate) p99_ms: f64,
    /// Processor time of the server for a request.
    pub(crate) cpu_us: f64,
    pub(crate) memory_mb: f64,
}

impl fmt::Display for Measured {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            per_second,
            p99_ms,
            cpu_us,
            memory_mb,
        } = self;
        write!(
            f,
            "{per_second:.0} requests/s, p99 {p99_ms:.2} ms, {cpu_us:.1} µs of CPU, {memory_mb:.0} MB"
        )
    }
}

pub(crate) fn check_wrk() -> Result<()> {
    let found = Command::new("wrk").arg("-v").stdout(Stdio::null()).stderr(Stdio::null()).status();
    found.map(drop).map_err(|_| "wrk is not installed: apt install wrk".into())
}

/// Where the server and its load run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cores {
    /// On all, as the database.
    All,
    /// On the first, and the database on the others.
    First,
}

impl Cores {
    fn command(self, program: &str) -> Command {
        match self {
            Self::All => Command::new(program),
            Self::First => {
                let mut command = Command::new("taskset");
                command.args(["-c", "0", program]);
                command
            }
        }
    }
}

pub(crate) struct Server {
    child: Child,
    port: u16,
    cores: Cores,
}

impl Server {
    pub(crate) async fn start(kind: Kind, url: &str, cores: Cores) -> Result<Self> {
        let port = TcpListener::bind("127.0.0.1:0").await?.local_addr()?.port();
        let program = env::current_exe()?;
        let child = cores
            .command(program.to_str().ok_or("the path of this program is no UTF-8")?)
            .args(["serve", &kind.to_string(), &port.to_string(), url])
            .spawn()?;
        let server = Self { child, port, cores };
        let begun = Instant::now();
        while TcpStream::connect(("127.0.0.1", port)).await.is_err() {
            if begun.elapsed() > Duration::from_secs(30) {
                return Err("the server did not start".into());
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Ok(server)
    }

    /// Sends as much as it answers.
    pub(crate) async fn load(&self, connections: u64, time: Duration) -> Result<Measured> {
        self.run_wrk(connections, time, "").await
    }

    /// Sends less than it could answer: each connection waits for 1 ms on average after an answer.
    pub(crate) async fn load_in_part(&self, connections: u64, time: Duration) -> Result<Measured> {
        let pause = "function delay() return math.random(0, 2) end\n";
        self.run_wrk(connections, time, pause).await
    }

    async fn run_wrk(&self, connections: u64, time: Duration, more: &str) -> Result<Measured> {
        let script = env::temp_dir().join(format!("capture-bench-{}.lua", self.port));
        let body = app::body().replace('\\', "\\\\").replace('\'', "\\'");
        fs::write(
            &script,
            format!(
                "wrk.method = 'POST'\nwrk.body = '{body}'\n\
                 wrk.headers['content-type'] = 'application/json'\n\
                 wrk.headers['authorization'] = 'Bearer 0123456789abcdef'\n\
                 wrk.headers['user-agent'] = 'bench/1.0'\n{more}"
            ),
        )?;
        let before = self.cpu_seconds()?;
        let output = tokio::task::spawn_blocking({
            let (script, port, cores) = (script.clone(), self.port, self.cores);
            move || {
                cores
                    .command("wrk")
                    .args(["-t1", &format!("-c{connections}"), &format!("-d{}s", time.as_secs())])
                    .args(["--latency", "-s"])
                    .arg(script)
                    .arg(format!("http://127.0.0.1:{port}/orders"))
                    .output()
            }
        })
        .await??;
        let cpu = self.cpu_seconds()? - before;
        fs::remove_file(script)?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let field = |name: &str| {
            let line = text.lines().find(|line| line.trim_start().starts_with(name));
            let line = line.ok_or_else(|| format!("no {name} in:\n{text}"))?;
            Ok::<String, String>(line.trim_start()[name.len()..].trim().to_owned())
        };
        if text.contains("Non-2xx") {
            return Err(format!("some requests failed:\n{text}").into());
        }
        let per_second: f64 = field("Requests/sec:")?.parse()?;
        let requests = text
            .lines()
            .find_map(|line| line.trim().split_once(" requests in "))
            .ok_or("no number of requests")?;
        let requests: f64 = requests.0.parse()?;
        Ok(Measured {
            per_second,
            p99_ms: milliseconds(&field("99%")?)?,
            cpu_us: cpu * 1e6 / requests,
            memory_mb: self.memory_mb()?,
        })
    }

    /// Returns the allocations of a request, of which there are enough that others do not count.
    pub(crate) async fn allocations(&self, connections: u64) -> Result<f64> {
        self.load(connections, Duration::from_secs(1)).await?;
        self.get("/count").await?;
        let measured = self.load(connections, Duration::from_secs(2)).await?;
        let count: f64 = self.get("/counted").await?.parse()?;
        Ok(count / (measured.per_second * 2.0))
    }

    async fn get(&self, path: &str) -> Result<String> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).await?;
        let request = format!("GET {path} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await?;
        let mut response = String::new();
        stream.read_to_string(&mut response).await?;
        let (_, body) = response.split_once("\r\n\r\n").ok_or("no response")?;
        Ok(body.to_owned())
    }

    pub(crate) fn memory_mb(&self) -> Result<f64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kilobytes: f64 = line.ok_or("no VmRSS")?.trim().trim_end_matches(" kB").parse()?;
        Ok(kilobytes / 1024.0)
    }

    fn cpu_seconds(&self) -> Result<f64> {
        const TICKS: f64 = 100.0;
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.child.id()))?;
        let (_, fields) = stat.rsplit_once(") ").ok_or("no stat")?;
        let fields: Vec<&str> = fields.split(' ').collect();
        let (user, system): (f64, f64) = (fields[11].parse()?, fields[12].parse()?);
        Ok((user + system) / TICKS)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if env::var_os("SHOW").is_some() {
            let text = Command::new("curl")
                .args(["-s", &format!("http://127.0.0.1:{}/captured", self.port)])
                .output();
            if let Ok(text) = text {
                println!("{}", String::from_utf8_lossy(&text.stdout));
            }
        }
        let _ended = self.child.kill().and_then(|()| self.child.wait());
    }
}

fn milliseconds(text: &str) -> Result<f64> {
    for (unit, factor) in [("us", 0.001), ("ms", 1.0), ("s", 1_000.0)] {
        if let Some(number) = text.strip_suffix(unit) {
            return Ok(number.parse::<f64>()? * factor);
        }
    }
    Err(format!("{text} is no duration").into())
}
