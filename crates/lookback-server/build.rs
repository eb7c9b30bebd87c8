//! Compiles the crate again when the page that it embeds was built since.

fn main() {
    println!("cargo::rerun-if-changed=page");
}
