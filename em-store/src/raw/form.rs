//! How raw data lies in the database: deflated (zlib) where that is shorter, else as it is.
//!
//! Nothing says which: the digest is that of the plain bytes, so it tells them from their deflated
//! form. That also reads what was stored before anything was deflated, and finds damage.

use std::io::{self, Read as _, Write as _};

use em_core::id::Digest;
use flate2::Compression;
use flate2::read::ZlibDecoder;
use flate2::write::ZlibEncoder;

use crate::StoreError;

/// Less than this is not worth the work: it shares a page with others anyway.
const WORTH_IT: usize = 1024;

/// More than this keeps a thread busy for longer than a task should.
const LONG_WORK: usize = 128 * 1024;

/// The form in which bytes are stored.
pub(crate) async fn stored(bytes: &[u8]) -> Vec<u8> {
    if bytes.len() < LONG_WORK {
        return deflated(bytes);
    }
    let whole = bytes.to_vec();
    let work = tokio::task::spawn_blocking(move || deflated(&whole)).await;
    work.unwrap_or_else(|_| bytes.to_vec())
}

/// The bytes whose stored form this is.
pub(crate) fn plain(stored: Vec<u8>, digest: &Digest) -> Result<Vec<u8>, StoreError> {
    if Digest::of(&stored) == *digest {
        return Ok(stored);
    }
    let inflated = inflated(&stored).ok();
    let whole = inflated.filter(|bytes| Digest::of(bytes) == *digest);
    whole.ok_or_else(|| StoreError::Damaged {
        what: "raw data",
        found: digest.to_string(),
    })
}

fn deflated(bytes: &[u8]) -> Vec<u8> {
    if bytes.len() < WORTH_IT {
        return bytes.to_vec();
    }
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
    let written = encoder.write_all(bytes).and_then(|()| encoder.finish());
    let shorter = written.ok().filter(|short| short.len() < bytes.len());
    shorter.unwrap_or_else(|| bytes.to_vec())
}

fn inflated(stored: &[u8]) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    ZlibDecoder::new(stored).read_to_end(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_repeats_itself_is_stored_shorter_and_comes_back_unchanged() {
        for length in [5_000, 500_000] {
            let bytes: Vec<u8> = b"one record "
                .iter()
                .copied()
                .cycle()
                .take(length)
                .collect();
            let stored = stored(&bytes).await;
            assert!(stored.len() * 10 < length, "{} bytes", stored.len());
            assert_eq!(plain(stored, &Digest::of(&bytes)).unwrap(), bytes);
        }
    }

    #[tokio::test]
    async fn what_is_short_or_dense_is_stored_as_it_is() {
        let dense: Vec<u8> = (0u32..200)
            .flat_map(|n| *Digest::of(&n.to_le_bytes()).as_bytes())
            .collect();
        for bytes in [vec![7; 100], dense, Vec::new()] {
            assert_eq!(stored(&bytes).await, bytes);
            assert_eq!(plain(bytes.clone(), &Digest::of(&bytes)).unwrap(), bytes);
        }
    }

    #[test]
    fn bytes_that_look_deflated_are_told_apart_by_their_digest() {
        let deflated = deflated(&[1; 5_000]);
        assert_eq!(
            plain(deflated.clone(), &Digest::of(&deflated)).unwrap(),
            deflated
        );
    }

    #[test]
    fn a_flipped_bit_is_damage() {
        let bytes = vec![1; 5_000];
        let mut stored = deflated(&bytes);
        let middle = stored.len() / 2;
        stored[middle] ^= 1;
        let error = plain(stored, &Digest::of(&bytes)).unwrap_err();
        assert!(
            error
                .to_string()
                .starts_with("raw data in the store is damaged"),
            "{error}"
        );
    }
}
