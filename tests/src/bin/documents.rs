//! Writes the tables in `docs/protocol.md` that follow from the code, and the JSON Schemas of the client's views.

use escrow_tests::documents::{path, protocol, schemas};

fn main() -> std::io::Result<()> {
    let (_, written) = protocol()?;
    std::fs::write(path("protocol.md"), written)?;
    for (name, written) in schemas() {
        std::fs::write(path(&name), written)?;
    }
    Ok(())
}
