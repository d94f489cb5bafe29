//! The lists of free frames, one a node and colour.
//!
//! The link backwards of a list's first frame means nothing, so that taking
//! that one, the usual case, leaves the next frame's word alone.

use core::sync::atomic::Ordering;

use super::word::Word;
use super::{FrameAllocator, Node};
use crate::colour::Colour;

/// The free frames of one colour.
#[derive(Clone, Copy, Debug)]
pub(super) struct List {
    pub(super) head: u32,
    pub(super) count: u32,
}

impl FrameAllocator<'_> {
    /// Puts a frame at the head of its list.
    #[inline]
    pub(super) fn push(&mut self, index: u32, node: Node) {
        let colour = self.colour_at(index);
        let shelf = &mut self.shelves[node.index()];
        let list = &mut shelf.lists[colour.index()];
        let next = core::mem::replace(&mut list.head, index);
        list.count += 1;
        shelf.stocked |= 1 << colour.index();
        self.free += 1;
        self.set_word(index, Word::free(node, Word::LINK_END, next));
        self.link_back(next, index);
    }

    /// Takes the frame at the head of a list. Its word is stale.
    #[inline]
    pub(super) fn pop(&mut self, node: Node, colour: Colour) -> Option<u32> {
        let index = self.shelves[node.index()].lists[colour.index()].head;
        let (_, next) = self.word(index).links()?;
        self.shorten(node, colour, next);
        Some(index)
    }

    /// Takes a free frame out of its list, wherever it lies in it; anything else
    /// is left alone. Its word is stale. O(1).
    pub(super) fn unlink(&mut self, index: u32) {
        let word = self.word(index);
        let Some((before, next)) = word.links() else { return };
        let (node, colour) = (word.node(), self.colour_at(index));
        let head = self.shelves[node.index()].lists[colour.index()].head;
        if head == index {
            return self.shorten(node, colour, next);
        }
        self.shorten(node, colour, head);
        self.link_back(next, before);
        if let Some(place) = self.words.get(before as usize) {
            let word = Word(place.load(Ordering::Relaxed));
            place.store(word.with_next(next).0, Ordering::Relaxed);
        }
    }

    /// A list loses one frame and begins with `head`.
    #[inline]
    fn shorten(&mut self, node: Node, colour: Colour, head: u32) {
        let shelf = &mut self.shelves[node.index()];
        let list = &mut shelf.lists[colour.index()];
        list.head = head;
        list.count -= 1;
        self.free -= 1;
        shelf.stocked &= !(u64::from(list.count == 0) << colour.index());
    }

    /// Names the frame before a free one; at a list's end there is none, and no
    /// word has that index.
    #[inline]
    fn link_back(&mut self, index: u32, before: u32) {
        if let Some(place) = self.words.get(index as usize) {
            let word = Word(place.load(Ordering::Relaxed));
            place.store(word.with_before(before).0, Ordering::Relaxed);
        }
    }
}
