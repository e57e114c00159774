//! Writes `tests/fixtures/layout-<version>.json`: accounts as the committed program writes them.

fn main() -> std::io::Result<()> {
    let path = escrow_tests::fixtures::present();
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    std::fs::write(path, escrow_tests::fixtures::document())
}
