//! The program `mock-provider`: everything is in [`mock_provider::cli`].

fn main() -> anyhow::Result<()> {
    mock_provider::cli::run(std::env::args_os())
}
