//! What a walk may look at besides the packet's key.

use super::FrozenWalks;
use crate::flow::extract;
use crate::table::Pipeline;

/// What happens to fragments.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Fragments {
    /// Fragments, the first included, are looked up with no transport fields.
    #[default]
    Normal,
    /// Fragments are dropped.
    Drop,
    /// The first fragment has its transport fields.
    NxMatch,
}

impl Fragments {
    /// How a packet is read under this setting.
    pub const fn on_extract(self) -> extract::Fragments {
        match self {
            Self::Normal | Self::Drop => extract::Fragments::Normal,
            Self::NxMatch => extract::Fragments::NxMatch,
        }
    }
}

/// Settings that change what a walk decides.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    pub fragments: Fragments,
    /// A packet that no rule matches goes to the controller (OpenFlow 1.0) instead of being lost.
    pub miss_to_controller: bool,
    /// Whether packets whose TTL expires go to the controller.
    pub invalid_ttl_to_controller: bool,
}

/// The tables and settings of one walk.
#[derive(Clone, Copy)]
pub struct Context<'a> {
    pub pipeline: &'a Pipeline,
    pub settings: &'a Settings,
    pub frozen: &'a FrozenWalks,
}
