//! [`Event`]s to their recorded form and back, losing nothing.

use std::net::{IpAddr, SocketAddr, SocketAddrV4, SocketAddrV6};
use std::sync::Arc;

use bytes::Bytes;
use wirespan_proto::recording::v1::{self as proto, record::Kind};
use wirespan_stitch::event::{
    Closed, Connection, Data, Direction, Event, Lost, LostReason, Opened, Opener, Process,
    Shortfall, SocketId, Source, Task, Woke,
};
use wirespan_stitch::time::{Timestamp, WallTime};

/// The recorded form of an event.
pub(super) fn record(event: &Event) -> proto::Record {
    let kind = match event {
        Event::Data(data) => Kind::Data(from_data(data)),
        Event::Opened(opened) => Kind::Opened(from_opened(opened)),
        Event::Closed(closed) => Kind::Closed(from_closed(closed)),
        Event::Process(process) => Kind::Process(from_process(process)),
        Event::Exited { time, pid } => Kind::Exited(proto::Exited {
            time: time.0,
            pid: *pid,
        }),
        Event::Woke(woke) => Kind::Woke(from_woke(*woke)),
        Event::Clock { time, wall } => Kind::Clock(proto::Clock {
            time: time.0,
            wall_unix_nano: wall.0,
        }),
        Event::Lost(lost) => Kind::Lost(from_lost(*lost)),
    };
    proto::Record { kind: Some(kind) }
}

/// The event of a record.
///
/// # Errors
///
/// The name of what is missing or out of range in the record. A header or a
/// footer is no event.
pub(super) fn event(kind: Kind) -> Result<Event, &'static str> {
    Ok(match kind {
        Kind::Data(data) => Event::Data(to_data(data)?),
        Kind::Opened(opened) => Event::Opened(to_opened(opened)?),
        Kind::Closed(closed) => Event::Closed(to_closed(closed)),
        Kind::Process(process) => Event::Process(Arc::new(to_process(process))),
        Kind::Exited(proto::Exited { time, pid }) => Event::Exited {
            time: Timestamp(time),
            pid,
        },
        Kind::Woke(woke) => Event::Woke(to_woke(woke)),
        Kind::Clock(clock) => Event::Clock {
            time: Timestamp(clock.time),
            wall: WallTime(clock.wall_unix_nano),
        },
        Kind::Lost(lost) => Event::Lost(to_lost(lost)?),
        Kind::Header(_) => return Err("a second header"),
        Kind::Footer(_) => return Err("a footer before the end"),
    })
}

fn from_data(data: &Data) -> proto::Data {
    let Data {
        time,
        socket,
        source,
        direction,
        task,
        connection,
        offset,
        length,
        payload,
        shortfall,
    } = data;
    proto::Data {
        time: time.0,
        socket: socket.0,
        source: match source {
            Source::Socket => proto::Source::Socket,
            Source::Packets => proto::Source::Packets,
        }
        .into(),
        direction: match direction {
            Direction::Send => proto::Direction::Send,
            Direction::Receive => proto::Direction::Receive,
        }
        .into(),
        task: from_task(*task),
        connection: Some(from_connection(connection)),
        offset: *offset,
        length: *length,
        payload: payload.clone(),
        shortfall: match shortfall {
            Shortfall::None => proto::Shortfall::None,
            Shortfall::Limit => proto::Shortfall::Limit,
            Shortfall::Unwanted => proto::Shortfall::Unwanted,
            Shortfall::Unreachable => proto::Shortfall::Unreachable,
            Shortfall::Fault => proto::Shortfall::Fault,
            Shortfall::Snapped => proto::Shortfall::Snapped,
        }
        .into(),
    }
}

fn to_data(data: proto::Data) -> Result<Data, &'static str> {
    Ok(Data {
        time: Timestamp(data.time),
        socket: SocketId(data.socket),
        source: match data.source() {
            proto::Source::Socket => Source::Socket,
            proto::Source::Packets => Source::Packets,
        },
        direction: match data.direction() {
            proto::Direction::Send => Direction::Send,
            proto::Direction::Receive => Direction::Receive,
        },
        shortfall: match data.shortfall() {
            proto::Shortfall::None => Shortfall::None,
            proto::Shortfall::Limit => Shortfall::Limit,
            proto::Shortfall::Unwanted => Shortfall::Unwanted,
            proto::Shortfall::Unreachable => Shortfall::Unreachable,
            proto::Shortfall::Fault => Shortfall::Fault,
            proto::Shortfall::Snapped => Shortfall::Snapped,
        },
        task: to_task(data.task),
        connection: to_connection(data.connection)?,
        offset: data.offset,
        length: data.length,
        payload: data.payload,
    })
}

fn from_opened(opened: &Opened) -> proto::Opened {
    let Opened {
        time,
        socket,
        task,
        connection,
    } = opened;
    proto::Opened {
        time: time.0,
        socket: socket.0,
        task: from_task(*task),
        connection: Some(from_connection(connection)),
    }
}

fn to_opened(opened: proto::Opened) -> Result<Opened, &'static str> {
    Ok(Opened {
        time: Timestamp(opened.time),
        socket: SocketId(opened.socket),
        task: to_task(opened.task),
        connection: to_connection(opened.connection)?,
    })
}

fn from_closed(closed: &Closed) -> proto::Closed {
    let Closed {
        time,
        socket,
        reset,
        sent,
        received,
    } = *closed;
    proto::Closed {
        time: time.0,
        socket: socket.0,
        reset,
        sent,
        received,
    }
}

fn to_closed(closed: proto::Closed) -> Closed {
    Closed {
        time: Timestamp(closed.time),
        socket: SocketId(closed.socket),
        reset: closed.reset,
        sent: closed.sent,
        received: closed.received,
    }
}

fn from_process(process: &Process) -> proto::Process {
    let Process {
        time,
        pid,
        parent_pid,
        start_time,
        service_name,
        executable,
        command_line,
        container_id,
        attributes,
    } = process;
    proto::Process {
        time: time.0,
        pid: *pid,
        parent_pid: *parent_pid,
        start_time: *start_time,
        service_name: service_name.clone(),
        executable: executable.clone(),
        command_line: command_line.clone(),
        container_id: container_id.clone(),
        attributes: attributes
            .iter()
            .map(|(key, value)| proto::Attribute {
                key: key.clone(),
                value: value.clone(),
            })
            .collect(),
    }
}

fn to_process(process: proto::Process) -> Process {
    Process {
        time: Timestamp(process.time),
        pid: process.pid,
        parent_pid: process.parent_pid,
        start_time: process.start_time,
        service_name: process.service_name,
        executable: process.executable,
        command_line: process.command_line,
        container_id: process.container_id,
        attributes: process
            .attributes
            .into_iter()
            .map(|attribute| (attribute.key, attribute.value))
            .collect(),
    }
}

fn from_woke(woke: Woke) -> proto::Woke {
    let Woke { time, by, woken } = woke;
    proto::Woke {
        time: time.0,
        by: from_task(by),
        woken: from_task(woken),
    }
}

fn to_woke(woke: proto::Woke) -> Woke {
    Woke {
        time: Timestamp(woke.time),
        by: to_task(woke.by),
        woken: to_task(woke.woken),
    }
}

fn from_lost(lost: Lost) -> proto::Lost {
    let Lost {
        time,
        count,
        reason,
    } = lost;
    proto::Lost {
        time: time.0,
        count,
        reason: match reason {
            LostReason::RingFull => proto::LostReason::RingFull,
            LostReason::MapFull => proto::LostReason::MapFull,
            LostReason::Unreadable => proto::LostReason::Unreadable,
        }
        .into(),
    }
}

fn to_lost(lost: proto::Lost) -> Result<Lost, &'static str> {
    Ok(Lost {
        time: Timestamp(lost.time),
        count: lost.count,
        reason: match lost.reason() {
            proto::LostReason::RingFull => LostReason::RingFull,
            proto::LostReason::MapFull => LostReason::MapFull,
            proto::LostReason::Unreadable => LostReason::Unreadable,
            proto::LostReason::Unknown => return Err("a loss without a known reason"),
        },
    })
}

/// A task of which nothing is known is left out.
fn from_task(task: Task) -> Option<proto::Task> {
    let Task {
        pid,
        tid,
        coroutine,
        coroutine_parent,
    } = task;
    (task != Task::default()).then_some(proto::Task {
        pid,
        tid,
        coroutine,
        coroutine_parent,
    })
}

fn to_task(task: Option<proto::Task>) -> Task {
    task.map_or_else(Task::default, |task| Task {
        pid: task.pid,
        tid: task.tid,
        coroutine: task.coroutine,
        coroutine_parent: task.coroutine_parent,
    })
}

fn from_connection(connection: &Connection) -> proto::Connection {
    let Connection {
        local,
        peer,
        sent_base,
        received_base,
        opener,
    } = *connection;
    proto::Connection {
        local: Some(from_address(local)),
        peer: Some(from_address(peer)),
        sent_base,
        received_base,
        opener: match opener {
            None => proto::Opener::Unknown,
            Some(Opener::Local) => proto::Opener::Local,
            Some(Opener::Peer) => proto::Opener::Peer,
        }
        .into(),
    }
}

fn to_connection(connection: Option<proto::Connection>) -> Result<Connection, &'static str> {
    let connection = connection.ok_or("no connection")?;
    Ok(Connection {
        opener: match connection.opener() {
            proto::Opener::Unknown => None,
            proto::Opener::Local => Some(Opener::Local),
            proto::Opener::Peer => Some(Opener::Peer),
        },
        local: to_address(connection.local)?,
        peer: to_address(connection.peer)?,
        sent_base: connection.sent_base,
        received_base: connection.received_base,
    })
}

fn from_address(address: SocketAddr) -> proto::Address {
    let (ip, flow_info, scope_id) = match address {
        SocketAddr::V4(v4) => (Bytes::copy_from_slice(&v4.ip().octets()), 0, 0),
        SocketAddr::V6(v6) => (
            Bytes::copy_from_slice(&v6.ip().octets()),
            v6.flowinfo(),
            v6.scope_id(),
        ),
    };
    proto::Address {
        ip,
        port: address.port().into(),
        flow_info,
        scope_id,
    }
}

fn to_address(address: Option<proto::Address>) -> Result<SocketAddr, &'static str> {
    let address = address.ok_or("no address")?;
    let port = u16::try_from(address.port).map_err(|_| "a port above 65535")?;
    let ip = if let Ok(v4) = <[u8; 4]>::try_from(address.ip.as_ref()) {
        IpAddr::from(v4)
    } else if let Ok(v6) = <[u8; 16]>::try_from(address.ip.as_ref()) {
        IpAddr::from(v6)
    } else {
        return Err("an IP address that is not 4 or 16 bytes");
    };
    Ok(match ip {
        IpAddr::V4(ip) => SocketAddrV4::new(ip, port).into(),
        IpAddr::V6(ip) => SocketAddrV6::new(ip, port, address.flow_info, address.scope_id).into(),
    })
}
