//! Instana, as its answers are recorded.

mod calls;
mod faults;
mod groups;
mod infrastructure;
mod scene;
