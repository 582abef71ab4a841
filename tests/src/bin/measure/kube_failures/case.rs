//! One way to fail: what there is, what is asked, what is done to it, and what is expected.

/// One way to fail. Every case has a namespace of its own with a Deployment and a Service `demo`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Case {
    /// Its name, and that of its namespace.
    pub(super) name: &'static str,
    /// What its container does when the variable MODE is `bad`.
    pub(super) bad: &'static str,
    /// Fields of the container beside those of every case, indented by ten.
    pub(super) container: &'static str,
    /// Shell commands before em starts; `$NS` is the namespace.
    pub(super) prepare: &'static str,
    /// Fields of the target beside those of every case.
    pub(super) target: &'static str,
    /// The context, the workload and the Service, where they are not the usual ones.
    pub(super) names: Names,
    /// The policy.
    pub(super) policy: &'static str,
    /// The tunable without its name.
    pub(super) tunable: &'static str,
    /// Its value in the only trial.
    pub(super) value: &'static str,
    /// How long a cycle is.
    pub(super) cycle: &'static str,
    /// Shell commands in mid-trial.
    pub(super) act: &'static str,
    /// When they are done.
    pub(super) when: When,
    /// Shell commands after em has ended.
    pub(super) clean: &'static str,
    /// Whether the whole cluster is hit, so that nothing else may run.
    pub(super) is_alone: bool,
    /// Where Kubernetes shows the cause.
    pub(super) cause: Cause,
    /// What em should say.
    pub(super) expected: Expected,
    /// What should be left of the workload.
    pub(super) after: After,
}

/// What the file names.
#[derive(Debug, Clone, Copy)]
pub(super) struct Names {
    pub(super) context: &'static str,
    /// None: the one of the case.
    pub(super) namespace: Option<&'static str>,
    pub(super) workload: &'static str,
    pub(super) service: &'static str,
}

/// When something is done in mid-trial.
#[derive(Debug, Clone, Copy)]
pub(super) enum When {
    /// As soon as em has taken its Lease.
    Held,
    /// As soon as a pod of the trial is ready.
    Ready,
    /// When the load has reached a pod of the trial, in its first cycle.
    Loaded,
}

/// Where Kubernetes shows the cause first.
#[derive(Debug, Clone, Copy)]
pub(super) enum Cause {
    /// It is there before em starts.
    Before,
    /// It is done in mid-trial.
    Act,
    /// These words in a pod.
    Pod(&'static str),
    /// These words in an event.
    Event(&'static str),
    /// These words in the workload.
    Workload(&'static str),
    /// These words in a node.
    Node(&'static str),
}

/// What em should say.
#[derive(Debug, Clone, Copy)]
pub(super) struct Expected {
    /// Exit code; none: it depends on whether what was spoiled could be repeated.
    pub(super) code: Option<i32>,
    /// How the trial ends: `failed cluster`, `infeasible`, `invalid`, `measured`; none: there is none.
    pub(super) outcome: Option<&'static str>,
    /// What the reason holds.
    pub(super) words: &'static [&'static str],
}

/// What should be left of the workload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum After {
    /// It is equal in spec, labels, annotations and owners, and nothing of ours is left.
    Same,
    /// It is gone, and nothing of ours is left.
    Gone,
    /// It is as somebody else made it, and nothing of ours is left.
    Theirs,
    /// It belongs to somebody else, who puts it back.
    Foreign,
}

/// A file that works, of a container that turns bad with MODE.
pub(super) const CASE: Case = Case {
    name: "",
    bad: "exit 9",
    container: "",
    prepare: "",
    target: "",
    names: Names {
        context: "em-test",
        namespace: None,
        workload: "deployment/demo",
        service: "demo",
    },
    policy: "rolling-update",
    tunable: "choices: [good, bad], apply: { env: MODE }",
    value: "bad",
    cycle: "1s",
    act: "",
    when: When::Loaded,
    clean: "",
    is_alone: false,
    cause: Cause::Before,
    expected: Expected {
        code: Some(0),
        outcome: Some("infeasible"),
        words: &[],
    },
    after: After::Same,
};

/// A trial that is refused before anything is done.
pub(super) const fn refused(words: &'static [&'static str]) -> Expected {
    Expected {
        code: Some(3),
        outcome: None,
        words,
    }
}

/// A trial that ends like this: that is an answer, too.
pub(super) const fn ends(outcome: &'static str, words: &'static [&'static str]) -> Expected {
    Expected {
        code: Some(0),
        outcome: Some(outcome),
        words,
    }
}

/// The first iteration ends like this, whatever its repetition gives.
pub(super) const fn spoiled(words: &'static [&'static str]) -> Expected {
    Expected {
        code: None,
        outcome: None,
        words,
    }
}

/// An experiment that cannot go on ends like this.
pub(super) const fn fails(outcome: &'static str, words: &'static [&'static str]) -> Expected {
    Expected {
        code: Some(3),
        outcome: Some(outcome),
        words,
    }
}

impl Case {
    /// The objects of the case.
    pub(super) fn objects(&self) -> String {
        format!(
            r#"
apiVersion: v1
kind: Namespace
metadata: {{ name: {name} }}
---
apiVersion: apps/v1
kind: Deployment
metadata:
  name: demo
  namespace: {name}
  labels: {{ app: demo }}
  annotations: {{ owner: somebody }}
spec:
  replicas: 1
  progressDeadlineSeconds: 40
  selector: {{ matchLabels: {{ app: demo }} }}
  template:
    metadata: {{ labels: {{ app: demo }} }}
    spec:
      terminationGracePeriodSeconds: 0
      containers:
        - name: demo
          image: localhost/busybox:1
          imagePullPolicy: IfNotPresent
          command:
            - /bin/sh
            - -c
            - |
              echo ok > /tmp/index.html
              if [ "$MODE" = good ]; then exec httpd -f -p 8080 -h /tmp; fi
              {bad}
          env: [{{ name: MODE, value: good }}]
          ports: [{{ name: http, containerPort: 8080 }}]
          readinessProbe: {{ httpGet: {{ path: /, port: http }}, periodSeconds: 1 }}
          resources: {{ requests: {{ cpu: 10m, memory: 16Mi }}, limits: {{ cpu: 500m, memory: 32Mi }} }}
{container}
---
apiVersion: v1
kind: Service
metadata: {{ name: demo, namespace: {name} }}
spec:
  selector: {{ app: demo }}
  ports: [{{ port: 80, targetPort: http }}]
"#,
            name = self.name,
            bad = self.bad,
            container = self.container,
        )
    }

    /// The experiment's file.
    pub(super) fn file(&self) -> String {
        let Names {
            context,
            namespace,
            workload,
            service,
        } = self.names;
        format!(
            r#"
name: {name}
target:
  kind: kubernetes
  context: {context}
  namespace: {namespace}
  workload: {workload}
  policy: {policy}
  service: {service}
{target}
tunables: [{{ name: knob, {tunable} }}]
load: {{ kind: http, url: "http://{{{{address}}}}/", rate: 20 }}
objective: {{ minimize: load.response_time.p99 }}
baseline: none
trials: [{{ id: broken, values: {{ knob: {value} }} }}]
measurement: {{ warmup: 200ms, cycles: 1, cycle_duration: {cycle}, iterations: {{ min: 2, max: 2 }} }}
retries: {{ cluster: 0 }}
timeouts: {{ deploy: 60s }}
"#,
            name = self.name,
            namespace = namespace.unwrap_or(self.name),
            policy = self.policy,
            target = self.target,
            tunable = self.tunable,
            value = self.value,
            cycle = self.cycle,
        )
    }
}
