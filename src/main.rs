//! The program.

use std::process::ExitCode;

fn main() -> ExitCode {
    teller::cli::run()
}
