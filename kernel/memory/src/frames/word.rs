//! What one word says of its frame: two bits of state, thirty of link or owner.

use super::Owner;

/// How a frame stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FrameState {
    /// Not memory the allocator was given.
    Unmanaged,
    /// Nobody's.
    Free,
    /// Somebody's.
    Used(Owner),
}

/// The word of one frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Word(pub(super) u32);

impl Word {
    pub(super) const UNMANAGED: Self = Self(0);
    /// The link of the last free frame; no frame has this index.
    pub(super) const LINK_END: u32 = (1 << 30) - 1;
    const STATE: u32 = 3 << 30;
    const FREE: u32 = 1 << 30;
    const USED: u32 = 2 << 30;

    pub(super) const fn free(next: u32) -> Self {
        Self(Self::FREE | (next & Self::LINK_END))
    }

    pub(super) const fn used(owner: Owner) -> Self {
        Self(Self::USED | owner.0 as u32)
    }

    /// The link of a free frame, none for any other.
    pub(super) const fn next_free(self) -> Option<u32> {
        if self.0 & Self::STATE == Self::FREE { Some(self.0 & Self::LINK_END) } else { None }
    }

    pub(super) const fn state(self) -> FrameState {
        match self.0 & Self::STATE {
            Self::FREE => FrameState::Free,
            Self::USED => FrameState::Used(Owner(self.0.to_le_bytes()[0])),
            _ => FrameState::Unmanaged,
        }
    }
}
