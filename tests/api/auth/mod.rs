//! Authentication and authorization, a file a topic: every promise of `authentication.md` that shows from outside.

mod claims;
mod judgement;
mod mint;
mod modes;
mod people;
mod setup;
mod starts;
