//! The `protogpu` binary: a host of the library like any other.

fn main() -> std::process::ExitCode {
    protogpu::main()
}
