//! Where numbered events go.
