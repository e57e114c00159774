//! Prints what stands in `docs/COMPUTE_UNITS.md`, or writes it there with `--write`.

use std::{error::Error, path::Path};

fn main() -> Result<(), Box<dyn Error>> {
    let document = escrow_tests::compute_units::document();
    match std::env::args().nth(1).as_deref() {
        None => print!("{document}"),
        Some("--write") => {
            let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/COMPUTE_UNITS.md");
            std::fs::create_dir_all(path.parent().ok_or("no parent")?)?;
            std::fs::write(path, document)?;
        }
        Some(other) => return Err(format!("unknown argument {other}: only --write is known").into()),
    }
    Ok(())
}
