//! The `tidegate` command line.
