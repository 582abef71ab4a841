//! Datasources of the Experiment Manager.
