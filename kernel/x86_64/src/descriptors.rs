//! Segments, the task-state segment and interrupt stacks of one core.

use x86_64::VirtAddr;
use x86_64::instructions::tables::load_tss;
use x86_64::registers::segmentation::{CS, DS, ES, SS, Segment};
use x86_64::structures::gdt::{Descriptor, GlobalDescriptorTable, SegmentSelector};
use x86_64::structures::tss::TaskStateSegment;

/// Exceptions that may find the running stack unusable get a stack of their
/// own (interrupt stack table, SDM vol. 3A 6.14.5). The value is the index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum InterruptStack {
    /// Double fault.
    DoubleFault = 0,
    /// Non-maskable interrupt.
    NonMaskable = 1,
    /// Page fault: the usual cause here is a task's stack guard.
    PageFault = 2,
    /// Machine check.
    MachineCheck = 3,
}

/// Interrupt stacks per core.
pub const INTERRUPT_STACKS: usize = 4;

/// Descriptor tables of one core. They must not move once loaded.
#[derive(Debug)]
pub struct CoreTables {
    gdt: GlobalDescriptorTable,
    tss: TaskStateSegment,
    code: SegmentSelector,
    data: SegmentSelector,
    task: SegmentSelector,
}

impl CoreTables {
    /// Tables whose interrupt stacks end (stacks grow down) at `stack_tops`.
    #[must_use]
    pub fn new(stack_tops: [u64; INTERRUPT_STACKS]) -> Self {
        let mut tss = TaskStateSegment::new();
        // The structure is packed: the table is replaced, never borrowed.
        let mut table = tss.interrupt_stack_table;
        for (entry, top) in table.iter_mut().zip(stack_tops) {
            *entry = VirtAddr::new(top);
        }
        tss.interrupt_stack_table = table;
        let null = SegmentSelector::NULL;
        Self { gdt: GlobalDescriptorTable::new(), tss, code: null, data: null, task: null }
    }

    /// Makes this core use the tables.
    pub fn load(&'static mut self) {
        // SAFETY: `self` is borrowed for ever, so the TSS stays where it is.
        let tss = unsafe { Descriptor::tss_segment_unchecked(&raw const self.tss) };
        self.code = self.gdt.append(Descriptor::kernel_code_segment());
        self.data = self.gdt.append(Descriptor::kernel_data_segment());
        self.task = self.gdt.append(tss);
        // SAFETY: the table lives for ever and holds valid flat segments; the
        // selectors are the ones just appended; the TSS is not busy yet.
        unsafe {
            self.gdt.load_unsafe();
            CS::set_reg(self.code);
            SS::set_reg(self.data);
            DS::set_reg(self.data);
            ES::set_reg(self.data);
            load_tss(self.task);
        }
    }
}
