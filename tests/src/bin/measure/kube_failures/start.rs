//! Roll-outs that do not come to their end.

use super::case::{After, CASE, Case, Cause, ends, fails};

/// Of every kind one.
pub(super) const CASES: &[Case] = &[
    Case {
        name: "oom-at-start",
        bad: "exec tail /dev/zero",
        cause: Cause::Pod("OOMKilled"),
        expected: ends("infeasible", &["OOMKilled", "raise its memory limit"]),
        ..CASE
    },
    Case {
        name: "crash-loop",
        bad: "echo no such port: 99999; exit 3",
        cause: Cause::Pod("CrashLoopBackOff"),
        expected: ends(
            "infeasible",
            &["exit code 3 again and again", "no such port: 99999"],
        ),
        ..CASE
    },
    Case {
        name: "ends-well",
        bad: "exit 0",
        cause: Cause::Pod("CrashLoopBackOff"),
        expected: ends(
            "infeasible",
            &["exit code 0 again and again", "has to keep running"],
        ),
        ..CASE
    },
    Case {
        name: "image-pull",
        tunable: "choices: [localhost/busybox:1, localhost/nothing:1], apply: { image: '{{value}}' }",
        value: "localhost/nothing:1",
        cause: Cause::Pod("ErrImagePull"),
        expected: fails(
            "failed cluster",
            &["cannot get its image localhost/nothing:1"],
        ),
        ..CASE
    },
    Case {
        name: "image-never-pulled",
        prepare: r#"kubectl -n $NS patch deployment demo --type=json -p '[{"op":"replace","path":"/spec/template/spec/containers/0/imagePullPolicy","value":"Never"}]'
            kubectl -n $NS rollout status deployment demo --timeout=30s"#,
        tunable: "choices: [localhost/busybox:1, localhost/nothing:1], apply: { image: '{{value}}' }",
        value: "localhost/nothing:1",
        cause: Cause::Pod("ErrImageNeverPull"),
        expected: ends("infeasible", &["ErrImageNeverPull"]),
        ..CASE
    },
    Case {
        name: "image-name-invalid",
        tunable: "choices: [localhost/busybox:1, 'localhost/Bad_:Name:x'], apply: { image: '{{value}}' }",
        value: "'localhost/Bad_:Name:x'",
        cause: Cause::Pod("InvalidImageName"),
        expected: ends("infeasible", &["InvalidImageName"]),
        ..CASE
    },
    Case {
        name: "no-such-node",
        tunable: "choices: [fast, none], apply: { patch: { spec: { template: { spec: { nodeSelector: { class: '{{value}}' } } } } }, type: merge }",
        value: "fast",
        cause: Cause::Pod("Unschedulable"),
        expected: ends("infeasible", &["0/1 nodes are available"]),
        ..CASE
    },
    Case {
        name: "config-key-missing",
        prepare: "kubectl -n $NS create configmap settings --from-literal=good=1",
        tunable: "choices: [good, missing], apply: { patch: { spec: { template: { spec: { containers: [{ name: demo, env: [{ name: EXTRA, valueFrom: { configMapKeyRef: { name: settings, key: '{{value}}' } } }] }] } } } }, type: strategic }",
        value: "missing",
        cause: Cause::Pod("CreateContainerConfigError"),
        expected: ends(
            "infeasible",
            &["CreateContainerConfigError", "couldn't find key missing"],
        ),
        ..CASE
    },
    Case {
        name: "runs-as-root",
        tunable: "choices: [true, false], apply: { patch: { spec: { template: { spec: { securityContext: { runAsNonRoot: '{{value}}' } } } } }, type: merge }",
        value: "true",
        cause: Cause::Pod("CreateContainerConfigError"),
        expected: ends(
            "infeasible",
            &["CreateContainerConfigError", "runAsNonRoot"],
        ),
        ..CASE
    },
    Case {
        name: "command-missing",
        tunable: "choices: [/bin/sh, /nowhere], apply: { patch: [{ op: replace, path: /spec/template/spec/containers/0/command/0, value: '{{value}}' }], type: json }",
        value: "/nowhere",
        cause: Cause::Pod("StartError"),
        expected: ends("infeasible", &["does not start", "/nowhere"]),
        ..CASE
    },
    Case {
        name: "volume-missing",
        tunable: "choices: [yes, no], apply: { patch: { spec: { template: { spec: { volumes: [{ name: more, configMap: { name: 'settings-{{value}}' } }], containers: [{ name: demo, volumeMounts: [{ name: more, mountPath: /more }] }] } } } }, type: strategic }",
        value: "yes",
        cause: Cause::Event("FailedMount"),
        expected: ends("infeasible", &["configmap \"settings-yes\" not found"]),
        ..CASE
    },
    Case {
        name: "init-fails",
        tunable: "choices: [5, 6], apply: { patch: { spec: { template: { spec: { initContainers: [{ name: first, image: 'localhost/busybox:1', command: [/bin/sh, -c, 'echo no schema; exit {{value}}'] }] } } } }, type: strategic }",
        value: "5",
        cause: Cause::Pod("CrashLoopBackOff"),
        expected: ends(
            "infeasible",
            &["container first", "exit code 5", "no schema"],
        ),
        ..CASE
    },
    Case {
        name: "account-missing",
        tunable: "choices: [nobody, default], apply: { patch: { spec: { template: { spec: { serviceAccountName: '{{value}}' } } } }, type: merge }",
        value: "nobody",
        cause: Cause::Event("FailedCreate"),
        expected: fails("failed target", &["\"nobody\" not found"]),
        ..CASE
    },
    Case {
        name: "never-ready",
        prepare: r#"kubectl -n $NS patch deployment demo -p '{"spec":{"progressDeadlineSeconds":4}}'"#,
        bad: "exec httpd -f -p 8081 -h /tmp",
        cause: Cause::Workload("ProgressDeadlineExceeded"),
        expected: ends(
            "infeasible",
            &[
                "was not ready before its own deadline",
                "Readiness probe failed",
            ],
        ),
        ..CASE
    },
    Case {
        name: "liveness-fails",
        bad: "exec httpd -f -p 8081 -h /tmp",
        container: "          livenessProbe: { httpGet: { path: /, port: http }, periodSeconds: 1, failureThreshold: 2 }",
        cause: Cause::Event("failed liveness probe, will be restarted"),
        expected: ends("infeasible", &["iveness probe"]),
        ..CASE
    },
    Case {
        name: "never-ready-clone",
        policy: "new-deployment",
        bad: "echo no licence; exit 4",
        cause: Cause::Pod("CrashLoopBackOff"),
        expected: ends("infeasible", &["exit code 4 again and again", "no licence"]),
        after: After::Same,
        ..CASE
    },
];
