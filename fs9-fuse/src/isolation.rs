//! Calls into providers: a panic of theirs is an error, not the end of a thread.

use fs9_sdk::{Error, ErrorKind, Result};
use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Calls into a provider. A panic becomes `EIO` and a line in the log.
pub(crate) fn guarded<T>(f: impl FnOnce() -> Result<T>) -> Result<T> {
    // What a panicking provider leaves behind is its own; ours is not touched by the call.
    match catch_unwind(AssertUnwindSafe(f)) {
        Ok(result) => result,
        Err(payload) => {
            let message = message_of(&*payload);
            tracing::error!(message, "a provider panicked");
            Err(Error::new(ErrorKind::Io).because(format!("the provider panicked: {message}")))
        }
    }
}

/// Does a request so that a broken promise of ours ends it and not the thread: its reply, dropped unused, is `EIO`.
pub(crate) fn contained(f: impl FnOnce()) {
    // What the request changed is in tables that hold no lock across it.
    if let Err(payload) = catch_unwind(AssertUnwindSafe(f)) {
        tracing::error!(message = message_of(&*payload), "a request broke a promise of the frontend");
    }
}

fn message_of(payload: &(dyn Any + Send)) -> &str {
    match (payload.downcast_ref::<&str>(), payload.downcast_ref::<String>()) {
        (Some(message), _) => message,
        (None, Some(message)) => message,
        (None, None) => "no message",
    }
}

#[cfg(test)]
mod tests {
    use super::{contained, guarded};
    use fs9_sdk::{ErrorKind, Result};

    #[test]
    fn a_panic_becomes_an_io_error_that_tells_its_message() {
        let error = guarded(|| -> Result<()> { panic!("broken {}", 7) }).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Io);
        assert!(error.to_string().ends_with("the provider panicked: broken 7"));
    }

    #[test]
    fn a_broken_promise_ends_with_its_request() {
        let mut begun = false;
        contained(|| {
            begun = true;
            panic!("never to happen");
        });
        assert!(begun);
    }

    #[test]
    fn results_pass_unchanged() {
        assert_eq!(guarded(|| Ok(5)).unwrap(), 5);
        assert_eq!(
            guarded(|| Err::<(), _>(ErrorKind::NotFound.into())).unwrap_err().kind(),
            ErrorKind::NotFound
        );
    }
}
