//! Prints the folder of the PostgreSQL that tests use.

#![expect(clippy::print_stdout, reason = "a tool of the repository")]

fn main() {
    let (bin, _) = testkit::installation();
    println!("{}", bin.display());
}
