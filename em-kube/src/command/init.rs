//! A file to start from.
