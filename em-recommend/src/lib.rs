//! Search of the Experiment Manager: grid, Latin hypercube, Gaussian process.
