//! Every call that sends or receives on a socket.

use std::io::{Read, Write};
use std::os::fd::{AsRawFd, RawFd};

pub(crate) type Call = unsafe fn(RawFd, &mut [u8]) -> isize;

fn vector(bytes: &mut [u8]) -> Vec<libc::iovec> {
    let third = bytes.len() / 3;
    let (first, rest) = bytes.split_at_mut(third);
    let (second, third) = rest.split_at_mut(1);
    [first, second, &mut [], third]
        .into_iter()
        .map(|piece| libc::iovec {
            iov_base: piece.as_mut_ptr().cast(),
            iov_len: piece.len(),
        })
        .collect()
}

unsafe fn message(vector: &mut [libc::iovec]) -> libc::msghdr {
    let mut message: libc::msghdr = unsafe { std::mem::zeroed() };
    message.msg_iov = vector.as_mut_ptr();
    message.msg_iovlen = vector.len();
    message
}

unsafe fn write(fd: RawFd, bytes: &mut [u8]) -> isize {
    unsafe { libc::write(fd, bytes.as_ptr().cast(), bytes.len()) }
}

unsafe fn writev(fd: RawFd, bytes: &mut [u8]) -> isize {
    let pieces = vector(bytes);
    unsafe { libc::writev(fd, pieces.as_ptr(), 4) }
}

unsafe fn send(fd: RawFd, bytes: &mut [u8]) -> isize {
    unsafe { libc::send(fd, bytes.as_ptr().cast(), bytes.len(), libc::MSG_NOSIGNAL) }
}

unsafe fn sendmsg(fd: RawFd, bytes: &mut [u8]) -> isize {
    let mut pieces = vector(bytes);
    unsafe { libc::sendmsg(fd, &message(&mut pieces), 0) }
}

unsafe fn sendmmsg(fd: RawFd, bytes: &mut [u8]) -> isize {
    let mut pieces = vector(bytes);
    let mut header = libc::mmsghdr {
        msg_hdr: unsafe { message(&mut pieces) },
        msg_len: 0,
    };
    let done = unsafe { libc::sendmmsg(fd, &raw mut header, 1, 0) };
    if done == 1 {
        isize::try_from(header.msg_len).unwrap()
    } else {
        -1
    }
}

unsafe fn sendfile(fd: RawFd, bytes: &mut [u8]) -> isize {
    let file = memory_file(bytes);
    let mut offset = 0;
    unsafe { libc::sendfile(fd, file.as_raw_fd(), &raw mut offset, bytes.len()) }
}

unsafe fn pwritev2(fd: RawFd, bytes: &mut [u8]) -> isize {
    let pieces = vector(bytes);
    unsafe { libc::pwritev2(fd, pieces.as_ptr(), 4, -1, 0) }
}

unsafe fn splice_in(fd: RawFd, bytes: &mut [u8]) -> isize {
    let (reader, mut writer) = std::io::pipe().unwrap();
    writer.write_all(bytes).unwrap();
    let null = std::ptr::null_mut();
    unsafe { libc::splice(reader.as_raw_fd(), null, fd, null, bytes.len(), 0) }
}

pub(crate) unsafe fn splice_out(fd: RawFd, bytes: &mut [u8]) -> isize {
    let (mut reader, writer) = std::io::pipe().unwrap();
    let null = std::ptr::null_mut();
    let length = unsafe { libc::splice(fd, null, writer.as_raw_fd(), null, bytes.len(), 0) };
    reader.read_exact(bytes).unwrap();
    length
}

unsafe fn read(fd: RawFd, bytes: &mut [u8]) -> isize {
    unsafe { libc::read(fd, bytes.as_mut_ptr().cast(), bytes.len()) }
}

unsafe fn readv(fd: RawFd, bytes: &mut [u8]) -> isize {
    let pieces = vector(bytes);
    unsafe { libc::readv(fd, pieces.as_ptr(), 4) }
}

unsafe fn recv(fd: RawFd, bytes: &mut [u8]) -> isize {
    unsafe { libc::recv(fd, bytes.as_mut_ptr().cast(), bytes.len(), 0) }
}

unsafe fn recv_and_discard(fd: RawFd, bytes: &mut [u8]) -> isize {
    unsafe { libc::recv(fd, bytes.as_mut_ptr().cast(), bytes.len(), libc::MSG_TRUNC) }
}

unsafe fn recvmsg(fd: RawFd, bytes: &mut [u8]) -> isize {
    let mut pieces = vector(bytes);
    unsafe { libc::recvmsg(fd, &mut message(&mut pieces), 0) }
}

unsafe fn recvmmsg(fd: RawFd, bytes: &mut [u8]) -> isize {
    let mut pieces = vector(bytes);
    let mut header = libc::mmsghdr {
        msg_hdr: unsafe { message(&mut pieces) },
        msg_len: 0,
    };
    let done = unsafe { libc::recvmmsg(fd, &raw mut header, 1, 0, std::ptr::null_mut()) };
    if done == 1 {
        isize::try_from(header.msg_len).unwrap()
    } else {
        -1
    }
}

unsafe fn peek_then_recv(fd: RawFd, bytes: &mut [u8]) -> isize {
    unsafe {
        libc::recv(fd, bytes.as_mut_ptr().cast(), bytes.len(), libc::MSG_PEEK);
        libc::recv(fd, bytes.as_mut_ptr().cast(), bytes.len(), 0)
    }
}

unsafe fn preadv2(fd: RawFd, bytes: &mut [u8]) -> isize {
    let pieces = vector(bytes);
    unsafe { libc::preadv2(fd, pieces.as_ptr(), 4, -1, 0) }
}

unsafe fn uring_send(fd: RawFd, bytes: &mut [u8]) -> isize {
    let fd = io_uring::types::Fd(fd);
    unsafe { uring(&io_uring::opcode::Send::new(fd, bytes.as_ptr(), bytes.len() as u32).build()) }
}

unsafe fn uring_recv(fd: RawFd, bytes: &mut [u8]) -> isize {
    let fd = io_uring::types::Fd(fd);
    let length = bytes.len() as u32;
    unsafe { uring(&io_uring::opcode::Recv::new(fd, bytes.as_mut_ptr(), length).build()) }
}

unsafe fn uring_worker_recv(fd: RawFd, bytes: &mut [u8]) -> isize {
    let fd = io_uring::types::Fd(fd);
    let length = bytes.len() as u32;
    let entry = io_uring::opcode::Recv::new(fd, bytes.as_mut_ptr(), length).build();
    unsafe { uring(&entry.flags(io_uring::squeue::Flags::ASYNC)) }
}

unsafe fn uring(entry: &io_uring::squeue::Entry) -> isize {
    let mut ring = io_uring::IoUring::new(2).unwrap();
    unsafe { ring.submission().push(entry).unwrap() };
    ring.submit_and_wait(1).unwrap();
    let result = ring.completion().next().unwrap().result();
    isize::try_from(result).unwrap()
}

fn memory_file(bytes: &[u8]) -> std::fs::File {
    use std::os::fd::FromRawFd;
    let fd = unsafe { libc::memfd_create(c"body".as_ptr(), 0) };
    assert!(fd >= 0);
    let mut file = unsafe { std::fs::File::from_raw_fd(fd) };
    file.write_all(bytes).unwrap();
    file
}

pub(crate) const SENDING: [(&str, Call, bool); 9] = [
    ("write", write, true),
    ("send", send, true),
    ("writev", writev, true),
    ("pwritev2", pwritev2, true),
    ("sendmsg", sendmsg, true),
    ("sendmmsg", sendmmsg, false),
    ("sendfile", sendfile, false),
    ("splice", splice_in, false),
    ("io_uring", uring_send, false),
];

pub(crate) const RECEIVING: [(&str, Call, bool); 10] = [
    ("read", read, true),
    ("recv", recv, true),
    ("recv after MSG_PEEK", peek_then_recv, true),
    ("readv", readv, true),
    ("preadv2", preadv2, true),
    ("recvmsg", recvmsg, true),
    ("recvmmsg", recvmmsg, false),
    ("recv with MSG_TRUNC", recv_and_discard, false),
    ("io_uring", uring_recv, false),
    ("io_uring's worker", uring_worker_recv, false),
];
