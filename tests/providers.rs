//! What the gate asks identity providers: about opaque tokens, and what people are called.

mod introspection;
mod judged;
mod workos_api;
