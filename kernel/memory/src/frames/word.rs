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
    pub(super) const fn links(self) -> Option<(u32, u32)> {
        if self.0 & Self::STATE != Self::FREE {
            return None;
        }
        let ([a, b, c, d, ..], [e, f, g, h, ..]) =
            ((self.0 >> Self::LINK_BITS & Self::LINK).to_le_bytes(), (self.0 & Self::LINK).to_le_bytes());
        Some((u32::from_le_bytes([a, b, c, d]), u32::from_le_bytes([e, f, g, h])))
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
            prop_assert_eq!((used.node(), used.links(), used.state()), (Node(node), None, FrameState::Used(Owner(owner))));
        }
    }
}
