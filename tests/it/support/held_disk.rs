//! A disk that hangs when a test says so: a library that is loaded before libc delays `fsync` and
//! `fdatasync` of one process for as long as a file exists. The journal, SQLite and the kernel stay the
//! real ones, and all other threads go on.

use std::path::{Path, PathBuf};

use super::preload::Preload;
use super::{Process, eventually};

const LIBRARY: &str = r#"
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static void wait_while_held(void) {
  const char *file = getenv("HELD_DISK");
  if (!file || access(file, F_OK) != 0) return;
  char waiting[PATH_MAX];
  snprintf(waiting, sizeof waiting, "%s.waiting", file);
  close(open(waiting, O_CREAT | O_WRONLY, 0600));
  const struct timespec pause = {0, 5000000};
  while (access(file, F_OK) == 0) nanosleep(&pause, NULL);
}

int fsync(int fd) {
  wait_while_held();
  return (int)syscall(SYS_fsync, fd);
}

int fdatasync(int fd) {
  wait_while_held();
  return (int)syscall(SYS_fdatasync, fd);
}
"#;

/// The disk of the processes that are started on it.
pub(crate) struct HeldDisk(Preload);

impl HeldDisk {
    /// Builds the library.
    pub(crate) fn new() -> Self {
        Self(Preload::build(LIBRARY))
    }

    /// Starts the program on this disk.
    pub(crate) async fn serve(&self, config: &Path) -> Process {
        let library = self.0.library().display().to_string();
        let file = self.file().display().to_string();
        let variables = [("LD_PRELOAD", &*library), ("HELD_DISK", &file)];
        let process = Process::serve_with(config, &[], &variables).await;
        process.expect("it starts")
    }

    /// No sync ends from now on.
    pub(crate) fn hold(&self) {
        std::fs::write(self.file(), "").expect("writable");
    }

    /// Waits until one is being waited for.
    pub(crate) async fn wait_until_held(&self) {
        let waiting = self.file().with_extension("waiting");
        let waiting = &waiting;
        eventually("a sync that is held", || async move {
            waiting.exists().then_some(())
        })
        .await;
    }

    /// All of them go on.
    pub(crate) fn release(&self) {
        std::fs::remove_file(self.file()).expect("it is held");
    }

    fn file(&self) -> PathBuf {
        self.0.dir.path().join("hold")
    }
}
