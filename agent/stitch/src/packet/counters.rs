//! What became of the packets: the capture's part of the account.

/// Counts since the decoder was made. The ways a packet can end add up:
/// `packets = tcp + unknown_link + not_ip + not_tcp + fragments + headers_cut + malformed`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Packets handed in.
    pub packets: u64,
    /// Packets that held a TCP segment.
    pub tcp: u64,
    /// Packets of a link layer that is not decoded.
    pub unknown_link: u64,
    /// Packets that are not IP (ARP, …).
    pub not_ip: u64,
    /// IP packets that are not TCP.
    pub not_tcp: u64,
    /// Fragments of IP packets, but for the one that makes each packet whole.
    pub fragments: u64,
    /// Fragments that never became a whole: a gap if they were TCP.
    pub fragments_lost: u64,
    /// Packets whose headers were cut off by the snap length.
    pub headers_cut: u64,
    /// Packets whose headers contradict themselves.
    pub malformed: u64,
    /// Segments with fewer bytes captured than were sent (snap length).
    pub snapped: u64,
    /// Segments that arrived before what goes before them.
    pub out_of_order: u64,
    /// Segments that brought nothing new: sent, or captured, more than once.
    pub repeated: u64,
    /// Probes of one byte, just before the next byte.
    pub keep_alives: u64,
    /// Segments whose bytes differ from the ones first seen at that place,
    /// as far as these were still at hand. The first ones win.
    pub overlap_conflicts: u64,
    /// Segments too far ahead of the stream's place, or beyond its end.
    pub out_of_window: u64,
    /// Segments that came when the connection was closed.
    pub after_end: u64,
    /// Holes that were given up: the bytes went by but were not captured.
    pub gaps: u64,
    /// Bytes in these holes; a FIN that was not captured counts as one.
    pub gap_bytes: u64,
    /// Holes given up because what was held behind them reached a limit.
    pub held_limit: u64,
    /// Connections met.
    pub connections: u64,
    /// Connections that took the addresses of one whose end was not seen.
    pub reused: u64,
    /// Connections given up because there were too many.
    pub evicted: u64,
    /// Connections given up after a long silence.
    pub idle: u64,
    /// Segments of connections seen at another place too, with other addresses
    /// (address translation): told once.
    pub seen_elsewhere: u64,
    /// RST segments outside the window, which their receiver ignored.
    pub resets_ignored: u64,
}

impl Counters {
    /// Each count with its name, in the order of the fields.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, u64)> {
        [
            ("packets", self.packets),
            ("tcp", self.tcp),
            ("unknown_link", self.unknown_link),
            ("not_ip", self.not_ip),
            ("not_tcp", self.not_tcp),
            ("fragments", self.fragments),
            ("fragments_lost", self.fragments_lost),
            ("headers_cut", self.headers_cut),
            ("malformed", self.malformed),
            ("snapped", self.snapped),
            ("out_of_order", self.out_of_order),
            ("repeated", self.repeated),
            ("keep_alives", self.keep_alives),
            ("overlap_conflicts", self.overlap_conflicts),
            ("out_of_window", self.out_of_window),
            ("after_end", self.after_end),
            ("gaps", self.gaps),
            ("gap_bytes", self.gap_bytes),
            ("held_limit", self.held_limit),
            ("connections", self.connections),
            ("reused", self.reused),
            ("evicted", self.evicted),
            ("idle", self.idle),
            ("seen_elsewhere", self.seen_elsewhere),
            ("resets_ignored", self.resets_ignored),
        ]
        .into_iter()
    }
}
