//! wirespan's own messages.
