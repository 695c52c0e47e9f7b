//! The disk under the benchmark: it has to be one, and its fsync is told beside the figures.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};

const SAMPLES: usize = 31;

/// Refuses file systems that live in memory, where an fsync costs nothing.
pub(super) fn refuse_memory(directory: &Path) -> anyhow::Result<()> {
    std::fs::create_dir_all(directory)?;
    let directory = directory.canonicalize()?;
    let mounts =
        std::fs::read_to_string("/proc/self/mounts").context("the mounts can't be read")?;
    let holding = mounts.lines().filter_map(|line| {
        let mut fields = line.split(' ').skip(1);
        let (point, kind) = (fields.next()?, fields.next()?);
        directory.starts_with(point).then_some((point.len(), kind))
    });
    let kind = holding.max().map_or("unknown", |(_, kind)| kind);
    if ["tmpfs", "ramfs", "rootfs"].contains(&kind) {
        bail!(
            "{} is on {kind}: durable means on a disk; name a directory on one with --dir",
            directory.display()
        );
    }
    println!("disk: {} on {kind}", directory.display());
    Ok(())
}

/// The median time of writing and syncing one page of a growing file.
pub(super) fn fsync_time(directory: &Path) -> anyhow::Result<Duration> {
    let path = directory.join("fsync-probe");
    let file = File::create(&path)?;
    let page = [0x5a_u8; 4096];
    let mut times: Vec<Duration> = Vec::with_capacity(SAMPLES);
    for sample in 0..SAMPLES {
        let began = Instant::now();
        file.write_all_at(&page, (sample * page.len()) as u64)?;
        file.sync_data()?;
        times.push(began.elapsed());
    }
    std::fs::remove_file(path)?;
    times.sort();
    Ok(times[SAMPLES / 2])
}
