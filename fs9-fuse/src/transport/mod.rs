//! Ways between the kernel and the [`Frontend`](crate::Frontend): `/dev/fuse` and rings of io_uring. Both decode requests,
//! hand them to the frontend and encode its answers, by [`protocol`](crate::protocol), and do nothing else.

mod asked;
mod awake;
mod backing;
mod device;
mod device_loop;
mod device_reply;
mod handshake;
mod kernel_cache;
mod linger;
mod listing;
mod mailbox;
mod processors;
mod readers;
mod rings;
mod server;

pub(crate) use awake::Awake;
use device::Device;
use device_loop::DeviceLoop;
use readers::Readers;
use rings::Rings;
use server::Server;

use crate::options::{IoUring, THREADS_DEFAULT};
use crate::{Frontend, KernelCache};
use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;

/// A connection to the kernel by which requests come.
pub(crate) struct Transport {
    server: Server,
    readers: Arc<Readers>,
    rings: Option<Rings>,
}

/// Sets the kernel up for rings if they are asked for by name: it makes its offer when a file system is made.
///
/// # Errors
/// Those of setting it up, with what to do.
pub(crate) fn set_up_rings(wanted: IoUring) -> io::Result<()> {
    rings::is_enabled(wanted).map(drop).map_err(|error| by_name(&error))
}

impl Transport {
    /// Agrees with the kernel on how to talk. Nothing is answered before [`Transport::serve`].
    ///
    /// # Errors
    /// Those of the device; a kernel that is too old; those of rings, if they were asked for by name.
    pub(crate) fn connect(device: OwnedFd, frontend: Arc<Frontend>, awake: Awake) -> io::Result<Transport> {
        let device = Arc::new(Device::new(device));
        let rings = prepare_rings(&device, frontend.options().io_uring)?;
        let payload_max = rings.as_ref().map(Rings::payload_max);
        let agreement = handshake::shake_hands(&device, &frontend, payload_max)?;
        let server = Server { frontend, device, dialect: agreement.dialect };
        let rings = register_rings(rings, &agreement, &server)?;
        let readers = match &rings {
            Some(rings) => {
                rings.poll_with(awake);
                // Besides rings, the device only brings what is to be forgotten and interrupted.
                Readers::new(1, Awake::default())
            }
            None => {
                Readers::new(server.frontend.options().max_threads.unwrap_or(THREADS_DEFAULT).max(1), awake)
            }
        };
        Ok(Transport { server, readers, rings })
    }

    /// Returns what makes the kernel forget.
    pub(crate) fn kernel_cache(&self) -> Arc<dyn KernelCache> {
        let Server { device, dialect, .. } = &self.server;
        Arc::new(kernel_cache::DeviceCache { device: Arc::clone(device), dialect: *dialect })
    }

    /// Returns whether requests come by rings.
    pub(crate) fn has_rings(&self) -> bool {
        self.rings.is_some()
    }

    /// Answers the kernel until the mount is gone.
    ///
    /// # Errors
    /// What ends the connection other than unmounting.
    pub(crate) fn serve(self) -> io::Result<()> {
        let Transport { server, readers, rings } = self;
        match &rings {
            Some(rings) => rings.open(),
            None => readers.read_from(server.device.try_clone()?),
        }
        let each = |index: usize| {
            let device = match server.frontend.options().clone_fd && index > 0 {
                true => Arc::new(server.device.another()?),
                false => Arc::clone(&server.device),
            };
            let pace = if rings.is_some() { device_loop::Pace::Seldom } else { device_loop::Pace::Quick };
            Ok::<_, io::Error>(DeviceLoop::new(server.clone(), device, Arc::clone(&readers), pace))
        };
        let others = (1..readers.threads()).map(each).collect::<io::Result<Vec<DeviceLoop>>>()?;
        let mut result = Ok(());
        std::thread::scope(|scope| {
            let start = |this: DeviceLoop| {
                let builder = std::thread::Builder::new().name("fs9-request".into());
                builder.spawn_scoped(scope, move || this.run())
            };
            let started = others.into_iter().map(start).collect::<Vec<_>>();
            result = each(0).and_then(DeviceLoop::run);
            for thread in started {
                let ended = thread.and_then(|thread| thread.join().unwrap_or_else(|_| Err(panicked())));
                if result.is_ok() {
                    result = ended;
                }
            }
        });
        if let Some(rings) = rings {
            // Threads of rings end when all that they took is answered, which a wait for a lock may never be.
            server.frontend.interrupt_all();
            rings.join();
        }
        result
    }
}

fn panicked() -> io::Error {
    io::Error::other("a thread that takes requests panicked")
}

/// Makes rings, where they are wanted.
fn prepare_rings(device: &Device, wanted: IoUring) -> io::Result<Option<Rings>> {
    if wanted == IoUring::Off {
        return Ok(None);
    }
    let prepared = rings::is_enabled(wanted)
        .and_then(|is_enabled| if is_enabled { Rings::prepare(device).map(Some) } else { Ok(None) });
    without_if_optional(wanted, prepared)
}

/// Registers rings that the kernel agreed to.
fn register_rings(
    rings: Option<Rings>,
    agreement: &handshake::Agreement,
    server: &Server,
) -> io::Result<Option<Rings>> {
    let wanted = server.frontend.options().io_uring;
    let Some(rings) = rings else { return Ok(None) };
    let registered = match agreement.rings {
        true => rings.register(server.clone()).map(|()| Some(rings)),
        false => Err(io::Error::new(io::ErrorKind::Unsupported, "the kernel does not offer it")),
    };
    without_if_optional(wanted, registered)
}

/// Goes on without rings where they were not asked for by name.
fn without_if_optional(wanted: IoUring, result: io::Result<Option<Rings>>) -> io::Result<Option<Rings>> {
    match result {
        Err(error) if wanted == IoUring::Auto => {
            tracing::info!(%error, "requests come by /dev/fuse, not by io_uring: fs9 doctor tells more");
            Ok(None)
        }
        Err(error) => Err(by_name(&error)),
        Ok(rings) => Ok(rings),
    }
}

fn by_name(error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("io_uring=on: {error}"))
}
