//! A migration that is added or changed is compiled in.

use std::path::Path;

fn main() {
    // `migrations` is a link to the second, which a published package does not have. A path
    // that is missing would count as changed, and compile the crate again each time.
    for folder in ["migrations", "../../migrations"] {
        if Path::new(folder).exists() {
            println!("cargo:rerun-if-changed={folder}");
        }
    }
}
