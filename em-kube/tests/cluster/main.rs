//! The target on a real cluster: `tests/run cluster`.
//!
//! The cluster is the context `EM_TEST_CONTEXT` (else `em-test`) of the kubeconfig; it has the images
//! `localhost/busybox:1` and `localhost/em:test`. Each test has a namespace of its own.

mod conformance;
mod left;
mod others;
mod room;
mod story;
