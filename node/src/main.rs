//! The validator. See the library of this package, which is all of it.

fn main() -> sc_cli::Result<()> {
    quern_node::run()
}
