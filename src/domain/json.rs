//! JSON as the gate carries it: integers of 64 bits and decimals of up to 34 digits are kept exactly, as text.

use serde_json::{Map, Value};

/// A JSON object: process variables, the input and the result of an execution, the data of an event.
pub type JsonObject = Map<String, Value>;
