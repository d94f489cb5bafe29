//! What one word says of its frame: two bits of state, three of node, the rest
//! links or owner.

use super::Owner;
use super::nodes::Node;

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

/// The word of one frame. A free frame names its neighbours in the list of its
/// node and colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Word(pub(super) u64);

impl Word {
    pub(super) const UNMANAGED: Self = Self(0);
    /// The link at either end of a list; no frame has this index.
    pub(super) const LINK_END: u32 = (1 << Self::LINK_BITS) - 1;
    const LINK_BITS: u32 = 29;
    const LINK: u64 = Self::LINK_END as u64;
    const NODE_SHIFT: u32 = 59;
    const NODE: u64 = 7 << Self::NODE_SHIFT;
    const STATE: u64 = 3 << 62;
    const FREE: u64 = 1 << 62;
    const USED: u64 = 2 << 62;

    pub(super) const fn free(node: Node, before: u32, next: u32) -> Self {
        let links = (before as u64 & Self::LINK) << Self::LINK_BITS | next as u64 & Self::LINK;
        Self(Self::FREE | Self::place(node) | links)
    }

    pub(super) const fn used(node: Node, owner: Owner) -> Self {
        Self(Self::USED | Self::place(node) | owner.0 as u64)
    }

    const fn place(node: Node) -> u64 {
        ((node.0 & 7) as u64) << Self::NODE_SHIFT
    }

    /// The node of a managed frame.
    pub(super) const fn node(self) -> Node {
        Node((self.0 >> Self::NODE_SHIFT).to_le_bytes()[0] & 7)
    }

    /// The links of a free frame, backwards and forwards; none for any other.
    #[inline]
    pub(super) const fn links(self) -> Option<(u32, u32)> {
        if self.0 & Self::STATE != Self::FREE {
            return None;
        }
        Some((Self::link(self.0 >> Self::LINK_BITS), Self::link(self.0)))
    }

    const fn link(bits: u64) -> u32 {
        let [a, b, c, d, ..] = (bits & Self::LINK).to_le_bytes();
        u32::from_le_bytes([a, b, c, d])
    }

    /// A free frame's word with another link backwards.
    #[inline]
    pub(super) const fn with_before(self, before: u32) -> Self {
        let kept = self.0 & !(Self::LINK << Self::LINK_BITS);
        Self(kept | (before as u64 & Self::LINK) << Self::LINK_BITS)
    }

    /// A free frame's word with another link forwards.
    pub(super) const fn with_next(self, next: u32) -> Self {
        Self(self.0 & !Self::LINK | next as u64 & Self::LINK)
    }

    /// The word of the same frame in somebody's use.
    #[inline]
    pub(super) const fn taken_by(self, owner: Owner) -> Self {
        Self(Self::USED | self.0 & Self::NODE | owner.0 as u64)
    }

    /// Whether it is this owner's.
    #[inline]
    pub(super) const fn belongs_to(self, owner: Owner) -> bool {
        self.0 & !Self::NODE == Self::USED | owner.0 as u64
    }

    pub(super) const fn is_free(self) -> bool {
        self.0 & Self::STATE == Self::FREE
    }

    pub(super) const fn state(self) -> FrameState {
        match self.0 & Self::STATE {
            Self::FREE => FrameState::Free,
            Self::USED => FrameState::Used(Owner(self.0.to_le_bytes()[0])),
            _ => FrameState::Unmanaged,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_word_says_what_was_put_in(node in 0u8..8, before in 0..=Word::LINK_END, next in 0..=Word::LINK_END, owner: u8) {
            let free = Word::free(Node(node), before, next);
            prop_assert_eq!((free.node(), free.links(), free.state()), (Node(node), Some((before, next)), FrameState::Free));
            let used = Word::used(Node(node), Owner(owner));
            prop_assert_eq!(free.with_before(next).with_next(before), Word::free(Node(node), next, before));
            prop_assert_eq!(free.taken_by(Owner(owner)), used);
            prop_assert!(used.belongs_to(Owner(owner)) && !free.belongs_to(Owner(owner)));
            prop_assert!(!used.belongs_to(Owner(owner.wrapping_add(1))));
            prop_assert_eq!((used.node(), used.links(), used.state()), (Node(node), None, FrameState::Used(Owner(owner))));
        }
    }
}
