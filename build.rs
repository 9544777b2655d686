//! Tells cargo what else is compiled in (migrations, templates, assets), and names the assets' version: a hash
//! of all files in `static/`, so that their address changes whenever one of them does.

use std::fs;
use std::hash::{DefaultHasher, Hasher};
use std::path::Path;

fn main() {
    for folder in ["migrations", "static", "templates"] {
        println!("cargo:rerun-if-changed={folder}");
    }
    let mut hasher = DefaultHasher::new();
    hash_folder(Path::new("static"), &mut hasher);
    println!("cargo:rustc-env=STOCKROOM_ASSETS={:016x}", hasher.finish());
}

fn hash_folder(folder: &Path, hasher: &mut DefaultHasher) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    let mut paths: Vec<_> = entries.flatten().map(|entry| entry.path()).collect();
    paths.sort();
    for path in paths {
        hasher.write(path.to_string_lossy().as_bytes());
        if path.is_dir() {
            hash_folder(&path, hasher);
        } else if let Ok(bytes) = fs::read(&path) {
            hasher.write(&bytes);
        }
    }
}
