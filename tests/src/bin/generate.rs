//! Writes the files of one of [`escrow_tests::generated::GENERATORS`] below the folder that `GENERATE_INTO` names, for
//! `cargo xtask generate`.

use std::{env, error::Error, fs, path::PathBuf};

use escrow_tests::generated;

fn main() -> Result<(), Box<dyn Error>> {
    let name = env::args().nth(1).ok_or("name the generator: run `cargo xtask generate`, which does")?;
    let root = env::var_os("GENERATE_INTO").map(PathBuf::from);
    let root = root.ok_or("GENERATE_INTO names no folder: run `cargo xtask generate`, which sets it")?;
    let files = generated::files(&name).ok_or_else(|| {
        let known = generated::GENERATORS.map(|(known, _)| known).join(", ");
        format!("there is no generator `{name}`; there are: {known}")
    })?;
    for (path, text) in files {
        let file = root.join(path);
        fs::create_dir_all(file.parent().ok_or("a file without a folder")?)?;
        fs::write(file, text)?;
    }
    Ok(())
}
