//! From what the file says to what the engine runs.

use std::time::Duration;

use em_core::fault::{Fault, FaultKind};
use em_core::plan::{self, HttpLoad, LoadSpec, RateSpec, Text};
use em_core::port::{Address, LoadGoal, LoadPlan};
use em_core::template::{Escape, Template};
use em_core::value::Value;
use rustix::process::{Resource, getrlimit};

use crate::profile::{Phase, Profile};
use crate::request::{Destination, RequestTemplate};
use crate::run::RunPlan;
use crate::schedule::Arrivals;

pub(super) fn http(spec: &LoadSpec) -> Result<&HttpLoad, Fault> {
    if let LoadSpec::Http(http) = spec {
        Ok(http)
    } else {
        Err(invalid(format!(
            "the http load driver cannot make load of kind {:?}",
            spec.kind()
        )))
    }
}

/// Addresses that a target might have, one per port that the load names.
pub(super) fn addresses_to_be(http: &HttpLoad) -> Vec<Address> {
    let named = http
        .url
        .names()
        .filter_map(|name| name.strip_prefix("ports."));
    let address = |name: &str| Address {
        name: name.to_owned(),
        authority: "127.0.0.1:9".to_owned(),
    };
    ["port"].into_iter().chain(named).map(address).collect()
}

/// The request with all placeholders filled in and all secrets resolved.
pub(super) fn template(plan: &LoadPlan, addresses: &[Address]) -> Result<RequestTemplate, Fault> {
    let http = http(&plan.spec)?;
    let names = Names { plan, addresses };
    let url = names.fill(&http.url, "url")?;
    let mut request = RequestTemplate::get(&url).map_err(Fault::from)?;
    request = request.method(&http.method).map_err(Fault::from)?;
    for (name, value) in &http.headers {
        request = request
            .header(name, &names.text(value, name)?)
            .map_err(Fault::from)?;
    }
    if let Some(body) = &http.body {
        request = request.body(names.text(body, "body")?);
    }
    Ok(request)
}

/// The offered rate over time: phases are shares of the measured rate.
pub(super) fn profile(plan: &LoadPlan, http: &HttpLoad) -> Result<Profile, Fault> {
    let rate = rate(plan, http)?;
    let phases: Vec<Phase> = http
        .phases
        .iter()
        .map(|phase| scaled(phase, rate))
        .collect();
    if phases.is_empty() {
        Profile::constant(rate)
    } else {
        Profile::new(&phases)
    }
    .map_err(|error| invalid("the load's phases make no profile").caused_by(error))
}

pub(super) fn run_plan(plan: &LoadPlan, destination: Destination) -> Result<RunPlan, Fault> {
    let http = http(&plan.spec)?;
    let profile = profile(plan, http)?;
    Ok(RunPlan {
        arrivals: match http.arrivals {
            plan::Arrivals::Constant => Arrivals::Constant,
            plan::Arrivals::Poisson => Arrivals::Poisson,
        },
        seed: plan.seed,
        connections: http.connections,
        in_flight: http.in_flight,
        timeout: http.timeout,
        batch: plan.batch,
        lasts: None,
        ..RunPlan::new(destination, profile)
    })
}

/// Every connection takes a file descriptor of this process.
pub(super) fn check_descriptors(http: &HttpLoad) -> Result<(), Fault> {
    const OTHERS: u64 = 64;
    let wanted = u64::from(http.connections.min(http.in_flight)) + OTHERS;
    match getrlimit(Resource::Nofile).current {
        Some(limit) if limit < wanted => Err(invalid(format!(
            "the load may open {} connections, but this process only {limit} files; raise it \
             with `ulimit -n {wanted}` or lower load.connections",
            http.connections
        ))),
        Some(_) | None => Ok(()),
    }
}

fn rate(plan: &LoadPlan, http: &HttpLoad) -> Result<f64, Fault> {
    let planned = match plan.goal {
        LoadGoal::Measure { rate } => rate,
        LoadGoal::FindCapacity { .. } => None,
    };
    match (planned, http.rate) {
        (Some(rate), _) | (None, RateSpec::PerSecond(rate)) => Ok(rate),
        (None, RateSpec::OfCapacity(_)) => Err(invalid(
            "the load's rate is a share of a capacity that has not been found yet",
        )),
    }
}

fn scaled(phase: &plan::Phase, rate: f64) -> Phase {
    match *phase {
        plan::Phase::Ramp { from, to, lasts } => Phase::Ramp {
            from: from * rate,
            to: to * rate,
            lasts,
        },
        plan::Phase::Constant { share, lasts } => Phase::Constant {
            rate: share * rate,
            lasts,
        },
    }
}

/// What placeholders stand for.
struct Names<'a> {
    plan: &'a LoadPlan,
    addresses: &'a [Address],
}

impl Names<'_> {
    fn fill(&self, template: &Template, part: &str) -> Result<String, Fault> {
        template
            .render(&|name| self.value_of(name), Escape::None)
            .map_err(|error| {
                invalid(format!("failed to fill in the load's {part}")).caused_by(error)
            })
    }

    fn text(&self, text: &Text, part: &str) -> Result<String, Fault> {
        match text {
            Text::Template(template) => self.fill(template, part),
            Text::Secret(reference) => Ok(reference.resolve()?.expose().to_owned()),
        }
    }

    fn value_of(&self, name: &str) -> Option<Value> {
        let port_of = |address: &Address| {
            address
                .authority
                .rsplit_once(':')
                .map(|(_, port)| Value::from(port))
        };
        match name {
            "address" => self
                .addresses
                .first()
                .map(|first| Value::from(&*first.authority)),
            "port" => self.addresses.first().and_then(port_of),
            "duration_s" => Some(Value::from(whole_seconds(self.plan.duration))),
            other => {
                let named = other.strip_prefix("ports.");
                let named = named.and_then(|port| self.addresses.iter().find(|it| it.name == port));
                named.and_then(port_of).or_else(|| self.tunable(other))
            }
        }
    }

    fn tunable(&self, name: &str) -> Option<Value> {
        let found = self
            .plan
            .values
            .iter()
            .find(|(tunable, _)| tunable.as_str() == name);
        found.map(|(_, value)| value.clone())
    }
}

fn whole_seconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_secs()).unwrap_or(i64::MAX)
}

fn invalid(message: impl Into<String>) -> Fault {
    Fault::new(FaultKind::Invalid, message)
}
