//! Libraries that are loaded before libc, into one process: they change what it sees of its machine.

use std::path::PathBuf;
use std::process::Command;

use tempfile::TempDir;

/// A library, built for a test.
pub(crate) struct Preload {
    pub(crate) dir: TempDir,
}

impl Preload {
    /// Builds it.
    pub(crate) fn build(source: &str) -> Self {
        let dir = TempDir::new().expect("a temporary directory");
        let file = dir.path().join("preload.c");
        std::fs::write(&file, source).expect("writable");
        let built = Command::new("cc")
            .args(["-shared", "-fPIC", "-D_GNU_SOURCE", "-O1", "-o"])
            .arg(dir.path().join("preload.so"))
            .arg(&file)
            .output()
            .expect("run scripts/test, which installs a C compiler");
        let said = String::from_utf8_lossy(&built.stderr);
        assert!(built.status.success(), "{said}");
        Self { dir }
    }

    /// What `LD_PRELOAD` has to name.
    pub(crate) fn library(&self) -> PathBuf {
        self.dir.path().join("preload.so")
    }
}

const OTHER_BOOT: &str = r#"
#include <fcntl.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

ssize_t readlink(const char *path, char *to, size_t size) {
  static const char other[] = "time:[another]";
  if (strcmp(path, "/proc/self/ns/time") == 0 && size >= sizeof other - 1) {
    memcpy(to, other, sizeof other - 1);
    return sizeof other - 1;
  }
  return syscall(SYS_readlinkat, AT_FDCWD, path, to, size);
}
"#;

/// With it a process is in a time namespace of its own, as far as it can tell: its boot clock can't be compared
/// with that of others, as after a reboot or on another machine.
pub(crate) fn other_boot() -> Preload {
    Preload::build(OTHER_BOOT)
}
