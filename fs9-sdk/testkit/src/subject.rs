//! A provider under test, with what it needs to live and what a test can do to its storage.
//!
//! Invariant: the provider is dropped before what it stands on.

use fs9_sdk::Provider;
use std::any::Any;

/// Opens the storage of a provider a second time, as after a restart.
type Reopen = Box<dyn Fn() -> Box<dyn Provider> + Send + Sync>;

/// A provider under test.
pub struct Subject {
    provider: Box<dyn Provider>,
    reopen: Option<Reopen>,
    break_storage: Option<Box<dyn Fn() + Send + Sync>>,
    /// Dropped last, since fields are dropped in the order of their declaration.
    _ground: Option<Box<dyn Any + Send + Sync>>,
}

impl Subject {
    /// Returns a provider under test that stands on nothing else.
    pub fn new(provider: impl Provider) -> Subject {
        Subject::from(Box::new(provider) as Box<dyn Provider>)
    }

    /// Keeps `ground` (a temporary directory, a server) alive for as long as the provider.
    #[must_use]
    pub fn standing_on(mut self, ground: impl Any + Send + Sync) -> Subject {
        self._ground = Some(Box::new(ground));
        self
    }

    /// Tells how the same storage is opened a second time, so that durability and stable ids can be tested.
    #[must_use]
    pub fn reopened_by(mut self, reopen: impl Fn() -> Box<dyn Provider> + Send + Sync + 'static) -> Subject {
        self.reopen = Some(Box::new(reopen));
        self
    }

    /// Tells how the storage is made to fail, so that the report of lost writes can be tested.
    #[must_use]
    pub fn broken_by(mut self, break_storage: impl Fn() + Send + Sync + 'static) -> Subject {
        self.break_storage = Some(Box::new(break_storage));
        self
    }

    /// Returns the provider.
    pub fn provider(&self) -> &dyn Provider {
        &*self.provider
    }

    /// Opens the storage a second time, or returns `None` where nobody said how.
    pub fn reopen(&self) -> Option<Box<dyn Provider>> {
        self.reopen.as_ref().map(|reopen| reopen())
    }

    /// Makes the storage fail from now on and returns true, or returns false where nobody said how.
    pub fn break_storage(&self) -> bool {
        self.break_storage.as_ref().map(|break_it| break_it()).is_some()
    }
}

impl From<Box<dyn Provider>> for Subject {
    fn from(provider: Box<dyn Provider>) -> Subject {
        Subject { provider, reopen: None, break_storage: None, _ground: None }
    }
}
