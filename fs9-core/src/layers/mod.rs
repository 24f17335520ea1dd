//! Layers: what is added to a provider without its knowledge.
//!
//! A layer is an [`Interceptor`]; [`Layered`] forwards every operation through it, so that a policy is one function and
//! not thirty-six. Layers are given from the provider outwards: in `Layers::over(p).with(a).with(b)`, a call passes `b`,
//! then `a`, then reaches `p`. A namespace stacks, from the provider outwards, [`Contain`], [`Timeout`], [`ReadOnly`] if
//! asked for, and [`Metrics`], so that refused calls and panics are counted, too.

mod contain;
mod layered;
mod metrics;
mod read_only;
mod timeout;

pub use contain::Contain;
pub use layered::{Intent, Interceptor, Layered};
pub use metrics::Metrics;
pub use read_only::ReadOnly;
pub use timeout::Timeout;

use fs9_sdk::Provider;
use std::fmt;
use std::sync::Arc;

/// A provider and the layers around it, while they are put together.
pub struct Layers {
    provider: Arc<dyn Provider>,
    backing_withdrawn_by: Option<&'static str>,
}

impl Layers {
    /// Begins with a provider.
    pub fn over(provider: Arc<dyn Provider>) -> Layers {
        Layers { provider, backing_withdrawn_by: None }
    }

    /// Puts a layer around all that is there.
    #[must_use]
    pub fn with<I: Interceptor>(self, layer: I) -> Layers {
        let backing_withdrawn_by = self.backing_withdrawn_by.or(layer.withdraws_backing());
        Layers { provider: Arc::new(Layered::new(self.provider, layer)), backing_withdrawn_by }
    }

    /// Returns the innermost layer that must see data, so that no backing descriptor is lent.
    pub fn backing_withdrawn_by(&self) -> Option<&'static str> {
        self.backing_withdrawn_by
    }

    /// Returns the provider in its layers.
    pub fn build(self) -> Arc<dyn Provider> {
        self.provider
    }
}

impl fmt::Debug for Layers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Layers")
            .field("backing_withdrawn_by", &self.backing_withdrawn_by)
            .finish_non_exhaustive()
    }
}
