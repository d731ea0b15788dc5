//! What the engine tells the kernel side about one socket, so that bytes
//! nobody wants are not copied. A source that cannot be told ignores it.

use crate::event::{Direction, SocketId};

/// What to copy of one socket from now on. A verdict takes effect some
/// milliseconds after the bytes it was drawn from; it is safe at any delay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Not HTTP: send no more events of this socket, except its end.
    Ignore(SocketId),
    /// Copy nothing of, and tell nothing about, the bytes in this direction
    /// below this offset: they are inside a body of known length. The call that
    /// reaches the offset is told, and so is the end of the socket.
    SkipTo {
        /// The socket.
        socket: SocketId,
        /// The direction.
        direction: Direction,
        /// Offset of the first byte of interest.
        offset: u64,
    },
}
