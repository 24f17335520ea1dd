//! The promises of the VFS, tested through its public interface; one binary, so that it links once.
#![forbid(unsafe_code)]

#[cfg(test)]
mod bind;
#[cfg(test)]
mod control;
#[cfg(test)]
mod handles;
#[cfg(test)]
mod layers;
#[cfg(test)]
mod namespace;
#[cfg(test)]
mod pool;
#[cfg(test)]
mod support;
