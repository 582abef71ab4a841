//! Datasources of this machine: a command whose output is read, and a CSV file.

mod command;
mod csv;

pub use command::CommandDatasource;
pub use csv::CsvDatasource;
