//! The rules of the HTTP surface (DESIGN section 6), from outside.

mod credentials;
mod document;
