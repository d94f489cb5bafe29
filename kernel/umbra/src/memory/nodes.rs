//! Which memory is of which node, and whose frames come from where.

use core::ops::Range;

use heapless::Vec;
use umbra_memory::{Colours, Frame, NODES, Node, Owner};

use super::{Areas, Memory, with};
use crate::hardware::nodes::Nodes;

/// Ranges of memory nodes that are kept; memory of others counts to node 0.
const NODE_RANGES: usize = 32;

/// Memory and its node.
pub(super) type Ranges = Vec<(Range<u64>, Node), NODE_RANGES>;

/// Sorts frames by the platform's nodes, once they are known. Without any,
/// everything is node 0 and nothing is done.
pub(crate) fn learn_nodes(nodes: &Nodes) {
    if nodes.count() < 2 {
        return;
    }
    with(|memory| {
        memory.nodes = nodes
            .ranges()
            .filter_map(|(range, node)| {
                Some((range, Node(u8::try_from(node).ok().filter(|n| usize::from(*n) < NODES)?)))
            })
            .take(NODE_RANGES)
            .collect();
        memory.resort(memory.frames.colours());
        for node in 0..nodes.count().min(NODES) {
            let mut others: Vec<usize, NODES> =
                (0..nodes.count().min(NODES)).filter(|other| *other != node).collect();
            let distance = |other: &usize| nodes.distances(node).get(*other).copied().unwrap_or(u8::MAX);
            others.sort_unstable_by_key(distance);
            let number = |node: usize| Node(u8::try_from(node).unwrap_or(0));
            memory.frames.prefer(number(node), others.iter().map(|other| number(*other)));
        }
    });
}

/// The frames of `owner` come from `node` first, from now on.
pub(crate) fn settle_at(owner: Owner, node: usize) {
    let node = Node(u8::try_from(node).unwrap_or(0));
    with(|memory| memory.frames.settle_at(owner, node));
}

/// The nodes that the pages of a task's areas lie on, one bit each. A look at
/// each page.
pub(crate) fn nodes_under(areas: &Areas) -> u64 {
    with(|memory| {
        let node = |page: u32| {
            let frame = memory.space.translate(areas.page(page)).and_then(Frame::containing);
            frame.and_then(|frame| memory.frames.node_of(frame))
        };
        (0..areas.pages()).filter_map(node).fold(0, |set, node| set | 1 << (node.0 % 64))
    })
    .unwrap_or(0)
}

/// Free frames of a node.
pub(crate) fn free_on(node: usize) -> u32 {
    let node = u8::try_from(node).ok().filter(|node| usize::from(*node) < NODES);
    node.and_then(|node| with(|memory| memory.frames.free_on(Node(node)))).unwrap_or(0)
}

impl Memory {
    /// Sorts frames by colours and by the nodes that are known.
    pub(super) fn resort(&mut self, colours: Colours) {
        let nodes = &self.nodes;
        self.frames.resort(colours, |frame| {
            let of = nodes.iter().find(|(range, _)| range.contains(&frame.address()));
            of.map_or(Node(0), |(_, node)| *node)
        });
    }
}
