//! The `fs9` command as a user meets it: the real binary, real mounts, each in a directory of its own that is unmounted
//! whatever happens.
#![forbid(unsafe_code)]

#[cfg(test)]
mod access_log;
#[cfg(test)]
mod bad_input;
#[cfg(test)]
mod configuration;
#[cfg(test)]
mod control;
#[cfg(test)]
mod doctor;
#[cfg(test)]
mod ending;
#[cfg(test)]
mod lifecycle;
#[cfg(test)]
mod mount_program;
#[cfg(test)]
mod ordinary_user;
#[cfg(test)]
mod remount;
#[cfg(test)]
mod scratch;
#[cfg(test)]
mod status;
#[cfg(test)]
mod top;
