//! Tests of the repository itself: its walls, its licences, its claims.

mod capabilities;
mod diagrams;
mod licences;
mod walls;
