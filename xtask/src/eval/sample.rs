//! A small sample of the project's own making.
