//! The lists of free frames, one a node and colour.

use super::word::Word;
use super::{FrameAllocator, Node};
use crate::colour::{Colour, ColourSet};

/// The free frames of one colour.
#[derive(Clone, Copy, Debug)]
pub(super) struct List {
    pub(super) head: u32,
    pub(super) count: u32,
}

impl FrameAllocator<'_> {
    /// Puts a frame at the head of its list.
    pub(super) fn push(&mut self, index: u32, node: Node) {
        let colour = self.colour_at(index);
        let shelf = &mut self.shelves[node.index()];
        let list = &mut shelf.lists[usize::from(colour.0)];
        let next = core::mem::replace(&mut list.head, index);
        list.count += 1;
        shelf.stocked |= ColourSet::only(colour).0;
        self.free += 1;
        self.set_word(index, Word::free(node, Word::LINK_END, next));
        self.link_back(next, index);
    }

    /// Takes the frame at the head of a list. Its word is stale.
    pub(super) fn pop(&mut self, node: Node, colour: Colour) -> Option<u32> {
        let index = self.shelves[node.index()].lists[usize::from(colour.0)].head;
        let (_, next) = self.word(index).links()?;
        self.shorten(node, colour, next);
        self.link_back(next, Word::LINK_END);
        Some(index)
    }

    /// Takes a free frame out of its list, wherever it lies in it; anything else
    /// is left alone. Its word is stale. O(1).
    pub(super) fn unlink(&mut self, index: u32) {
        let word = self.word(index);
        let Some((before, next)) = word.links() else { return };
        let (node, colour) = (word.node(), self.colour_at(index));
        let head = self.shelves[node.index()].lists[usize::from(colour.0)].head;
        self.shorten(node, colour, if before == Word::LINK_END { next } else { head });
        self.link_back(next, before);
        if let Some((further, _)) = self.word(before).links() {
            self.set_word(before, Word::free(self.word(before).node(), further, next));
        }
    }

    /// A list loses one frame and begins with `head`.
    fn shorten(&mut self, node: Node, colour: Colour, head: u32) {
        let shelf = &mut self.shelves[node.index()];
        let list = &mut shelf.lists[usize::from(colour.0)];
        list.head = head;
        list.count -= 1;
        self.free -= 1;
        if list.count == 0 {
            shelf.stocked &= !ColourSet::only(colour).0;
        }
    }

    /// Names the frame before a free one; at a list's end there is none.
    fn link_back(&mut self, index: u32, before: u32) {
        let word = self.word(index);
        if let Some((_, next)) = word.links() {
            self.set_word(index, Word::free(word.node(), before, next));
        }
    }
}
