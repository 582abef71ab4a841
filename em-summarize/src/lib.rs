//! Statistics of the Experiment Manager: pure, synchronous, no I/O.
