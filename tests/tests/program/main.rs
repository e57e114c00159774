//! The program's committed bytecode in LiteSVM, with the token programs that it ships.

mod lifecycle;
