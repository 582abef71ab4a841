//! The driver against servers whose behaviour is known.
#![expect(clippy::unwrap_used, reason = "in a test a panic is the report")]

use std::net::SocketAddr;
use std::time::Duration;

use em_load::{
    Arrivals, Batch, Counts, Destination, ErrorClass, NullServer, Phase, Profile, Progress,
    RequestTemplate, Run, RunPlan, Times,
};

fn plan(address: SocketAddr, rate: f64) -> RunPlan {
    let request = RequestTemplate::get(&format!("http://{address}/")).unwrap();
    let destination = Destination {
        request,
        addresses: vec![address],
    };
    RunPlan::new(destination, Profile::constant(rate).unwrap())
}

fn total(batches: &[Batch]) -> (Counts, Times) {
    let (mut counts, mut times) = (Counts::default(), Times::default());
    for batch in batches {
        counts.followed_by(&batch.counts);
        times.merge(&batch.times.unpack());
    }
    (counts, times)
}

async fn null_server() -> SocketAddr {
    let server = NullServer::bind("127.0.0.1:0".parse().unwrap())
        .await
        .unwrap();
    let address = server.address();
    tokio::spawn(server.serve());
    address
}

#[tokio::test]
async fn every_request_to_a_null_server_is_answered_and_accounted_for() {
    let address = null_server().await;
    let batch = Duration::from_millis(250);
    let lasts = Some(Duration::from_secs(1));
    let run = Run::start(RunPlan {
        lasts,
        batch,
        ..plan(address, 500.0)
    })
    .unwrap();
    assert_eq!(run.ended().await, Progress::Finished);
    let (counts, times) = total(&run.batches());
    assert_eq!(counts.offered, run.due());
    assert_eq!((counts.answered, counts.throughput), (run.due(), run.due()));
    assert_eq!(
        (counts.errors(), counts.dropped, counts.unfinished),
        (0, 0, 0)
    );
    assert_eq!(times.response_time.count(), run.due());
    assert!(
        (400..600).contains(&run.due()),
        "{} Poisson arrivals, expected 500",
        run.due()
    );
    // Response is service plus send lag, request by request, so also in the sums.
    let parts = times.service_time.sum() + times.send_lag.sum();
    assert_eq!(times.response_time.sum(), parts);
}

#[tokio::test]
async fn load_runs_until_it_is_stopped_and_is_steady_from_its_last_phase_on() {
    let address = null_server().await;
    let ramp = Duration::from_millis(300);
    let profile = Profile::new(&[
        Phase::Ramp {
            from: 0.0,
            to: 200.0,
            lasts: ramp,
        },
        Phase::Constant {
            rate: 200.0,
            lasts: None,
        },
    ]);
    let run = Run::start(RunPlan {
        profile: profile.unwrap(),
        ..plan(address, 1.0)
    })
    .unwrap();
    assert_eq!(run.progress(), Progress::Ramping);
    let mut progress = run.follow();
    let steady = progress
        .wait_for(|now| *now != Progress::Ramping)
        .await
        .unwrap()
        .clone();
    assert_eq!(steady, Progress::Steady { since: ramp });
    run.stop();
    assert_eq!(run.ended().await, Progress::Finished);
    let steady: Vec<bool> = run.batches().iter().map(|batch| batch.is_steady).collect();
    assert_eq!(steady, [false, true]);
}

/// Answers every request after a pause; many at once.
async fn slow_server(pause: Duration) -> SocketAddr {
    serve_with(move || tokio::time::sleep(pause)).await
}

async fn serve_with<W, F>(wait: W) -> SocketAddr
where
    W: Fn() -> F + Clone + Send + 'static,
    F: Future<Output = ()> + Send + 'static,
{
    use hyper::service::service_fn;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let wait = wait.clone();
            let service = service_fn(move |_request| {
                let wait = wait();
                async move {
                    wait.await;
                    let body = http_body_util::Full::new(bytes::Bytes::from_static(b"ok"));
                    Ok::<_, std::convert::Infallible>(hyper::Response::new(body))
                }
            });
            let stream = hyper_util::rt::TokioIo::new(stream);
            tokio::spawn(
                hyper::server::conn::http1::Builder::new().serve_connection(stream, service),
            );
        }
    });
    address
}

/// A target that can hold 10 requests for 100 ms each takes 100/s at most. Offered twice that,
/// the rest is dropped: counted, and recorded as at least the time-out.
#[tokio::test]
async fn under_twice_the_capacity_no_request_is_lost_from_the_books() {
    let address = slow_server(Duration::from_millis(100)).await;
    let lasts = Some(Duration::from_secs(2));
    let in_flight = 10;
    let run = Run::start(RunPlan {
        lasts,
        in_flight,
        ..plan(address, 200.0)
    })
    .unwrap();
    run.ended().await;
    let (counts, times) = total(&run.batches());
    assert_eq!(counts.offered, run.due());
    assert_eq!(
        counts.offered,
        counts.answered + counts.dropped + counts.unfinished
    );
    assert!(
        counts.dropped > counts.offered / 4,
        "{} of {}",
        counts.dropped,
        counts.offered
    );
    assert_eq!(counts.in_flight_peak, 10);
    assert_eq!(
        times.response_time.count(),
        counts.answered + counts.dropped
    );
    assert!(times.response_time.quantile(0.9).unwrap() >= Duration::from_secs(5));
}

/// Two connections of 20 ms each take 100/s. Offered nearly that, at random, a request often finds
/// both busy; its wait is send lag and response time, but not the target's service time.
#[tokio::test]
async fn a_request_without_a_free_connection_waits_and_its_send_lag_says_so() {
    let address = slow_server(Duration::from_millis(20)).await;
    let lasts = Some(Duration::from_secs(1));
    let connections = 2;
    let run = Run::start(RunPlan {
        lasts,
        connections,
        ..plan(address, 95.0)
    })
    .unwrap();
    run.ended().await;
    let (counts, times) = total(&run.batches());
    assert_eq!((counts.dropped, counts.in_flight_peak), (0, 2));
    assert!(times.send_lag.max().unwrap() > Duration::from_millis(5));
    let parts = times.service_time.sum() + times.send_lag.sum();
    assert_eq!(times.response_time.sum(), parts);
}

#[tokio::test]
async fn what_is_still_in_flight_at_the_end_is_counted_as_unfinished() {
    let address = slow_server(Duration::from_mins(1)).await;
    let lasts = Some(Duration::from_millis(200));
    let arrivals = Arrivals::Constant;
    let run = Run::start(RunPlan {
        lasts,
        arrivals,
        ..plan(address, 100.0)
    })
    .unwrap();
    run.ended().await;
    let (counts, _) = total(&run.batches());
    assert_eq!(
        (counts.offered, counts.unfinished, counts.answered),
        (20, 20, 0)
    );
}

#[tokio::test]
async fn a_request_that_takes_too_long_is_a_time_out_with_its_whole_waiting_time() {
    let address = slow_server(Duration::from_mins(1)).await;
    let lasts = Some(Duration::from_millis(500));
    let timeout = Duration::from_millis(50);
    let run = Run::start(RunPlan {
        lasts,
        timeout,
        ..plan(address, 100.0)
    })
    .unwrap();
    run.ended().await;
    let (counts, times) = total(&run.batches());
    assert_eq!(
        counts.errors_of(ErrorClass::Timeout) + counts.unfinished,
        counts.offered
    );
    assert!(times.response_time.min().unwrap() >= timeout);
    assert_eq!(times.service_time.count(), 0);
}

#[tokio::test]
async fn load_ends_by_itself_when_every_connection_is_refused() {
    let free = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    // Two requests a minute: the driver must ask by itself to be sure.
    let arrivals = Arrivals::Constant;
    let run = Run::start(RunPlan {
        arrivals,
        ..plan(free, 1.0 / 30.0)
    })
    .unwrap();
    let Progress::Failed { why } = run.ended().await else {
        panic!("it should have failed")
    };
    assert!(why.contains("has been refused"), "{why}");
    let (counts, _) = total(&run.batches());
    assert_eq!(
        (counts.offered, counts.errors_of(ErrorClass::Refused)),
        (run.due(), 1)
    );
}

/// The server stands still for 200 ms every 2 s. Of the requests at a constant rate a tenth is
/// due in a stall and waits for its end: uniform on 0 .. 200 ms, so the p-quantile is
/// 200 ms * (1 - (1 - p) * 10): 100 ms at p95 and 180 ms at p99. A client that waits for its
/// answers before it sends the next request would report a millisecond for both.
#[tokio::test]
async fn a_stall_shows_in_the_response_time_as_theory_says() {
    let began = std::time::Instant::now();
    let stalled = move || {
        let in_cycle = Duration::from_nanos(
            u64::try_from(began.elapsed().as_nanos() % 2_000_000_000).unwrap(),
        );
        tokio::time::sleep(Duration::from_millis(200).saturating_sub(in_cycle))
    };
    let address = serve_with(stalled).await;
    let lasts = Some(Duration::from_secs(10));
    let arrivals = Arrivals::Constant;
    let run = Run::start(RunPlan {
        lasts,
        arrivals,
        ..plan(address, 500.0)
    })
    .unwrap();
    run.ended().await;
    let (counts, times) = total(&run.batches());
    assert_eq!((counts.answered, counts.dropped), (5000, 0));
    let millis = |p: f64| times.response_time.quantile(p).unwrap().as_secs_f64() * 1e3;
    assert!(
        (80.0..150.0).contains(&millis(0.95)),
        "p95 {} ms, theory 100 ms",
        millis(0.95)
    );
    assert!(
        (150.0..260.0).contains(&millis(0.99)),
        "p99 {} ms, theory 180 ms",
        millis(0.99)
    );
    eprintln!(
        "p50 {} p95 {} p99 {}",
        millis(0.5),
        millis(0.95),
        millis(0.99)
    );
}
