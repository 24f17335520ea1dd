//! Notifications, byte by byte.

use super::request::Field::{D, W};
use super::{NEWEST, OLDEST, record};
use crate::Ino;
use crate::protocol::{Dialect, Notification as N};

fn encoded(notification: N<'_>, dialect: Dialect) -> Vec<u8> {
    let mut buffer = b"before".to_vec();
    notification.encode(dialect, &mut buffer);
    buffer.split_off(6)
}

/// Checks a notification of the newest kernel: its number, its record, and what follows that.
#[track_caller]
fn says(notification: N<'_>, code: u32, fields: &[super::request::Field], data: &[u8]) {
    let body = [record(fields), data.to_vec()].concat();
    let header = record(&[W(16 + body.len() as u32), W(code), D(0)]);
    assert_eq!(encoded(notification, NEWEST), [header, body].concat());
}

#[test]
fn each_notification_has_its_number_and_its_record() {
    let (ino, parent, name) = (Ino(5), Ino(6), &b"name"[..]);
    says(N::Poll { kernel: 7 }, 1, &[D(7)], b"");
    let inode = N::InvalidateInode { ino, offset: -1, length: 9 };
    says(inode, 2, &[D(5), D(u64::MAX), D(9)], b"");
    for (expire, flags) in [(false, 0), (true, 1)] {
        let entry = N::InvalidateEntry { parent, name, expire };
        says(entry, 3, &[D(6), W(4), W(flags)], b"name\0");
    }
    says(N::Store { ino, offset: 10, data: b"data" }, 4, &[D(5), D(10), W(4), W(0)], b"data");
    let retrieve = N::Retrieve { unique: 11, ino, offset: 12, size: 13 };
    says(retrieve, 5, &[D(11), D(5), D(12), W(13), W(0)], b"");
    says(N::Delete { parent, child: ino, name }, 6, &[D(6), D(5), W(4), W(0)], b"name\0");
    says(N::Resend, 7, &[], b"");
    says(N::IncrementEpoch, 8, &[], b"");
    let inos = [Ino(14), Ino(15)];
    says(N::Prune { inos: &inos }, 9, &[W(2), W(0), D(0)], &record(&[D(14), D(15)]));
}

#[test]
fn an_entry_does_not_expire_where_the_kernel_cannot_do_that() {
    let entry = |expire| N::InvalidateEntry { parent: Ino(6), name: b"name", expire };
    assert_eq!(encoded(entry(true), OLDEST), encoded(entry(false), OLDEST));
    assert_ne!(encoded(entry(true), NEWEST), encoded(entry(false), NEWEST));
}

#[test]
fn older_kernels_do_not_know_the_newer_ones() {
    let at = |minor| Dialect { minor, ..OLDEST };
    let prune = N::Prune { inos: &[] };
    assert!(N::Resend.is_known(NEWEST) && !N::Resend.is_known(at(45)));
    assert!(N::IncrementEpoch.is_known(at(44)) && !N::IncrementEpoch.is_known(at(43)));
    assert!(prune.is_known(at(45)) && !prune.is_known(at(44)));
    assert!(N::Poll { kernel: 1 }.is_known(OLDEST));
}
