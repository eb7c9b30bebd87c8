//! Prints the folder of the PostgreSQL that tests use.

#![allow(clippy::print_stdout)]

fn main() {
    let (bin, _) = testkit::installation();
    println!("{}", bin.display());
}
