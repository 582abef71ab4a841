//! Durable journal and raw data of the Experiment Manager.
