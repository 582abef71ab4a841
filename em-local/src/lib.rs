//! Local targets of the Experiment Manager: process, command, observe, simulated.
