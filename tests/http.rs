//! The rules of the HTTP surface (DESIGN section 6), from outside.

mod addresses;
mod answers;
mod bodies;
mod connections;
mod credentials;
mod document;
mod expired_events;
mod own_validators;
mod people;
mod resources;
mod revocations;
mod rights;
mod running;
mod sockets;
mod workos_events;
