//! What people ask of a cluster beside a run: what of ours is there, how it is put back, what may be removed, and a
//! file to start from.

pub mod clean;
pub mod init;
pub mod restore;
pub mod things;
