//! What this disk's fsync costs, and what follows from it.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;
use std::time::{Duration, Instant};

/// Fsyncs timed at start. The quickest counts: what makes the others slower is other work on the
/// machine, and this is about the disk.
const PROBES: usize = 9;
/// Bytes written before each: a page, as a small commit writes.
const PROBE_BYTES: usize = 4096;

/// Above this a larger group is worth waiting for. Measured: lingering loses a third of the
/// throughput where an fsync takes 0.1 ms, and doubles it where it takes 1 ms more.
const SLOW_FSYNC: Duration = Duration::from_millis(1);
/// How long the writer waits for company on a slow disk: a tenth of what the commit costs anyway.
const LINGER: Duration = Duration::from_micros(100);

/// The time of an fsync of one page in `dir`, at its best.
pub(super) fn fsync_time(dir: &Path) -> io::Result<Duration> {
    let path = dir.join("fsync-probe");
    let mut file = File::create(&path)?;
    let mut times = [Duration::ZERO; PROBES];
    for time in &mut times {
        file.write_all(&[0; PROBE_BYTES])?;
        let before = Instant::now();
        file.sync_data()?;
        *time = before.elapsed();
    }
    drop(file);
    fs::remove_file(&path)?;
    Ok(times.into_iter().min().unwrap_or_default())
}

/// How long the writer should wait for a larger group on such a disk.
pub(super) fn linger(fsync: Duration) -> Option<Duration> {
    (fsync > SLOW_FSYNC).then_some(LINGER)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_slow_disks_make_the_writer_wait() {
        assert_eq!(linger(Duration::from_micros(80)), None);
        assert_eq!(linger(Duration::from_millis(1)), None);
        assert_eq!(linger(Duration::from_millis(2)), Some(LINGER));
    }

    #[test]
    fn the_probe_leaves_nothing_behind() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        assert!(fsync_time(dir.path()).expect("writable") > Duration::ZERO);
        assert_eq!(fs::read_dir(dir.path()).expect("readable").count(), 0);
    }
}
