//! The inode ioctls that file systems share. All others are refused: a command's meaning is known only to whoever
//! defined it, and the daemon would issue it with its own rights.

use crate::LocalProvider;
use crate::stat::Stat;
use fs9_sdk::{Call, ErrorKind, FileHandle, IoctlReply, IoctlRequest, OpenNode, Result};
use fs9_sys::{
    ExtendedFlags, extended_flags, inode_flags, inode_version, set_extended_flags, set_inode_flags,
};
use rustix::fd::{AsFd, BorrowedFd};

/// `FS_IOC_GETFLAGS`, 64 and 32 bits.
const GET_FLAGS: [u32; 2] = [0x8008_6601, 0x8004_6601];
/// `FS_IOC_SETFLAGS`, 64 and 32 bits.
const SET_FLAGS: [u32; 2] = [0x4008_6602, 0x4004_6602];
/// `FS_IOC_GETVERSION`, 64 and 32 bits.
const GET_VERSION: [u32; 2] = [0x8008_7601, 0x8004_7601];
/// `FS_IOC_FSGETXATTR`.
const GET_EXTENDED: u32 = 0x801c_581f;
/// `FS_IOC_FSSETXATTR`.
const SET_EXTENDED: u32 = 0x401c_5820;

/// `FS_IMMUTABLE_FL | FS_APPEND_FL`: for root alone (`ioctl_iflags(2)`).
const ROOT_FLAGS: u32 = 0x10 | 0x20;
/// `FS_XFLAG_IMMUTABLE | FS_XFLAG_APPEND`.
const ROOT_EXTENDED_FLAGS: u32 = 0x08 | 0x10;

impl LocalProvider {
    pub(crate) fn do_ioctl(
        &self,
        call: &Call,
        file: OpenNode,
        request: IoctlRequest<'_>,
    ) -> Result<IoctlReply> {
        self.with_open(file.handle, |file| {
            let output = match request.command {
                command if GET_FLAGS.contains(&command) => inode_flags(file)?.to_ne_bytes().to_vec(),
                command if GET_VERSION.contains(&command) => inode_version(file)?.to_ne_bytes().to_vec(),
                GET_EXTENDED => extended_flags(file)?.to_vec(),
                command if SET_FLAGS.contains(&command) => {
                    self.set_flags(call, file, word(request.input)?)?;
                    Vec::new()
                }
                SET_EXTENDED => {
                    self.set_extended(call, file, request.input)?;
                    Vec::new()
                }
                _ => return Err(ErrorKind::InappropriateIoctl.into()),
            };
            Ok(IoctlReply { result: 0, output: fitted(output, request.output_max) })
        })
    }

    fn set_flags(&self, call: &Call, file: BorrowedFd<'_>, flags: u32) -> Result<()> {
        self.writable()?;
        let changed = inode_flags(file)? ^ flags;
        may_change(call, file, changed & ROOT_FLAGS != 0)?;
        Ok(set_inode_flags(file, flags)?)
    }

    fn set_extended(&self, call: &Call, file: BorrowedFd<'_>, input: &[u8]) -> Result<()> {
        self.writable()?;
        let wanted: &ExtendedFlags = input.first_chunk().ok_or(ErrorKind::InvalidArgument)?;
        let present = extended_flags(file)?;
        let changed = word(&present)? ^ word(wanted)?;
        // The project id decides whose quota is charged; giving it away is root's business.
        let project_changes = present[12..16] != wanted[12..16];
        may_change(call, file, changed & ROOT_EXTENDED_FLAGS != 0 || project_changes)?;
        Ok(set_extended_flags(file, wanted)?)
    }

    /// Does something with the descriptor of an open file or directory.
    fn with_open<T>(&self, handle: FileHandle, f: impl FnOnce(BorrowedFd<'_>) -> Result<T>) -> Result<T> {
        match self.files.get(handle) {
            Some(open) => f(open.descriptor.as_fd()),
            None => f(self.files.directory(handle)?.descriptor.as_fd()),
        }
    }
}

/// The kernel checks the ioctls that it knows; this holds for whatever else calls the provider.
fn may_change(call: &Call, file: BorrowedFd<'_>, needs_root: bool) -> Result<()> {
    let uid = call.caller.uid;
    if uid == 0 || (!needs_root && Stat::of(file)?.uid() == uid) {
        return Ok(());
    }
    Err(ErrorKind::NotPermitted.into())
}

fn word(bytes: &[u8]) -> Result<u32> {
    let word = bytes.first_chunk().ok_or(ErrorKind::InvalidArgument)?;
    Ok(u32::from_ne_bytes(*word))
}

/// Pads a reply to what the caller takes back: some commands are defined with a long and filled with an int.
fn fitted(mut output: Vec<u8>, output_max: usize) -> Vec<u8> {
    if !output.is_empty() {
        output.resize(output_max.min(size_of::<ExtendedFlags>()), 0);
    }
    output
}
