//! The binary `holdfast`, for proofs that must start and kill a process.

fn main() -> std::process::ExitCode {
    holdfast::cli::run()
}
