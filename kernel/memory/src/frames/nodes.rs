//! Memory nodes: near frames first.
//!
//! Each owner has a home node, and each node an order in which the others stand
//! in for it. Colours go before nearness: a far frame costs latency, a frame of
//! another colour costs the isolation it was asked for.

use super::lists::List;
use super::{Frame, FrameAllocator, Owner, Word};
use crate::colour::{Colour, ColourSet, Colours, MAX_COLOURS};

/// Memory nodes that are told apart; frames of further ones count to node 0.
pub const NODES: usize = 8;

/// A memory node, below [`NODES`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Node(pub u8);

impl Node {
    pub(super) const fn index(self) -> usize {
        self.0 as usize % NODES
    }
}

/// The lists of one node, by colour.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shelf {
    pub(super) lists: [List; MAX_COLOURS as usize],
    /// Bit `c` is set when the list of colour `c` has a frame.
    pub(super) stocked: u64,
    /// Nodes to take from, this one first.
    pub(super) order: [Node; NODES],
}

impl Shelf {
    pub(super) const EMPTY: Self = Self {
        lists: [List { head: Word::LINK_END, count: 0 }; MAX_COLOURS as usize],
        stocked: 0,
        order: [Node(0); NODES],
    };

    /// One empty shelf a node; each node takes from itself, then from the
    /// others in ascending order.
    pub(super) fn empty() -> [Self; NODES] {
        let mut shelves = [Self::EMPTY; NODES];
        for (node, shelf) in (0u8..).zip(&mut shelves) {
            let others = (0u8..).take(NODES).filter(|other| *other != node);
            for (place, from) in shelf.order.iter_mut().zip(core::iter::once(node).chain(others)) {
                *place = Node(from);
            }
        }
        shelves
    }
}

impl FrameAllocator<'_> {
    /// The owner's frames are to come from `node`, as long as it has any. Nodes
    /// there are not count as node 0.
    pub fn settle_at(&mut self, owner: Owner, node: Node) {
        self.home[usize::from(owner.0)] = if node.index() == usize::from(node.0) { node } else { Node(0) };
    }

    /// The node that the owner's frames come from first.
    #[must_use]
    pub const fn home_of(&self, owner: Owner) -> Node {
        self.home[owner.0 as usize]
    }

    /// Where `node` takes frames from when it has none left: `others`, nearest
    /// first, then all that are not named. Bound: the nodes, squared.
    pub fn prefer(&mut self, node: Node, others: impl Iterator<Item = Node>) {
        let mut order = [node; NODES];
        let mut named = 1u32 << node.index();
        let mut place = 1;
        let rest = (0u8..).take(NODES).map(Node);
        for other in others.chain(rest).filter(|other| usize::from(other.0) < NODES) {
            let is_new = named & 1 << other.index() == 0;
            if let Some(slot) = order.get_mut(place).filter(|_| is_new) {
                *slot = other;
                named |= 1 << other.index();
                place += 1;
            }
        }
        self.shelves[node.index()].order = order;
    }

    /// The node of a frame; none where it is not managed.
    #[must_use]
    pub fn node_of(&self, frame: Frame) -> Option<Node> {
        let word = self.word(frame.0.checked_sub(self.first.0)?);
        (word != Word::UNMANAGED).then(|| word.node())
    }

    /// Free frames of one node.
    #[must_use]
    pub fn free_on(&self, node: Node) -> u32 {
        self.shelves[node.index()].lists.iter().map(|list| list.count).sum()
    }

    /// Sorts frames by other colours and nodes. Owners keep what they have.
    /// Looks at every word once: for boot only. Caches made before are not to be
    /// used any more.
    pub fn resort(&mut self, colours: Colours, node_of: impl Fn(Frame) -> Node) {
        self.colours = colours;
        for shelf in &mut self.shelves {
            let order = shelf.order;
            *shelf = Shelf { order, ..Shelf::EMPTY };
        }
        self.free = 0;
        for index in (0..u32::try_from(self.words.len()).unwrap_or(0)).rev() {
            let node = Node(node_of(Frame(self.first.0 + index)).0 % 8);
            match self.word(index).state() {
                super::FrameState::Unmanaged => {}
                super::FrameState::Free => self.push(index, node),
                super::FrameState::Used(owner) => self.set_word(index, Word::used(node, owner)),
            }
        }
    }

    /// The first stocked colour of the set at or after the owner's turn, else
    /// the first of all, on the nearest node that has any; the turn moves past
    /// it. Bound: the nodes.
    #[inline]
    pub(super) fn next_list(
        &mut self,
        colours: ColourSet,
        owner: Owner,
        home: Node,
    ) -> Option<(Node, Colour)> {
        let shelf = &self.shelves[home.index()];
        let near = colours.0 & shelf.stocked;
        let (node, candidates) = if near == 0 { self.elsewhere(colours, home)? } else { (home, near) };
        let turn = &mut self.turn[usize::from(owner.0)];
        let later = candidates & (u64::MAX << *turn);
        let chosen = if later == 0 { candidates } else { later }.trailing_zeros().to_le_bytes()[0];
        *turn = (chosen + 1) % 64;
        Some((node, Colour(chosen)))
    }

    #[cold]
    fn elsewhere(&self, colours: ColourSet, home: Node) -> Option<(Node, u64)> {
        let order = &self.shelves[home.index()].order;
        let stocked = |node: &Node| (*node, colours.0 & self.shelves[node.index()].stocked);
        order.iter().map(stocked).find(|(_, candidates)| *candidates != 0)
    }
}
