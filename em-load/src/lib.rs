//! Open-model HTTP load generator of the Experiment Manager.
