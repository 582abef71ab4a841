//! What facts say of pods.
