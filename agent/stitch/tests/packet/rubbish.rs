//! Bytes that are no packets, and packets with damage: no panic, no rule of
//! events broken (which `run` checks), every packet accounted for.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;
use wirespan_stitch::packet::{Limits, LinkType};

use crate::conversation::{C, Conversation, S};
use crate::wire::{Captured, frames, run};

fn tight() -> Limits {
    Limits {
        connections: 4,
        closed: 2,
        held: 600,
        held_total: 900,
        ..Limits::default()
    }
}

fn link() -> impl Strategy<Value = LinkType> {
    let known = [0, 1, 12, 14, 101, 108, 113, 228, 229, 276, 147];
    proptest::sample::select(known.map(LinkType).to_vec())
}

proptest! {
    #[test]
    fn arbitrary_bytes(
        packets in vec((link(), any::<u64>(), vec(any::<u8>(), 0..90), 0..2000usize), 0..30),
    ) {
        let packets: Vec<_> = packets
            .into_iter()
            .map(|(link, time, bytes, original)| Captured { link, time, bytes, original })
            .collect();
        let outcome = run(tight(), &packets);
        prop_assert_eq!(outcome.counters.packets, packets.len() as u64);
    }

    #[test]
    fn damaged_conversations(
        damage in vec((any::<Index>(), 0..90usize, any::<u8>()), 0..60),
        cut in vec((any::<Index>(), 0..90usize), 0..6),
    ) {
        let talk = Conversation::new([u32::MAX - 9, 5]).handshake();
        let talk = talk.send(C, [b'a'; 30]).send(S, [b'b'; 30]).send(S, [b'c'; 30]).ack(C);
        let talk = talk.send(C, [b'd'; 30]).close().rst(S, 0);
        let mut packets = frames(&talk.segments);
        packets.extend(packets.clone());
        for (packet, place, byte) in damage {
            let packet = packet.get_mut(&mut packets);
            if let Some(old) = packet.bytes.get_mut(place) {
                *old = byte;
            }
        }
        for (packet, length) in cut {
            packet.get_mut(&mut packets).bytes.truncate(length);
        }
        let outcome = run(tight(), &packets);
        prop_assert_eq!(outcome.counters.packets, packets.len() as u64);
    }
}

trait GetMut {
    fn get_mut<T>(self, items: &mut [T]) -> &mut T;
}

impl GetMut for Index {
    fn get_mut<T>(self, items: &mut [T]) -> &mut T {
        &mut items[self.index(items.len())]
    }
}
