//! The mock providers as their users meet them: the model, the servers over real sockets, the program.
//!
//! Servers run a hundred times faster than the reference. Tests wait for conditions up to a generous
//! deadline and never assert how long something took, so that a busy machine changes no verdict.

mod acorn;
mod app;
mod faults;
mod limit;
mod model;
mod program;
mod provider;
mod record;
mod scripts;
mod support;
