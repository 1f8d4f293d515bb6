//! The binary: everything is in the library, where tests reach it too.

fn main() -> std::process::ExitCode {
    holdfast::cli::run()
}
