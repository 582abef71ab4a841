//! The server around the model.

use std::collections::hash_map::RandomState;
use std::convert::Infallible;
use std::hash::{BuildHasher as _, Hasher as _};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::header::CONTENT_TYPE;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use super::cache::LruCache;
use super::exposition::Metrics;
use super::model::{COLD_SHARE, Cache, DEFAULT_WORKERS, JITTER, SLOTS, Setting, Touched};

/// How the service runs; also its command line.
#[derive(Debug, Clone, clap::Args)]
pub struct DemoOptions {
    /// Address to listen on; 0.0.0.0 for a container, whose loopback nobody reaches
    #[arg(long, default_value_t = IpAddr::V4(Ipv4Addr::LOCALHOST))]
    pub host: IpAddr,
    /// Port; 0 takes a free one
    #[arg(long, default_value_t = 0)]
    pub port: u16,
    /// Pieces of a request that are worked on at a time
    #[arg(long, env = "WORKERS", default_value_t = DEFAULT_WORKERS,
          value_parser = clap::value_parser!(u32).range(1..=16))]
    pub workers: u32,
    /// Where pieces are kept
    #[arg(long, value_enum, default_value_t = Cache::Lru)]
    pub cache: Cache,
    /// Seed of this deployment's draws; absent: another one each time
    #[arg(long, env = "DEMO_SEED")]
    pub seed: Option<u64>,
}

/// Runs the service until SIGTERM or SIGINT, then returns at once.
pub async fn serve(options: DemoOptions) -> std::io::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let demo = Demo::bind(&options).await?;
    tracing::info!(address = %demo.address(), ?options, "demo service listens");
    tokio::select! {
        _ = terminate.recv() => Ok(()),
        _ = interrupt.recv() => Ok(()),
        ended = demo.serve() => ended.map(|never| match never {}),
    }
}

/// A bound service that does not serve yet.
#[derive(Debug)]
pub struct Demo {
    listener: TcpListener,
    address: SocketAddr,
    service: Arc<Service>,
}

impl Demo {
    /// Listens.
    pub async fn bind(options: &DemoOptions) -> std::io::Result<Self> {
        let listener = TcpListener::bind((options.host, options.port)).await?;
        let address = listener.local_addr()?;
        Ok(Self {
            listener,
            address,
            service: Arc::new(Service::new(options)),
        })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves until dropped; open connections end with it.
    pub async fn serve(self) -> std::io::Result<Infallible> {
        let mut connections = JoinSet::new();
        loop {
            let (stream, _) = self.listener.accept().await?;
            stream.set_nodelay(true)?;
            while connections.try_join_next().is_some() {}
            let service = Arc::clone(&self.service);
            connections.spawn(async move {
                let answer = service_fn(|request| Arc::clone(&service).answer(request));
                // A client that hangs up ends its own connection, nothing else.
                let _ = http1::Builder::new()
                    .serve_connection(TokioIo::new(stream), answer)
                    .await;
            });
        }
    }
}

#[derive(Debug)]
struct Service {
    setting: Setting,
    luck: f64,
    slots: Semaphore,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    random: ChaCha8Rng,
    cache: LruCache,
    metrics: Metrics,
    cold_keys: u64,
}

/// Pieces that come up again and again, and room for them and some more.
const HOT_KEYS: u64 = 16;
const CACHED_KEYS: usize = 64;

impl Service {
    fn new(options: &DemoOptions) -> Self {
        let setting = Setting {
            workers: options.workers,
            cache: options.cache,
        };
        let seed = options
            .seed
            .unwrap_or_else(|| RandomState::new().build_hasher().finish());
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let luck = setting.luck(random.random());
        let cache = LruCache::new(CACHED_KEYS, 0..HOT_KEYS);
        let metrics = Metrics::default();
        let state = Mutex::new(State {
            random,
            cache,
            metrics,
            cold_keys: HOT_KEYS,
        });
        Self {
            setting,
            luck,
            slots: Semaphore::new(SLOTS),
            state,
        }
    }

    async fn answer(
        self: Arc<Self>,
        request: Request<Incoming>,
    ) -> Result<Response<Full<Bytes>>, Infallible> {
        Ok(match request.uri().path() {
            "/" => {
                self.work().await;
                text(StatusCode::OK, "done\n")
            }
            "/healthz" => text(StatusCode::OK, "ok\n"),
            "/metrics" => text(StatusCode::OK, self.state().metrics.page()),
            _ => text(StatusCode::NOT_FOUND, "try / /healthz /metrics\n"),
        })
    }

    async fn work(&self) {
        let began = Instant::now();
        self.state().metrics.in_flight += 1;
        let counted = InFlight(self);
        let slot = self
            .slots
            .acquire()
            .await
            .expect("the semaphore is never closed");
        let cost = self.draw_cost();
        sleep(cost).await;
        drop(slot);
        drop(counted);
        self.state().metrics.answered(began.elapsed());
    }

    fn draw_cost(&self) -> Duration {
        let mut state = self.state();
        let touched = state.touch(self.setting.cache);
        let chance = 1.0 + JITTER * state.random.random::<f64>();
        self.setting.cost(touched).mul_f64(self.luck * chance)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing in here can panic half-way through a change.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Draws the piece that decides about this request and looks it up.
    fn touch(&mut self, cache: Cache) -> Touched {
        let key = if self.random.random_bool(COLD_SHARE) {
            self.cold_keys += 1;
            self.cold_keys
        } else {
            self.random.random_range(0..HOT_KEYS)
        };
        let is_hit = match cache {
            Cache::Lru => self.cache.touch(key),
            Cache::None => false,
        };
        self.metrics.looked_up(is_hit);
        if is_hit { Touched::Kept } else { Touched::Cold }
    }
}

/// A request that a client gave up on is no longer in flight either.
struct InFlight<'a>(&'a Service);

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        self.0.state().metrics.in_flight -= 1;
    }
}

fn text(status: StatusCode, body: impl Into<Bytes>) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body.into()));
    *response.status_mut() = status;
    let plain = hyper::header::HeaderValue::from_static("text/plain; version=0.0.4");
    response.headers_mut().insert(CONTENT_TYPE, plain);
    response
}
