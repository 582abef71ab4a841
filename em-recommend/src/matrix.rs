//! Cholesky factors of small symmetric matrices, by hand.

/// A symmetric matrix by its lower triangle, row by row.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Symmetric {
    size: usize,
    lower: Vec<f64>,
}

impl Symmetric {
    /// The matrix with the entry `f(row, column)` at every column <= row.
    pub(crate) fn from_fn(size: usize, mut f: impl FnMut(usize, usize) -> f64) -> Self {
        let mut lower = Vec::with_capacity(size * (size + 1) / 2);
        for row in 0..size {
            for column in 0..=row {
                lower.push(f(row, column));
            }
        }
        Self { size, lower }
    }

    /// The lower factor L with L Lt = this matrix plus `jitter` on its diagonal; none when that
    /// is not positive definite to working precision.
    pub(crate) fn cholesky(&self, jitter: f64) -> Option<Factor> {
        let mut factor = self.lower.clone();
        for row in 0..self.size {
            let start = row_start(row);
            for column in 0..=row {
                let other = row_start(column);
                let done = dot(
                    &factor[start..start + column],
                    &factor[other..other + column],
                );
                let rest = factor[start + column] - done;
                if column < row {
                    factor[start + column] = rest / factor[other + column];
                } else if rest + jitter > 0.0 && (rest + jitter).is_finite() {
                    factor[start + row] = (rest + jitter).sqrt();
                } else {
                    return None;
                }
            }
        }
        Some(Factor {
            size: self.size,
            lower: factor,
        })
    }
}

/// A lower triangular matrix with a positive diagonal.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Factor {
    size: usize,
    lower: Vec<f64>,
}

impl Factor {
    /// Solves L x = `b`.
    pub(crate) fn forward(&self, b: &[f64]) -> Vec<f64> {
        let mut x = b.to_vec();
        for row in 0..self.size {
            let start = row_start(row);
            let done = dot(&self.lower[start..start + row], &x[..row]);
            x[row] = (x[row] - done) / self.lower[start + row];
        }
        x
    }

    /// Solves Lt x = `b`.
    pub(crate) fn backward(&self, b: &[f64]) -> Vec<f64> {
        let mut x = b.to_vec();
        for row in (0..self.size).rev() {
            let start = row_start(row);
            x[row] /= self.lower[start + row];
            let pivot = x[row];
            for (column, entry) in self.lower[start..start + row].iter().enumerate() {
                x[column] -= entry * pivot;
            }
        }
        x
    }

    /// The logarithm of the determinant of L Lt.
    pub(crate) fn log_determinant(&self) -> f64 {
        2.0 * (0..self.size)
            .map(|row| self.lower[row_start(row) + row].ln())
            .sum::<f64>()
    }
}

pub(crate) fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(x, y)| x * y).sum()
}

fn row_start(row: usize) -> usize {
    row * (row + 1) / 2
}

#[cfg(test)]
mod tests {
    use super::*;

    fn example() -> Symmetric {
        let rows = [[4.0, 2.0, 0.6], [2.0, 5.0, 1.0], [0.6, 1.0, 3.0]];
        Symmetric::from_fn(3, |row, column| rows[row][column])
    }

    #[test]
    fn both_substitutions_together_solve_the_system() {
        let factor = example().cholesky(0.0).unwrap();
        let x = factor.backward(&factor.forward(&[1.0, 2.0, 3.0]));
        let back = [
            4.0 * x[0] + 2.0 * x[1] + 0.6 * x[2],
            2.0 * x[0] + 5.0 * x[1] + x[2],
            0.6 * x[0] + x[1] + 3.0 * x[2],
        ];
        for (got, want) in back.iter().zip([1.0, 2.0, 3.0]) {
            assert!((got - want).abs() < 1e-12);
        }
    }

    #[test]
    fn the_determinant_is_that_of_the_matrix() {
        // numpy.linalg.det of the same matrix: 44.6.
        let determinant = example().cholesky(0.0).unwrap().log_determinant().exp();
        assert!((determinant - 44.6).abs() < 1e-9, "{determinant}");
    }

    #[test]
    fn a_singular_matrix_needs_jitter() {
        let ones = Symmetric::from_fn(3, |_, _| 1.0);
        assert_eq!(ones.cholesky(0.0), None);
        assert!(ones.cholesky(1e-8).is_some());
        assert_eq!(Symmetric::from_fn(1, |_, _| f64::NAN).cholesky(1.0), None);
    }
}
