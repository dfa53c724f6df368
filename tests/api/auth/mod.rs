//! Authentication and authorization, a file a topic: every promise of `authentication.md` that shows from outside.

mod audit;
mod claims;
mod command_line;
mod judgement;
mod limits;
mod mint;
mod modes;
mod old_names;
mod own_tokens;
mod people;
mod providers;
mod replicas;
mod revocations;
mod secrets;
mod sessions;
mod setup;
mod starts;
mod streams;
mod table;
mod under_way;
mod workos_events;
