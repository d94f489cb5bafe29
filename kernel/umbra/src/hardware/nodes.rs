//! Memory nodes: which processors and which memory are near each other, from
//! SRAT, SLIT and HMAT. Without a sound SRAT everything is one node.

use heapless::Vec;
use umbra_hw::acpi::{Hmat, MemoryAffinity, MemoryCost, Physical, Problem, Slit, Srat, Tables};

use crate::cores::MAX_CORES;

/// Nodes that are kept; more are reported and left out.
pub(crate) const NODES: usize = 16;
/// Ranges of memory that are kept.
const RANGES: usize = 64;

/// The nodes of the machine.
#[derive(Clone, Debug, Default)]
pub(crate) struct Nodes {
    /// Proximity domains, ascending; a node's number is its position.
    domains: Vec<u32, NODES>,
    /// APIC ids with their node.
    processors: Vec<(u32, usize), MAX_CORES>,
    ranges: Vec<(MemoryAffinity, usize), RANGES>,
    distances: [[u8; NODES]; NODES],
    costs: [[MemoryCost; NODES]; NODES],
}

impl Nodes {
    /// Reads the tables. That there is no SRAT is no problem.
    pub(crate) fn read<P: Physical>(tables: &Tables<'_, P>, report: &mut dyn FnMut(Problem)) -> Self {
        let mut nodes = Self::default();
        let srat = match tables.find(b"SRAT", report).and_then(Srat::parse) {
            Ok(srat) => srat,
            Err(Problem::Missing(_)) => return nodes,
            Err(problem) => {
                report(problem);
                return nodes;
            }
        };
        nodes.domains = srat.domains(report);
        for entry in srat.processors() {
            if let Some(node) = nodes.number(entry.domain) {
                // Processors beyond those Umbra runs on are not looked up.
                let _ = nodes.processors.push((entry.apic_id, node));
            }
        }
        for range in srat.memory() {
            match range {
                // Ranges beyond those kept count to no node.
                Ok(range) => {
                    let _ = nodes.number(range.domain).map(|node| nodes.ranges.push((range, node)));
                }
                Err(problem) => report(problem),
            }
        }
        let slit = tables.find(b"SLIT", report).and_then(Slit::parse);
        let slit = slit.inspect_err(|problem| {
            if !matches!(problem, Problem::Missing(_)) {
                report(*problem);
            }
        });
        nodes.learn_distances(slit.ok().as_ref());
        match tables.find(b"HMAT", report).and_then(Hmat::parse) {
            Ok(hmat) => nodes.learn_costs(&hmat, report),
            Err(Problem::Missing(_)) => {}
            Err(problem) => report(problem),
        }
        nodes
    }

    /// How many nodes, at least one.
    pub(crate) fn count(&self) -> usize {
        self.domains.len().max(1)
    }

    /// Whether the platform describes nodes at all.
    pub(crate) fn are_described(&self) -> bool {
        !self.domains.is_empty()
    }

    /// The node of a processor.
    pub(crate) fn of_processor(&self, apic_id: u32) -> usize {
        self.processors.iter().find(|(known, _)| *known == apic_id).map_or(0, |(_, node)| *node)
    }

    /// Bytes of memory that a node has, as far as the platform says.
    pub(crate) fn bytes(&self, node: usize) -> u64 {
        self.ranges
            .iter()
            .filter(|(range, of)| *of == node && !range.hot_pluggable)
            .fold(0, |sum: u64, (range, _)| sum.saturating_add(range.length))
    }

    /// Memory and its node, but for what may be plugged in one day.
    pub(crate) fn ranges(&self) -> impl Iterator<Item = (core::ops::Range<u64>, usize)> + '_ {
        let present = self.ranges.iter().filter(|(range, _)| !range.hot_pluggable);
        present.map(|(range, node)| (range.base..range.base.saturating_add(range.length), *node))
    }

    /// The distance between nodes, 10 being the least; 255 is out of reach.
    pub(crate) fn distances(&self, from: usize) -> &[u8] {
        self.distances.get(from).and_then(|row| row.get(..self.domains.len())).unwrap_or_default()
    }

    /// What reading a node's memory costs from another, where the platform says.
    pub(crate) fn costs(&self, from: usize) -> &[MemoryCost] {
        self.costs.get(from).and_then(|row| row.get(..self.domains.len())).unwrap_or_default()
    }

    fn learn_costs(&mut self, hmat: &Hmat<'_>, report: &mut dyn FnMut(Problem)) {
        hmat.matrices().filter_map(Result::err).for_each(report);
        for (from, row) in self.domains.iter().zip(&mut self.costs) {
            for (to, cell) in self.domains.iter().zip(row) {
                *cell = hmat.cost(*from, *to);
            }
        }
    }

    fn number(&self, domain: u32) -> Option<usize> {
        self.domains.binary_search(&domain).ok()
    }

    fn learn_distances(&mut self, slit: Option<&Slit<'_>>) {
        let index = |domain: &u32| usize::try_from(*domain).unwrap_or(usize::MAX);
        for (from, row) in self.domains.iter().zip(&mut self.distances) {
            for (to, cell) in self.domains.iter().zip(row) {
                let assumed = if from == to { 10 } else { Slit::DEFAULT_REMOTE };
                *cell = slit.map_or(assumed, |slit| slit.distance(index(from), index(to)).unwrap_or(255));
            }
        }
    }
}
