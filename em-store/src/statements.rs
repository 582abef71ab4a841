//! The two texts of SQL that write groups of rows.

use std::sync::LazyLock;

use sqlx::{AssertSqlSafe, SqlSafeStr as _, SqlStr};

/// Most rows of one statement; a larger group takes several inside one transaction.
pub(crate) const MOST_ROWS: usize = 128;

/// Columns of one row of [`insert_entries`].
pub(crate) const ENTRY_COLUMNS: usize = 8;

/// Columns of one row of [`insert_raw`].
pub(crate) const RAW_COLUMNS: usize = 3;

/// Inserts up to [`MOST_ROWS`] entries.
///
/// The text has room for the next power of two: a handful of prepared statements serve groups of
/// every size. Arguments that are not bound are NULL, and such rows are left out.
pub(crate) fn insert_entries(rows: usize) -> SqlStr {
    static TEXTS: LazyLock<Vec<SqlStr>> = LazyLock::new(|| {
        texts(|rows| {
            format!(
                "INSERT INTO entry (experiment, kind, major, minor, seq, at, epoch, body) \
                 SELECT * FROM (VALUES {}) WHERE column1 NOT NULL",
                values(rows, ENTRY_COLUMNS)
            )
        })
    });
    with_room(&TEXTS, rows)
}

/// Inserts up to [`MOST_ROWS`] rows of raw data, or renews those that are there.
pub(crate) fn insert_raw(rows: usize) -> SqlStr {
    static TEXTS: LazyLock<Vec<SqlStr>> = LazyLock::new(|| {
        texts(|rows| {
            format!(
                "INSERT INTO raw (digest, put_at, bytes) \
                 SELECT * FROM (VALUES {}) WHERE column1 NOT NULL \
                 ON CONFLICT (digest) DO UPDATE SET put_at = max(put_at, excluded.put_at)",
                values(rows, RAW_COLUMNS)
            )
        })
    });
    with_room(&TEXTS, rows)
}

fn texts(text: impl Fn(usize) -> String) -> Vec<SqlStr> {
    let sizes = (0..)
        .map(|power| 1 << power)
        .take_while(|size| *size <= MOST_ROWS);
    // Only the number of placeholders differs between the texts: nothing from outside enters them.
    sizes
        .map(|rows| AssertSqlSafe(text(rows)).into_sql_str())
        .collect()
}

fn with_room(texts: &[SqlStr], rows: usize) -> SqlStr {
    let power = rows.next_power_of_two().trailing_zeros() as usize;
    texts
        .get(power)
        .expect("a statement has at most MOST_ROWS rows")
        .clone()
}

fn values(rows: usize, columns: usize) -> String {
    let row = format!("({})", vec!["?"; columns].join(","));
    vec![row; rows].join(",")
}
