//! wirespan's own messages, generated from the `.proto` files beside this
//! crate, which document them. What they mean to the agent is left to it.

/// Recordings of socket events (`wirespan record`).
pub mod recording {
    /// Version 1 of the format.
    #[expect(
        missing_docs,
        clippy::pedantic,
        reason = "generated; documented in recording.proto"
    )]
    pub mod v1 {
        include!(concat!(env!("OUT_DIR"), "/wirespan.recording.v1.rs"));
    }
}

/// What the agent keeps between runs (`--state-dir`).
pub mod state {
    /// Version 1 of the format.
    #[expect(missing_docs, reason = "generated; documented in state.proto")]
    pub mod v1 {
        include!(concat!(env!("OUT_DIR"), "/wirespan.state.v1.rs"));
    }
}
