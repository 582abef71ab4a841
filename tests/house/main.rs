//! Tests of the repository itself: its walls, its licences, its claims.

mod licences;
mod walls;
