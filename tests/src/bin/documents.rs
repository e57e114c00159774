//! Writes the tables in `docs/protocol.md` that follow from the code.

fn main() -> std::io::Result<()> {
    let (_, written) = escrow_tests::documents::protocol()?;
    std::fs::write(escrow_tests::documents::path("protocol.md"), written)
}
