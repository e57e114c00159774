//! Prints the table of compute units.

fn main() {
    for row in escrow_tests::compute_units::measure() {
        println!("{:32} {:>6} {:>6} {:>6}  {:?}", row.name, row.min(), row.median(), row.max(), row.goal);
    }
}
